package docker

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

type mode int

const (
	answers mode = iota
	fails
	hangs
	halves
	cuts // streams of events, as soon as they begin
	nonsense
	longLines
)

type row map[string]any

// fake is an engine on a Unix socket, which can fail in each way that one is known to.
type fake struct {
	*httptest.Server
	socket string

	mu      sync.Mutex
	mode    mode
	version string
	rows    []row
	events  []string
	changed chan struct{} // closed at each change
	calls   []string
	streams int // open
}

func startFake(t testing.TB) *fake {
	f := &fake{changed: make(chan struct{}), version: "1.52", socket: filepath.Join(t.TempDir(), "docker.sock")}
	l, err := net.Listen("unix", f.socket)
	if err != nil {
		t.Fatal(err)
	}
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(f.serve))
	f.Listener.Close()
	f.Listener = l
	f.Start()
	t.Cleanup(func() {
		f.CloseClientConnections()
		f.Close()
	})
	return f
}

func (f *fake) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fake) set(m mode) { f.change(func() { f.mode = m }) }

// say tells an event of a container.
func (f *fake) say(action, id string, attributes ...string) {
	f.change(func() { f.tell(action, id, attributes...) })
}

func (f *fake) tell(action, id string, attributes ...string) {
	all := map[string]string{}
	for i := 0; i+1 < len(attributes); i += 2 {
		all[attributes[i]] = attributes[i+1]
	}
	text, _ := json.Marshal(row{"Type": "container", "Action": action, "Actor": row{"ID": id, "Attributes": all}})
	f.events = append(f.events, string(text)+"\n")
}

func (f *fake) count(text string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if strings.Contains(c, text) {
			n++
		}
	}
	return n
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.calls = append(f.calls, r.URL.String())
	m, version := f.mode, f.version
	text, _ := json.Marshal(f.rows)
	f.mu.Unlock()
	switch {
	case m == fails:
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = fmt.Fprint(w, `{"message":"the engine is ill"}`)
	case m == hangs:
		<-r.Context().Done()
	case r.URL.Path == "/_ping":
		w.Header().Set("Api-Version", version)
		_, _ = fmt.Fprint(w, "OK")
	case strings.HasSuffix(r.URL.Path, "/events"):
		f.stream(w, r)
	case strings.HasSuffix(r.URL.Path, "/containers/json"):
		if m == halves {
			w.Header().Set("Content-Length", strconv.Itoa(len(text)))
			text = text[:len(text)/2]
		}
		_, _ = w.Write(text)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// stream tells the events from now on.
func (f *fake) stream(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	told := len(f.events)
	f.streams++
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.streams--
		f.mu.Unlock()
	}()
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	for {
		f.mu.Lock()
		m, wake := f.mode, f.changed
		lines := slices.Clone(f.events[told:])
		told = len(f.events)
		f.mu.Unlock()
		switch m {
		case hangs:
			<-r.Context().Done()
			return
		case halves:
			_, _ = fmt.Fprint(w, `{"Type":"conta`)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case fails:
			panic(http.ErrAbortHandler)
		case cuts:
			return
		case nonsense:
			lines = []string{"<html>\n"}
		case longLines:
			lines = []string{strings.Repeat("x", maxLine+1)}
		}
		for _, l := range lines {
			_, _ = fmt.Fprint(w, l)
		}
		w.(http.Flusher).Flush()
		if m != answers {
			return
		}
		select {
		case <-wake:
		case <-r.Context().Done():
			return
		}
	}
}

func idOf(n int) string { return fmt.Sprintf("%064x", n+1)[52:] + strings.Repeat("0", 52) }

// shop is a container of the service shop.
func shop(n int, more ...row) row {
	r := row{
		"Id": idOf(n), "Names": []string{fmt.Sprint("/shop-", n)}, "Image": "shop:1", "State": "running", "Status": "Up 2 minutes",
		"Labels": map[string]string{"service": "shop", "version": "1"}, "HostConfig": row{"NetworkMode": "web"},
		"Ports":           []row{{"PrivatePort": 8080, "Type": "tcp"}},
		"NetworkSettings": row{"Networks": row{"web": row{"IPAddress": fmt.Sprint("172.18.0.", n+2)}}},
	}
	for _, m := range more {
		maps.Copy(r, m)
	}
	return r
}

// Set implements sourcetest.Remote.
func (f *fake) Set(n int) {
	f.change(func() {
		f.mode = answers
		f.rows = []row{}
		for i := range n {
			f.rows = append(f.rows, shop(i))
		}
		f.tell("start", idOf(n))
	})
}

// Fail implements sourcetest.Remote.
func (f *fake) Fail() { f.set(fails) }

// Hang implements sourcetest.Remote.
func (f *fake) Hang() { f.set(hangs) }

// Half implements sourcetest.Breaker.
func (f *fake) Half() { f.set(halves) }

// Empty implements sourcetest.Breaker.
func (f *fake) Empty() {
	f.change(func() {
		f.rows = []row{}
		f.tell("die", idOf(0))
	})
}

var quick = pace{gather: 2 * time.Millisecond, resync: 200 * time.Millisecond, pause: 5 * time.Millisecond, longest: 50 * time.Millisecond, drain: 300 * time.Millisecond}

func clientOf(t testing.TB, f *fake, name string) *Client {
	t.Helper()
	c, err := New(Config{Name: name, Host: "unix://" + f.socket}.WithEnv(func(string) string { return "" }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func mustJSON(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
