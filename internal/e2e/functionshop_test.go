package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

// shop is an HTTP service with an OpenAPI document at /openapi.json. All other paths are echoed.
type shop struct {
	name, address string

	mu       sync.Mutex
	document http.HandlerFunc // nil: the honest one
	paths    map[string]string
	asked    int // for the document
	echoes   []testenv.Echo
	fail     int  // so many requests are answered with 503
	hang     bool // requests are not answered before their end
}

// startShop serves operations, by their names, until the end of the test.
func startShop(t testing.TB, name string, paths map[string]string) *shop {
	t.Helper()
	s := &shop{name: name, paths: paths}
	server := httptest.NewServer(http.HandlerFunc(s.handle))
	s.address = server.Listener.Addr().String()
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return s
}

// pages are the operations of every shop at first.
func pages() map[string]string {
	return map[string]string{"ping": "/ping/{id}", "pong": "/pong/{id}", "peng": "/peng/{id}"}
}

func (s *shop) handle(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	s.mu.Lock()
	document, isDocument := s.document, r.URL.Path == "/openapi.json"
	fails, hangs := s.fail > 0 && !isDocument, s.hang
	if isDocument {
		s.asked++
	} else {
		s.echoes = append(s.echoes, testenv.Echo{
			Upstream: s.name, Method: r.Method, Path: r.RequestURI, Host: r.Host, Header: r.Header.Clone(), Body: string(body),
		})
	}
	if fails {
		s.fail--
	}
	text := s.text()
	s.mu.Unlock()
	switch {
	case isDocument && document != nil:
		document(w, r)
	case isDocument:
		_, _ = io.WriteString(w, text)
	case fails:
		w.WriteHeader(http.StatusServiceUnavailable)
	case hangs:
		<-r.Context().Done()
	default:
		w.Header().Set("content-type", "application/json")
		_ = json.NewEncoder(w).Encode(testenv.Echo{Upstream: s.name, Method: r.Method, Path: r.RequestURI, Body: string(body)})
	}
}

// text is the honest document; s.mu is held.
func (s *shop) text() string {
	var paths []string
	for _, name := range slices.Sorted(maps.Keys(s.paths)) {
		paths = append(paths, fmt.Sprintf(`%q: {"get": {"operationId": %q, "parameters": [
			{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}},
			{"name": "limit", "in": "query", "schema": {"type": "integer"}}], "responses": {"200": {"description": "an echo"}}}}`,
			s.paths[name], name))
	}
	return `{"openapi": "3.0.3", "info": {"title": "shop", "version": "1"}, "paths": {` + strings.Join(paths, ",\n") + `}}`
}

// set changes the shop.
func (s *shop) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// questions is how often the document was asked for.
func (s *shop) questions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// last is the request that arrived last, of those that have a header.
func (s *shop) last(header string) (e testenv.Echo, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range slices.Backward(s.echoes) {
		if e.Header.Get(header) != "" {
			return e, true
		}
	}
	return e, false
}

// block is the upstream of the shop.
func (s *shop) block(more string) string {
	return fmt.Sprintf(`
upstream %q {
  static { endpoints = [%q] }
  openapi {
    path     = "/openapi.json"
    interval = "5s"
  }
%s}
`, s.name, s.address, more)
}

// call is a route to a function of an upstream, at any path of a host NAME.example.com.
func callRoute(name, function, more string) string {
	return fmt.Sprintf(`
route %q {
  hosts = ["%s.example.com"]
  match { path = "/{id}" }
  to {
    function = function.%s
%s  }
}
`, name, name, function, more)
}

// The documents that a shop can have instead of its own.
var (
	noDocument = http.NotFound

	pageOfHTML = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("content-type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><html><body>Please log in</body></html>")
	}
	fiftyMegabytes = func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"openapi": "3.0.3", "paths": {}, "x": "`)
		for range 50 {
			if _, err := io.WriteString(w, strings.Repeat("x", 1<<20)); err != nil {
				return // nobody reads any more
			}
		}
	}
	slowly = func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"openapi":`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	withoutPaths = func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"openapi": "3.0.3", "info": {"title": "shop", "version": "1"}, "paths": {}}`)
	}
	brokenOff = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("content-length", "5000")
		_, _ = io.WriteString(w, `{"openapi": "3.0.3", "paths": {"/ping/{id}": {`)
	}
)
