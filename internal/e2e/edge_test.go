package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

// edge is an Envoy of a gateway: sluice envoy run.
type edge struct {
	*process
	id    string // of its node
	addr  string // where this Envoy, and no other, is reached
	admin *http.Client
}

// addEdge starts an Envoy of a gateway that knows all replicas there are; flags are added to its command line.
func (s *stack) addEdge(gateway string, flags ...string) *edge {
	s.t.Helper()
	var xds []string
	for _, p := range s.planes {
		xds = append(xds, p.xds)
	}
	e := startEdge(s.t, gateway, fmt.Sprintf("%s-%d", gateway, len(s.edges)+1), s.port, xds, flags...)
	s.edges = append(s.edges, e)
	return e
}

func startEdge(t testing.TB, gateway, id string, port int, xds []string, flags ...string) *edge {
	t.Helper()
	return startEdgeIn(t, nil, gateway, id, port, xds, flags...)
}

// startEdgeIn is startEdge with something in its environment.
func startEdgeIn(t testing.TB, env []string, gateway, id string, port int, xds []string, flags ...string) *edge {
	t.Helper()
	socket := tempDir(t) + "/admin"
	e := &edge{id: id, admin: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}}
	args := append([]string{
		"envoy", "run", "-gateway", gateway, "-xds", strings.Join(xds, ","), "-node-id", id, "-admin", "unix:" + socket,
		"-concurrency", "1", "-envoy-path", testenv.EnvoyPath(t),
	}, flags...)
	e.process = spawn(t, "sluice envoy run "+id, env, args...)
	e.addr = newPin(t, port, e.envoy).addr
	return e
}

// envoy is the process number of the Envoy itself; 0 while there is none.
func (e *edge) envoy() int { return childOf(int(e.Process)) }

// ask asks Envoy's admin interface for a path.
func (e *edge) ask(path string) ([]byte, error) {
	resp, err := e.admin.Get("http://admin" + path)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the admin of %s answers %s with %s: %.200s", e.id, path, resp.Status, b)
	}
	return b, err
}

// stats are the counters and gauges whose names match an expression.
func (e *edge) stats(t testing.TB, filter string) map[string]uint64 {
	t.Helper()
	b, err := e.ask("/stats?filter=" + url.QueryEscape(filter))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]uint64{}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		var n uint64
		if _, err := fmt.Sscan(value, &n); err == nil {
			out[name] = n
		}
	}
	return out
}

// fresh opens a connection for each request, and takes a redirect for an answer.
var fresh = &http.Client{
	Timeout:       10 * time.Second,
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// request sends one request; from is the upstream that answered, or the body of what none did.
func request(addr, host, path string) (status int, from string, err error) {
	req, err := http.NewRequest(http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return 0, "", err
	}
	req.Host = host
	resp, err := fresh.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, "", err
	}
	var echo testenv.Echo
	if json.Unmarshal(b, &echo) == nil && echo.Upstream != "" {
		return resp.StatusCode, echo.Upstream, nil
	}
	return resp.StatusCode, string(b), nil
}

// serves waits until the Envoy answers a path of a host from an upstream.
func (e *edge) serves(t testing.TB, host, path, upstream string) {
	t.Helper()
	testenv.Eventually(t, time.Minute, func() error {
		status, from, err := request(e.addr, host, path)
		if err == nil && (status != http.StatusOK || from != upstream) {
			err = fmt.Errorf("%s answers %s%s with %d from %q, want %s", e.id, host, path, status, from, upstream)
		}
		return err
	})
}

// answers waits until the Envoy answers a path of a host with a status.
func (e *edge) answers(t testing.TB, host, path string, want int) {
	t.Helper()
	testenv.Eventually(t, time.Minute, func() error {
		status, from, err := request(e.addr, host, path)
		if err == nil && status != want {
			err = fmt.Errorf("%s answers %s%s with %d from %q, want %d", e.id, host, path, status, from, want)
		}
		return err
	})
}

// serve waits until every Envoy serves.
func (s *stack) serve(t testing.TB, host, path, upstream string) {
	t.Helper()
	for _, e := range s.edges {
		e.serves(t, host, path, upstream)
	}
}

// answer waits until every Envoy answers with a status.
func (s *stack) answer(t testing.TB, host, path string, want int) {
	t.Helper()
	for _, e := range s.edges {
		e.answers(t, host, path, want)
	}
}

// calm does something to a stack while clients call a path of a host on every Envoy, one request at a time on each of
// their connections and without ever repeating one. Every answer must be as wanted, 200 if nothing is said, up to a while
// after.
func (s *stack) calm(t testing.TB, host, path string, do func(), want ...int) {
	t.Helper()
	var loads []*testenv.Loader
	for _, e := range s.edges {
		loads = append(loads, testenv.Load(t.Context(), t, "http://"+e.addr+path, testenv.LoadOptions{
			Host: host, Connections: 2, Rate: 100, Timeout: 20 * time.Second, Check: check(want),
		}))
	}
	for _, l := range loads {
		l.WaitRequests(t, 20)
	}
	do()
	for i, l := range loads {
		l.WaitRequests(t, 100)
		if r := l.Stop(); r.Failed() > 0 {
			t.Errorf("%s: %s", s.edges[i].id, r)
		}
	}
}

// check judges answers by their status; nil stands for 200.
func check(want []int) func(*http.Response, []byte) error {
	if len(want) == 0 {
		return nil
	}
	return func(r *http.Response, body []byte) error {
		if !slices.Contains(want, r.StatusCode) {
			return fmt.Errorf("answered %s: %.200s", r.Status, body)
		}
		return nil
	}
}

// steady is calm on the route that nothing is done to.
func (s *stack) steady(t testing.TB, do func()) {
	t.Helper()
	s.calm(t, "steady.example.com", "/", do)
}

// waitStat returns once one of the counters and gauges whose names match is not 0.
func (e *edge) waitStat(t testing.TB, filter string) {
	t.Helper()
	testenv.Eventually(t, time.Minute, func() error {
		if _, err := e.ask("/ready"); err != nil && !strings.Contains(err.Error(), "answers /ready") {
			return err // its admin interface is not there yet
		}
		if n := e.stats(t, filter); sum(n) == 0 {
			return fmt.Errorf("%s has %v", e.id, n)
		}
		return nil
	})
}
