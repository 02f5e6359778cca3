package testenv

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// Upstream is an HTTP server that a test routes to. It answers every request with an Echo in JSON, and can be told to
// be slow, to fail, to hang and to go away. Its methods are safe for concurrent use.
type Upstream struct {
	Name    string
	Address string // host:port; the same after Close and Reopen

	mu       sync.Mutex
	server   *httptest.Server // nil while closed
	answer   Answer
	released chan struct{} // closed when hanging requests may go on
	requests int
	last     Echo
}

// Answer is how an upstream answers. The zero value is 200 at once.
type Answer struct {
	Status int           // 200 when 0
	Delay  time.Duration // before the answer
	Hang   bool          // no answer before the next Set or the end of the test
	Header http.Header   // added to the answer
}

// Echo is what an upstream saw of a request; its answer's body, as JSON.
type Echo struct {
	Upstream string      `json:"upstream"`
	Method   string      `json:"method"`
	Path     string      `json:"path"` // with the query, as it stood on the wire
	Host     string      `json:"host"`
	Header   http.Header `json:"header"`
	Body     string      `json:"body"`
}

// StartUpstream serves on a free port of loopback until the end of the test.
func StartUpstream(t testing.TB, name string) *Upstream {
	t.Helper()
	u := &Upstream{Name: name, released: make(chan struct{})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen for upstream %s: %v", name, err)
	}
	u.Address = l.Addr().String()
	u.serve(l)
	t.Cleanup(u.Close)
	return u
}

// Port is the port of Address.
func (u *Upstream) Port() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, port, err := net.SplitHostPort(u.Address)
	if err != nil {
		return 0
	}
	n, err := net.LookupPort("tcp", port)
	if err != nil {
		return 0
	}
	return n
}

// Set changes how the upstream answers from now on; requests that hang are let go.
func (u *Upstream) Set(a Answer) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answer = a
	close(u.released)
	u.released = make(chan struct{})
}

// Close refuses connections and ends those that are open. Closing twice is fine.
func (u *Upstream) Close() {
	u.mu.Lock()
	server := u.server
	u.server = nil
	close(u.released)
	u.released = make(chan struct{})
	u.mu.Unlock()
	if server != nil {
		server.CloseClientConnections()
		server.Close()
	}
}

// Reopen serves again at the address that was closed.
func (u *Upstream) Reopen(t testing.TB) {
	t.Helper()
	var l net.Listener
	Eventually(t, 10*time.Second, func() (err error) {
		l, err = net.Listen("tcp", u.Address)
		return err
	})
	u.serve(l)
}

// Requests is the number of requests that arrived.
func (u *Upstream) Requests() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.requests
}

// Last is the request that arrived last.
func (u *Upstream) Last() Echo {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.last
}

func (u *Upstream) serve(l net.Listener) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(u.handle))
	_ = s.Listener.Close() // its own, in favour of l
	s.Listener = l
	u.mu.Lock()
	defer u.mu.Unlock()
	u.server = s
	s.Start()
}

func (u *Upstream) handle(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	echo := Echo{
		Upstream: u.Name, Method: r.Method, Path: r.RequestURI, Host: r.Host,
		Header: r.Header.Clone(), Body: string(body),
	}
	u.mu.Lock()
	u.requests++
	u.last = echo
	answer, released := u.answer, u.released
	u.mu.Unlock()

	if !answer.wait(r, released) {
		return
	}
	for name, values := range answer.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	if w.Header().Get("content-type") == "" {
		w.Header().Set("content-type", "application/json")
	}
	if answer.Status != 0 {
		w.WriteHeader(answer.Status)
	}
	_ = json.NewEncoder(w).Encode(echo) // fails when the client is gone
}

// wait says whether there is anyone left to answer.
func (a Answer) wait(r *http.Request, released <-chan struct{}) bool {
	if a.Hang {
		select {
		case <-released:
		case <-r.Context().Done():
			return false
		}
	}
	if a.Delay == 0 {
		return true
	}
	timer := time.NewTimer(a.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
