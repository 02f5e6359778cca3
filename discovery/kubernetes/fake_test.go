package kubernetes

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const canary = "canary-token-7f3a"

type mode int

const (
	answers mode = iota
	fails
	hangs
	halves
	endsAtOnce // watches
	nonsense
	longLines
	refuses // watches, by an ERROR event with the code 500
	forbids
)

// object is an EndpointSlice.
type object map[string]any

// slot is one entry of the log of events.
type slot struct {
	version int
	kind    string
	object  object
}

// fake is an API server with the slices of namespaces, which can fail in each way that one is known to.
type fake struct {
	*httptest.Server

	mu        sync.Mutex
	mode      mode
	version   int
	objects   map[string]object // by namespace/name
	log       []slot
	compacted int           // versions up to it are gone
	byStatus  bool          // 410 is the status of the answer, and no event
	pageGone  bool          // continuations have expired
	changed   chan struct{} // closed at each change
	calls     []*url.URL
	tokens    []string
	watches   int // open
}

func startFake(t testing.TB) *fake {
	f := &fake{objects: map[string]object{}, changed: make(chan struct{}), version: 100}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(func() {
		f.CloseClientConnections()
		f.Close()
	})
	return f
}

// change does something under the lock, and wakes all watches.
func (f *fake) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fake) put(o object) { f.change(func() { f.store(o) }) }

// store is put without the lock.
func (f *fake) store(o object) {
	m := o["metadata"].(object)
	key := fmt.Sprint(m["namespace"], "/", m["name"])
	kind := "ADDED"
	if _, ok := f.objects[key]; ok {
		kind = "MODIFIED"
	}
	f.version++
	m["resourceVersion"] = strconv.Itoa(f.version)
	f.objects[key] = o
	f.log = append(f.log, slot{f.version, kind, o})
}

func (f *fake) remove(key string) { f.change(func() { f.drop(key) }) }

func (f *fake) drop(key string) {
	o, ok := f.objects[key]
	if !ok {
		return
	}
	f.version++
	last := maps.Clone(o)
	last["metadata"] = maps.Clone(o["metadata"].(object))
	last["metadata"].(object)["resourceVersion"] = strconv.Itoa(f.version)
	delete(f.objects, key)
	f.log = append(f.log, slot{f.version, "DELETED", last})
}

// compact forgets all versions up to now, and says so to whoever watches from one of them on.
func (f *fake) compact() {
	f.change(func() {
		f.version++
		f.compacted, f.log = f.version, nil
	})
}

// bookmark tells all watches the version.
func (f *fake) bookmark() {
	f.change(func() {
		f.version += 10
		f.log = append(f.log, slot{f.version, "BOOKMARK", object{
			"kind": "EndpointSlice", "metadata": object{"resourceVersion": strconv.Itoa(f.version)},
		}})
	})
}

func (f *fake) set(m mode) { f.change(func() { f.mode = m }) }

// count is how many calls were made whose query contains a text.
func (f *fake) count(text string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, u := range f.calls {
		q, _ := url.QueryUnescape(u.RawQuery)
		if strings.Contains(u.Path+"?"+q, text) {
			n++
		}
	}
	return n
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.calls = append(f.calls, r.URL)
	f.tokens = append(f.tokens, r.Header.Get("Authorization"))
	m := f.mode
	f.mu.Unlock()
	switch {
	case m == fails:
		status(w, http.StatusInternalServerError, "InternalError", "etcd has no leader")
	case m == forbids:
		status(w, http.StatusForbidden, "Forbidden", "you may not")
	case m == hangs:
		<-r.Context().Done()
	case r.URL.Query().Get("watch") == "true":
		f.watch(w, r)
	default:
		f.list(w, r, m)
	}
}

func status(w http.ResponseWriter, code int, reason, message string) {
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(object{"kind": "Status", "code": code, "reason": reason, "message": message})
}

// selected says whether an object is asked for.
func selected(r *http.Request, o object) bool {
	m := o["metadata"].(object)
	if ns := namespaceOf(r); ns != "" && m["namespace"] != ns {
		return false
	}
	_, names, in := strings.Cut(r.URL.Query().Get("labelSelector"), " in (")
	service := m["labels"].(object)[serviceLabel]
	return !in || slices.Contains(strings.Split(strings.TrimSuffix(names, ")"), ","), service.(string))
}

func namespaceOf(r *http.Request) string {
	_, rest, _ := strings.Cut(r.URL.Path, "/namespaces/")
	ns, _, _ := strings.Cut(rest, "/")
	return ns
}

func (f *fake) list(w http.ResponseWriter, r *http.Request, m mode) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.URL.Query().Get("continue") != "" && f.pageGone {
		status(w, http.StatusGone, "Expired", "the continue token is too old")
		return
	}
	first, _ := strconv.Atoi(r.URL.Query().Get("continue"))
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	var all []object
	for _, key := range slices.Sorted(maps.Keys(f.objects)) {
		if selected(r, f.objects[key]) {
			all = append(all, f.objects[key])
		}
	}
	next := ""
	all = all[min(first, len(all)):]
	if limit > 0 && len(all) > limit {
		all, next = all[:limit], strconv.Itoa(first+limit)
	}
	text, _ := json.Marshal(object{
		"kind": "EndpointSliceList", "metadata": object{"resourceVersion": strconv.Itoa(f.version), "continue": next}, "items": all,
	})
	if m == halves {
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		text = text[:len(text)/2]
	}
	_, _ = w.Write(text)
}

// watch tells what happened since a version, and goes on until the mode changes.
func (f *fake) watch(w http.ResponseWriter, r *http.Request) {
	from, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	f.mu.Lock()
	if from < f.compacted && f.byStatus {
		f.mu.Unlock()
		status(w, http.StatusGone, "Expired", "too old resource version")
		return
	}
	f.watches++
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.watches--
		f.mu.Unlock()
	}()
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	for {
		f.mu.Lock()
		m, wake, gone := f.mode, f.changed, from < f.compacted
		var lines []string
		for _, s := range f.log {
			if s.version <= from || s.kind != "BOOKMARK" && !selected(r, s.object) {
				continue
			}
			text, _ := json.Marshal(object{"type": s.kind, "object": s.object})
			lines = append(lines, string(text)+"\n")
		}
		now := f.version
		f.mu.Unlock()
		switch {
		case m == hangs:
			<-r.Context().Done()
			return
		case m == halves:
			_, _ = fmt.Fprint(w, `{"type":"MODIFIED","object":{"kind":"EndpointSl`)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case m == fails || m == forbids:
			panic(http.ErrAbortHandler)
		case m == endsAtOnce:
			return
		case m == nonsense:
			lines = []string{`{"type":"SURPRISE","object":{}}` + "\n"}
		case m == longLines:
			lines = []string{strings.Repeat("x", maxLine+1)}
		case gone:
			lines = []string{`{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old resource version"}}` + "\n"}
		case m == refuses:
			lines = []string{`{"type":"ERROR","object":{"kind":"Status","code":500,"reason":"InternalError","message":"etcd has no leader"}}` + "\n"}
		}
		for _, l := range lines {
			_, _ = fmt.Fprint(w, l)
		}
		w.(http.Flusher).Flush()
		if m != answers || gone {
			return
		}
		from = now
		select {
		case <-wake:
		case <-r.Context().Done():
			return
		}
	}
}

// Slices as they are written in tests.

func sliceOf(service, name, family string, ports []object, endpoints ...object) object {
	return object{
		"kind": "EndpointSlice", "addressType": family, "ports": ports, "endpoints": endpoints,
		"metadata": object{"namespace": "default", "name": name, "labels": object{serviceLabel: service, "team": "blue", "endpointslice.kubernetes.io/managed-by": "x"}},
	}
}

func portOf(name string, number int) []object {
	return []object{{"name": name, "port": number, "protocol": "TCP"}}
}

func pod(name, address string, more ...object) object {
	o := object{
		"addresses": []string{address}, "conditions": object{"ready": true, "serving": true, "terminating": false},
		"targetRef": object{"kind": "Pod", "name": name}, "nodeName": "node-1", "zone": "a",
	}
	for _, m := range more {
		maps.Copy(o, m)
	}
	return o
}

func ready(is, terminating bool) object {
	return object{"conditions": object{"ready": is, "serving": is, "terminating": terminating}}
}

// pods makes the service have n pods, in two slices, of which only the second one changes.
func (f *fake) pods(service string, n int) {
	var halves [2][]object
	for i := range n {
		halves[min(i, 1)] = append(halves[min(i, 1)], pod(fmt.Sprint(service, "-", i), fmt.Sprintf("10.0.%d.%d", len(service), i+1)))
	}
	f.change(func() {
		f.mode = answers
		for i, endpoints := range halves {
			f.store(sliceOf(service, fmt.Sprint(service, "-slice", i), "IPv4", portOf("http", 8080), endpoints...))
		}
	})
}

// Set implements sourcetest.Remote.
func (f *fake) Set(n int) { f.pods("shop", n) }

// Fail implements sourcetest.Remote.
func (f *fake) Fail() { f.set(fails) }

// Hang implements sourcetest.Remote.
func (f *fake) Hang() { f.set(hangs) }

// Half implements sourcetest.Breaker.
func (f *fake) Half() { f.set(halves) }

// Empty implements sourcetest.Breaker.
func (f *fake) Empty() {
	f.change(func() {
		for _, key := range slices.Sorted(maps.Keys(f.objects)) {
			f.drop(key)
		}
	})
}

var quick = pace{
	gather: 2 * time.Millisecond, watch: time.Minute, silence: 200 * time.Millisecond, gap: 5 * time.Millisecond,
	pause: 5 * time.Millisecond, longest: 50 * time.Millisecond, lasting: 100 * time.Millisecond, pageSize: 1,
}

func clientOf(t testing.TB, f *fake, name string) *Client {
	t.Helper()
	c, err := New(Config{Name: name, Address: f.URL, Token: canary})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
