package testenv

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"

	"github.com/vmware/govmomi/vim25/soap"
)

// wait is one call that waits for updates, which the simulator would not end when its client is gone.
type wait struct {
	cookie    *http.Cookie
	collector string
	done      chan struct{} // closed when it has been answered
}

var (
	methodOf    = regexp.MustCompile(`<(?:\w+:)?Body[^>]*>\s*<(?:\w+:)?(\w+)`)
	collectorOf = regexp.MustCompile(`<_this type="PropertyCollector">([^<]+)</_this>`)
)

const tokenHeader = "vmware-api-session-id"

// handle is the simulator, with what it lacks of a vCenter.
func (v *VCenter) handle(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/rest/") {
		v.handleTags(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	method := "other"
	if m := methodOf.FindSubmatch(body); m != nil {
		method = string(m[1])
	}
	v.count(method)
	if m := collectorOf.FindSubmatch(body); m != nil && method == "WaitForUpdatesEx" {
		cookie, _ := r.Cookie(soap.SessionCookieName)
		here := &wait{cookie: cookie, collector: string(m[1]), done: make(chan struct{})}
		v.mu.Lock()
		v.waits[here] = true
		v.mu.Unlock()
		stop := context.AfterFunc(r.Context(), func() { v.cancelWait(here) })
		defer func() {
			stop()
			v.mu.Lock()
			delete(v.waits, here)
			v.mu.Unlock()
			close(here.done)
		}()
	}
	v.mux.ServeHTTP(w, r)
}

func (v *VCenter) count(method string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.calls[method]++
}

// handleTags serves the API of tags, whose sessions the simulator never forgets.
func (v *VCenter) handleTags(w http.ResponseWriter, r *http.Request) {
	v.count(r.Method + " " + r.URL.Path)
	login := r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/cis/session")
	v.mu.Lock()
	denied, known := v.denied, v.tokens[r.Header.Get(tokenHeader)]
	v.mu.Unlock()
	switch {
	case denied != 0:
		w.WriteHeader(denied)
	case login:
		rec := httptest.NewRecorder()
		v.mux.ServeHTTP(rec, r)
		var answer struct{ Value string }
		if json.Unmarshal(rec.Body.Bytes(), &answer) == nil && rec.Code == http.StatusOK {
			v.mu.Lock()
			v.tokens[answer.Value] = true
			v.mu.Unlock()
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	case !known:
		w.WriteHeader(http.StatusUnauthorized)
	default:
		v.mux.ServeHTTP(w, r)
	}
}

// cancelWaits ends all calls that wait for updates, and returns when they have been answered.
func (v *VCenter) cancelWaits() {
	v.mu.Lock()
	var all []*wait
	for w := range v.waits {
		all = append(all, w)
	}
	v.mu.Unlock()
	for _, w := range all {
		v.cancelWait(w)
		<-w.done
	}
}

// cancelWait tells the simulator what a vCenter sees by itself: that nobody waits any more.
func (v *VCenter) cancelWait(w *wait) {
	text := fmt.Sprintf(`<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body>`+
		`<CancelWaitForUpdates xmlns="urn:vim25"><_this type="PropertyCollector">%s</_this></CancelWaitForUpdates></Body></Envelope>`, w.collector)
	r := httptest.NewRequest(http.MethodPost, "/sdk", strings.NewReader(text))
	if w.cookie != nil {
		r.AddCookie(w.cookie)
	}
	v.mux.ServeHTTP(httptest.NewRecorder(), r)
}
