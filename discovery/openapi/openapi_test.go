package openapi

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/sourcetest"
)

const token = "a-canary-that-nobody-may-see"

// remote is a service whose answers a test writes, and what it was asked.
type remote struct {
	*httptest.Server
	mu     sync.Mutex
	handle http.HandlerFunc
	asked  []string
}

func serve(t *testing.T, handle http.HandlerFunc) *remote {
	t.Helper()
	s := &remote{handle: handle}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.URL.RequestURI())
		h := s.handle
		s.mu.Unlock()
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *remote) now(handle http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handle = handle
}

func (s *remote) questions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.asked
	s.asked = nil
	return out
}

func (s *remote) endpoint(t *testing.T) gateway.Endpoint {
	t.Helper()
	host, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return gateway.Endpoint{ID: s.Listener.Addr().String(), Address: host, Port: uint16(n)}
}

// Set, Fail and Hang implement sourcetest.Remote.
func (s *remote) Set(n int) {
	s.now(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Token") != token {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		fmt.Fprint(w, numbered(n))
	})
}

func (s *remote) Fail() {
	s.now(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
}

func (s *remote) Hang() {
	s.now(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
}

// numbered is a document with n operations.
func numbered(n int) string {
	paths := []string{}
	for i := range n {
		paths = append(paths, fmt.Sprintf(`"/p%d/{id}":{"get":{"operationId":"op%d"}}`, i, i))
	}
	return `{"openapi":"3.0.0","paths":{` + strings.Join(paths, ",") + `}}`
}

func near(endpoints ...gateway.Endpoint) discovery.Surroundings {
	return discovery.Surroundings{Endpoints: func() []gateway.Endpoint { return endpoints }}
}

func finder(t *testing.T, block gateway.OpenAPI, opts Options, near discovery.Surroundings) discovery.Finder {
	t.Helper()
	f, err := Kind(opts).Open(gateway.Finder{OpenAPI: &block}, near)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFinder(t *testing.T) {
	for name, path := range map[string]string{"usual path": "", "own path": "/my/api.json"} {
		t.Run(name, func(t *testing.T) {
			sourcetest.RunFinder(t, sourcetest.FinderSuite{
				Start: func(t *testing.T) (discovery.Finder, sourcetest.Remote) {
					s := serve(t, nil)
					s.Set(2)
					block := gateway.OpenAPI{Path: path, Interval: 20 * time.Millisecond, Headers: map[string]string{"X-Token": token}}
					return finder(t, block, Options{Deadline: time.Second}, near(s.endpoint(t))), s
				},
				Patience: 10 * time.Second,
				Secrets:  []string{token},
			})
		})
	}
}

// disk is a remote that is a file.
type disk string

func (d disk) Set(n int) {
	if err := os.WriteFile(string(d)+".new", []byte(numbered(n)), 0o600); err != nil {
		panic(err)
	}
	if err := os.Rename(string(d)+".new", string(d)); err != nil {
		panic(err)
	}
}

func (d disk) Fail() { os.Remove(string(d)) }

func TestFile(t *testing.T) {
	folder := t.TempDir()
	d := disk(filepath.Join(folder, "api.json"))
	d.Set(2)
	words := make(chan int)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	f := finder(t, gateway.OpenAPI{File: "api.json", Interval: time.Millisecond}, Options{Folder: folder}, discovery.Surroundings{})
	go func() {
		done <- f.Run(ctx, func(f []*gateway.Function) { words <- len(f) }, func() { words <- -1 })
	}()
	for _, want := range []int{2, -1, -1} {
		if got := <-words; got != want {
			t.Fatalf("%d, want %d", got, want)
		}
	}
	d.Set(3)
	for got := range words {
		if got == 3 {
			break
		}
	}
	d.Fail()
	for {
		select {
		case <-words:
			continue
		case err := <-done:
			if !errors.Is(err, os.ErrNotExist) {
				t.Errorf("ended with %v", err)
			}
			cancel()
		}
		break
	}
	for _, name := range []string{"../api.json", "/etc/passwd", ".", "gone"} {
		f := finder(t, gateway.OpenAPI{File: name}, Options{Folder: folder}, discovery.Surroundings{})
		if err := f.Run(t.Context(), nil, nil); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		block *gateway.OpenAPI
		near  discovery.Surroundings
	}{
		"no block":      {nil, near()},
		"both":          {&gateway.OpenAPI{Path: "/a", File: "b"}, near()},
		"relative path": {&gateway.OpenAPI{Path: "a"}, near()},
		"no folder":     {&gateway.OpenAPI{File: "b"}, near()},
		"no endpoints":  {&gateway.OpenAPI{}, discovery.Surroundings{}},
	} {
		if _, err := Kind(Options{}).Open(gateway.Finder{OpenAPI: c.block}, c.near); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// first is the first answer of a finder, or its error.
func first(t *testing.T, f discovery.Finder) (names []string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err = f.Run(ctx, func(functions []*gateway.Function) {
		names = []string{}
		for _, fn := range functions {
			names = append(names, fn.Name)
		}
		cancel()
	}, cancel)
	if names != nil {
		return names, nil
	}
	return nil, err
}

func TestWhatIsNoDocument(t *testing.T) {
	filler := strings.Repeat(" ", 1<<20)
	large := func(w http.ResponseWriter, compressed bool) {
		var to interface{ Write([]byte) (int, error) } = w
		if compressed {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			defer z.Close()
			to = z
		}
		for range 50 {
			if _, err := to.Write([]byte(filler)); err != nil {
				return
			}
		}
	}
	for _, c := range []struct {
		name   string
		handle http.HandlerFunc
		want   string
	}{
		{"not found", http.NotFound, "it answers 404 Not Found"},
		{"forbidden", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, "can be put into headers"},
		{"page", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>Welcome</html>") }, "it is HTML"},
		{"empty", func(http.ResponseWriter, *http.Request) {}, "it is empty"},
		{"half", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, `{"openapi":"3.0.0","paths":{}}`)
		}, "unexpected EOF"},
		{"announced 50 MB", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(50<<20))
			large(w, false)
		}, "the document has 52428800 bytes, and 16 MiB are read at most"},
		{"streamed 50 MB", func(w http.ResponseWriter, _ *http.Request) { large(w, false) }, "larger than 16 MiB"},
		{"50 MB in gzip", func(w http.ResponseWriter, _ *http.Request) { large(w, true) }, "larger than 16 MiB"},
		{"broken gzip", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			fmt.Fprint(w, `{"openapi":"3.0.0","paths":{}}`)
		}, "gzip"},
		{"drip", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				fmt.Fprint(w, " ")
				w.(http.Flusher).Flush()
				select {
				case <-r.Context().Done():
				case <-time.After(5 * time.Millisecond):
				}
			}
		}, "no whole answer within 300ms"},
		{"silent", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "no whole answer within 300ms"},
		{"elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
		}, "only redirects to other paths of the endpoint are followed"},
		{"https", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://"+r.Host+r.URL.Path, http.StatusMovedPermanently)
		}, "only redirects to other paths"},
		{"in a circle", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
		}, "one path after the other"},
		{"unasked 304", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }, "304"},
		{"no HTTP", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				fmt.Fprint(conn, "SSH-2.0-x\r\n")
				conn.Close()
			}
		}, "malformed HTTP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, c.handle)
			deadline := 10 * time.Second
			if strings.Contains(c.want, "300ms") {
				deadline = 300 * time.Millisecond
			}
			f := finder(t, gateway.OpenAPI{Path: "/api.json"}, Options{Deadline: deadline}, near(s.endpoint(t)))
			names, err := first(t, f)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "/api.json") {
				t.Errorf("found %v, error %v; want one that says %q", names, err, c.want)
			}
		})
	}
}

func TestSearch(t *testing.T) {
	t.Run("finds and remembers", func(t *testing.T) {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/openapi.json":
				fmt.Fprint(w, "<html>")
			case "/v3/api-docs":
				fmt.Fprint(w, numbered(1))
			default:
				http.NotFound(w, r)
			}
		})
		f := finder(t, gateway.OpenAPI{}, Options{}, near(s.endpoint(t)))
		for _, want := range [][]string{{"/openapi.json", "/openapi.yaml", "/swagger.json", "/v3/api-docs"}, {"/v3/api-docs"}} {
			if names, err := first(t, f); err != nil || len(names) != 1 {
				t.Fatalf("%v, %v", names, err)
			}
			if d := cmp.Diff(want, s.questions()); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		}
		s.now(http.NotFound) // it has moved: the next search is a whole one
		if _, err := first(t, f); err == nil || len(s.questions()) != 1 {
			t.Errorf("error %v", err)
		}
		if _, err := first(t, f); err == nil || len(s.questions()) != 13 {
			t.Errorf("error %v", err)
		}
	})
	t.Run("says what it saw", func(t *testing.T) {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/swagger.json" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			http.NotFound(w, r)
		})
		_, err := first(t, finder(t, gateway.OpenAPI{}, Options{}, near(s.endpoint(t))))
		if err == nil || !strings.Contains(err.Error(), "none of the 13 usual paths") || !strings.Contains(err.Error(), "/swagger.json: it answers 401") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("stops at a dead endpoint", func(t *testing.T) {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
		_, err := first(t, finder(t, gateway.OpenAPI{}, Options{}, near(s.endpoint(t))))
		if n := len(s.questions()); err == nil || n != 1 {
			t.Errorf("%d questions, error %v", n, err)
		}
	})
	t.Run("reads a catalog", func(t *testing.T) {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case catalogPath:
				fmt.Fprint(w, `{"linkset":[{"anchor":"https://x.example/api","service-desc":[{"href":"https://x.example/hidden/spec?v=1","type":"application/json"}]}]}`)
			case "/hidden/spec":
				fmt.Fprint(w, numbered(2))
			default:
				http.NotFound(w, r)
			}
		})
		if names, err := first(t, finder(t, gateway.OpenAPI{}, Options{}, near(s.endpoint(t)))); err != nil || len(names) != 2 {
			t.Errorf("%v, %v", names, err)
		}
	})
	t.Run("follows to another path", func(t *testing.T) {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Host != "shop.example.com":
				w.WriteHeader(http.StatusMisdirectedRequest)
			case r.URL.Path == "/spec":
				http.Redirect(w, r, "http://shop.example.com/deep/spec.yaml", http.StatusFound)
			default:
				fmt.Fprint(w, "openapi: 3.0.0\nservers: [{url: ./v1}]\npaths: {/a: {get: {}}}\n")
			}
		})
		f := finder(t, gateway.OpenAPI{Path: "/spec", Headers: map[string]string{"host": "shop.example.com"}}, Options{}, near(s.endpoint(t)))
		if names, err := first(t, f); err != nil || len(names) != 1 {
			t.Errorf("%v, %v", names, err)
		}
	})
}
