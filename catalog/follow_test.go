package catalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/tlsfiles"
)

// fakeConsul answers for /v1/health/service/ what a test tells it to, and can fail in every way that Consul does.
type fakeConsul struct {
	mu     sync.Mutex
	index  uint64
	rows   []string // instance IDs
	header http.Header
	status int  // other than 200: every answer
	hang   bool // no answer at all
	half   bool // the body ends early
	refuse bool
	wake   chan struct{}
	asked  int
	spins  int // non-blocking queries
}

func newFakeConsul(rows ...string) *fakeConsul {
	return &fakeConsul{index: 10, rows: rows, header: http.Header{"X-Consul-Knownleader": {"true"}, "X-Consul-Lastcontact": {"0"}}, wake: make(chan struct{})}
}

// change lets every blocked query look again.
func (f *fakeConsul) change(do func(*fakeConsul)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do(f)
	close(f.wake)
	f.wake = make(chan struct{})
}

func (f *fakeConsul) RoundTrip(req *http.Request) (*http.Response, error) {
	q := req.URL.Query()
	var index uint64
	_, _ = fmt.Sscan(q.Get("index"), &index)
	wait, _ := time.ParseDuration(q.Get("wait"))
	timeout := time.After(wait + wait/16)
	leader := strings.HasSuffix(req.URL.Path, "/leader")
	f.mu.Lock()
	if !leader {
		f.asked++
		if index == 0 {
			f.spins++
		}
	}
	for done := false; ; {
		ready := done || leader || index == 0 || f.index != index || f.status != 0
		if f.refuse {
			f.mu.Unlock()
			return nil, errors.New("connection refused")
		}
		if ready && !f.hang {
			resp := f.answer(leader, req)
			f.mu.Unlock()
			return resp, nil
		}
		wake := f.wake
		f.mu.Unlock()
		select {
		case <-req.Context().Done():
			return nil, req.Context().Err()
		case <-wake:
		case <-timeout:
			done = true
		}
		f.mu.Lock()
	}
}

func (f *fakeConsul) answer(leader bool, req *http.Request) *http.Response {
	resp := &http.Response{StatusCode: 200, Header: f.header.Clone(), Request: req, ProtoMajor: 1}
	resp.Header.Set("X-Consul-Index", fmt.Sprint(f.index))
	body := `"127.0.0.1:8300"`
	if !leader {
		var rows []string
		for _, id := range f.rows {
			rows = append(rows, fmt.Sprintf(`{"Node":{"Node":"n","Address":"127.0.0.1"},"Service":{"ID":%q,"Port":80}}`, id))
		}
		body = "[" + strings.Join(rows, ",") + "]"
		if f.half {
			body = body[:len(body)/2]
		}
	}
	if f.status != 0 {
		resp.StatusCode, body = f.status, "no"
	}
	resp.Body = io.NopCloser(strings.NewReader(body))
	return resp
}

// followFake watches the fake; got is the last list that was reported and how many were.
func followFake(t *testing.T, f *fakeConsul) (c *Client, got func() (string, int), stop func()) {
	t.Helper()
	cfg, err := Config{}.WithEnv(func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	c, err = newClient(cfg, nil, f, 100)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	last, n := "", 0
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.Service(ServiceSpec{Service: "web"}).Run(ctx, func(es []gateway.Endpoint) {
			mu.Lock()
			defer mu.Unlock()
			var ids []string
			for _, e := range es {
				ids = append(ids, strings.TrimPrefix(e.ID, "n/"))
			}
			last, n = strings.Join(ids, " "), n+1
		}, nil)
	}()
	synctest.Wait()
	return c, func() (string, int) {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			return last, n
		}, func() {
			cancel()
			<-done
		}
}

func TestFollowThroughFaults(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault func(*fakeConsul)
		cure  func(*fakeConsul)
		state State // while it lasts
	}{
		{"refused", func(f *fakeConsul) { f.refuse, f.rows = true, nil }, func(f *fakeConsul) { f.refuse, f.rows = false, []string{"a", "b", "c"} }, StateFailing},
		{"429", func(f *fakeConsul) { f.status = 429 }, func(f *fakeConsul) { f.status = 0 }, StateFailing},
		{"500", func(f *fakeConsul) { f.status = 500 }, func(f *fakeConsul) { f.status = 0 }, StateFailing},
		{"403", func(f *fakeConsul) { f.status = 403 }, func(f *fakeConsul) { f.status = 0 }, StateFailing},
		{"half an answer", func(f *fakeConsul) { f.half = true; f.index++ }, func(f *fakeConsul) { f.half = false }, StateFailing},
		{"filtered", func(f *fakeConsul) {
			f.rows = []string{"a"}
			f.index++
			f.header.Set("X-Consul-Results-Filtered-By-Acls", "true")
		}, func(f *fakeConsul) { f.header.Del("X-Consul-Results-Filtered-By-Acls") }, StateFiltered},
		{"leaderless", func(f *fakeConsul) { f.rows = nil; f.index++; f.header.Set("X-Consul-Knownleader", "false") }, func(f *fakeConsul) { f.header.Set("X-Consul-Knownleader", "true") }, StateLeaderless},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeConsul("a", "b")
				c, got, stop := followFake(t, f)
				defer stop()
				f.change(tc.fault)
				time.Sleep(10 * time.Minute) // the bubble's clock
				if last, n := got(); last != "a b" || n != 1 {
					t.Fatalf("while it lasted: %q after %d reports", last, n)
				}
				if s := c.Statuses()[0]; s.State != tc.state {
					t.Errorf("state %s: %+v", s.State, s)
				}
				f.mu.Lock()
				if f.asked > 300 {
					t.Errorf("asked %d times in ten minutes", f.asked)
				}
				f.mu.Unlock()
				f.change(func(f *fakeConsul) { tc.cure(f); f.rows, f.index = []string{"a", "b", "c"}, f.index+1 })
				time.Sleep(17 * time.Second)
				if last, _ := got(); last != "a b c" {
					t.Errorf("17 s after the cure: %q", last)
				}
			})
		})
	}
}

func TestFrozenConsulEndsNoGoroutineLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeConsul("a")
		c, got, stop := followFake(t, f)
		f.change(func(f *fakeConsul) { f.hang = true })
		time.Sleep(time.Minute)
		if c.Reachable() {
			t.Error("a frozen Consul counts as reachable")
		}
		f.change(func(f *fakeConsul) { f.hang = false; f.rows, f.index = []string{"a", "b"}, 11 })
		time.Sleep(10 * time.Second)
		if last, _ := got(); last != "a b" {
			t.Errorf("after the thaw: %q", last)
		}
		f.change(func(f *fakeConsul) { f.hang = true })
		time.Sleep(time.Second)
		began := time.Now()
		stop()
		if d := time.Since(began); d > time.Second {
			t.Errorf("stopping took %s", d)
		}
	})
}

func TestIndexZeroDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeConsul("a")
		f.index = 0
		_, _, stop := followFake(t, f)
		defer stop()
		time.Sleep(10 * time.Minute)
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.asked > 80 {
			t.Errorf("asked %d times in ten minutes", f.asked)
		}
	})
}

func TestIndexGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeConsul("a", "b", "c")
		_, got, stop := followFake(t, f)
		defer stop()
		f.change(func(f *fakeConsul) { f.index, f.rows = 3, []string{"a", "d"} })
		time.Sleep(5 * time.Second)
		if last, _ := got(); last != "a b c d" {
			t.Fatalf("just after: %q", last)
		}
		time.Sleep(60 * time.Second)
		if last, _ := got(); last != "a d" {
			t.Fatalf("a minute after: %q", last)
		}
	})
}

func TestConfigTakesTheEnvironment(t *testing.T) {
	env := map[string]string{
		"CONSUL_HTTP_ADDR": "https://consul.example.com:8501/proxy", "CONSUL_HTTP_TOKEN": "t", "CONSUL_HTTP_TOKEN_FILE": "/f",
		"CONSUL_HTTP_SSL": "true", "CONSUL_HTTP_SSL_VERIFY": "false", "CONSUL_CACERT": "/ca", "CONSUL_NAMESPACE": "ns",
	}
	cfg, err := Config{}.WithEnv(func(k string) string { return env[k] })
	if err != nil || cfg.TokenFile != "/f" || cfg.Scheme != "https" || !cfg.TLS.Insecure || cfg.TLS.CAFile != "/ca" || cfg.Namespace != "ns" || cfg.Prefix != "sluice/" {
		t.Fatalf("%+v, %v", cfg, err)
	}
	to, err := parseTarget(cfg.Addresses[0], cfg.Scheme)
	if err != nil || to != (target{scheme: "https", host: "consul.example.com:8501", path: "/proxy"}) {
		t.Errorf("%+v, %v", to, err)
	}
	if cfg, err := (Config{Token: "own"}).WithEnv(func(k string) string { return env[k] }); err != nil || cfg.TokenFile != "" {
		t.Errorf("the environment's token file beats the configured token: %+v, %v", cfg, err)
	}
	for _, bad := range []Config{{Prefix: "sluice"}, {Prefix: "/sluice/"}, {Wait: time.Hour}, {TLS: tlsfiles.Config{CertFile: "x"}}} {
		if _, err := bad.WithEnv(func(string) string { return "" }); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
	for _, bad := range []string{"ftp://x", "http://", "https://%"} {
		if _, err := parseTarget(bad, "http"); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}
