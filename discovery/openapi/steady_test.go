package openapi

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// heard is what a running finder says: the number of functions of each update, -1 for a sign of life.
type heard struct {
	words chan int
	done  chan error
}

// listen runs a finder until the test ends.
func listen(t *testing.T, f discovery.Finder) *heard {
	t.Helper()
	h := &heard{words: make(chan int), done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	say := func(n int) {
		select {
		case h.words <- n:
		case <-ctx.Done():
		}
	}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		h.done <- f.Run(ctx, func(f []*gateway.Function) { say(len(f)) }, func() { say(-1) })
	}()
	t.Cleanup(func() {
		cancel()
		<-finished
	})
	return h
}

func (h *heard) expect(t *testing.T, want ...int) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-h.words:
			if got != w {
				t.Fatalf("said %d, want %d", got, w)
			}
		case err := <-h.done:
			t.Fatalf("ended: %v", err)
		case <-time.After(5 * time.Second):
			t.Fatal("said nothing")
		}
	}
}

// until skips signs of life.
func (h *heard) until(t *testing.T, want int) {
	t.Helper()
	deadline := time.After(5 * time.Second)
	for {
		select {
		case got := <-h.words:
			if got == want {
				return
			}
			if got != -1 {
				t.Fatalf("said %d, want %d", got, want)
			}
		case err := <-h.done:
			t.Fatalf("ended: %v", err)
		case <-deadline:
			t.Fatalf("never said %d", want)
		}
	}
}

func TestUnchangedDocumentIsNotSentAgain(t *testing.T) {
	var version atomic.Int32
	var sent, spared atomic.Int32
	version.Store(2)
	for name, mark := range map[string]string{"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"} {
		t.Run(name, func(t *testing.T) {
			version.Store(2)
			sent.Store(0)
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				tag := fmt.Sprintf(`"v%d"`, version.Load())
				w.Header().Set(name, tag)
				if r.Header.Get(mark) == tag {
					spared.Add(1)
					w.WriteHeader(http.StatusNotModified)
					return
				}
				sent.Add(1)
				fmt.Fprint(w, numbered(int(version.Load())))
			})
			f := finder(t, gateway.OpenAPI{Path: "/spec", Interval: time.Millisecond}, Options{}, near(s.endpoint(t)))
			h := listen(t, f)
			h.expect(t, 2, -1, -1, -1)
			version.Store(3)
			h.until(t, 3)
			h.expect(t, -1, -1)
			if sent.Load() != 2 || spared.Load() < 4 {
				t.Errorf("sent %d times, spared %d", sent.Load(), spared.Load())
			}
		})
	}
}

// A document that changes in what sluice does not read is no update.
func TestOtherWordsAreNoUpdate(t *testing.T) {
	var n atomic.Int32
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"x-built": %d, "openapi": "3.0.0", "paths": {"/a": {"get": {}}}}`, n.Add(1))
	})
	listen(t, finder(t, gateway.OpenAPI{Path: "/spec", Interval: time.Millisecond}, Options{}, near(s.endpoint(t)))).expect(t, 1, -1, -1, -1)
}

// While endpoints serve different documents one of them is asked, for as long as it is there and answers.
func TestOneEndpointIsAsked(t *testing.T) {
	old := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, numbered(2)) })
	fresh := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, numbered(3)) })
	var mu sync.Mutex
	endpoints := []gateway.Endpoint{old.endpoint(t)}
	set := func(e ...gateway.Endpoint) {
		mu.Lock()
		defer mu.Unlock()
		endpoints = e
	}
	around := discovery.Surroundings{Endpoints: func() []gateway.Endpoint {
		mu.Lock()
		defer mu.Unlock()
		return endpoints
	}}
	h := listen(t, finder(t, gateway.OpenAPI{Path: "/spec", Interval: time.Millisecond}, Options{}, around))
	h.expect(t, 2)
	set(fresh.endpoint(t), old.endpoint(t))
	h.expect(t, -1, -1, -1)
	if n := len(fresh.questions()); n != 0 {
		t.Errorf("the other endpoint was asked %d times", n)
	}
	old.Fail() // it answers, but not with a document: nothing is taken from elsewhere at once
	var err error
	for err == nil {
		select {
		case got := <-h.words:
			if got != -1 {
				t.Fatalf("said %d", got)
			}
		case err = <-h.done:
		}
	}
	f := finder(t, gateway.OpenAPI{Path: "/spec", Interval: time.Millisecond}, Options{}, around)
	old.Close() // it does not answer: the next one is asked in the same breath
	set(old.endpoint(t), fresh.endpoint(t))
	h = listen(t, f)
	h.expect(t, 3, -1)
	set() // no endpoints: silence, not an error
	set(fresh.endpoint(t))
	h.until(t, -1)
}

// A hundred endpoints are asked as often as one.
func TestManyEndpointsAreOneQuestion(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	var endpoints []gateway.Endpoint
	for i := range 100 {
		e := s.endpoint(t)
		e.ID = fmt.Sprint("e", i)
		endpoints = append(endpoints, e)
	}
	if _, err := first(t, finder(t, gateway.OpenAPI{}, Options{}, near(endpoints...))); err == nil {
		t.Error("no error")
	}
	if d := cmp.Diff([]string{"/openapi.json", "/openapi.json"}, s.questions()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestProblemsAreTold(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"openapi": "3.0.0", "paths": {"/a": {"get": {}}, "/b?c": {"get": {}}}}`)
	})
	told := make(chan []string, 1)
	f := finder(t, gateway.OpenAPI{}, Options{Problems: func(_ gateway.FinderKey, p []string) { told <- p }}, near(s.endpoint(t)))
	if _, err := first(t, f); err != nil {
		t.Fatal(err)
	}
	if p := <-told; len(p) != 1 {
		t.Errorf("problems %q", p)
	}
}
