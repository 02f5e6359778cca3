package e2e

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/internal/fault"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// systemd is what a service sees of systemd: a socket for notifications, and a watchdog.
type systemd struct {
	socket string

	mu   sync.Mutex
	said []string // assignments in the order of their arrival, but for the watchdog's
	pets int      // how often the watchdog was told
}

func newSystemd(t *testing.T) *systemd {
	t.Helper()
	m := &systemd{socket: filepath.Join(tempDir(t), "notify")}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.socket, Net: "unixgram"})
	if err != nil {
		t.Fatalf("listen for notifications: %v", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 64<<10)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			m.hear(string(buf[:n]))
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return m
}

func (m *systemd) hear(message string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for line := range strings.Lines(message) {
		if line = strings.TrimSpace(line); line == "WATCHDOG=1" {
			m.pets++
		} else if line != "" {
			m.said = append(m.said, line)
		}
	}
}

// environment is what systemd sets for a service with Type=notify and WatchdogSec=.
func (m *systemd) environment(watchdog time.Duration) []string {
	return []string{"NOTIFY_SOCKET=" + m.socket, fmt.Sprintf("WATCHDOG_USEC=%d", watchdog.Microseconds())}
}

// heard is what was said since a mark, and the next mark.
func (m *systemd) heard(mark int) ([]string, int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.said[mark:]), len(m.said)
}

func (m *systemd) mark() int {
	_, n := m.heard(0)
	return n
}

// await returns what was said since a mark once there is an assignment that begins as given.
func (m *systemd) await(t *testing.T, mark int, begins string) (said []string) {
	t.Helper()
	testenv.Eventually(t, time.Minute, func() error {
		said, _ = m.heard(mark)
		if !slices.ContainsFunc(said, func(s string) bool { return strings.HasPrefix(s, begins) }) {
			return fmt.Errorf("systemd was told %q, and not %s", said, begins)
		}
		return nil
	})
	return said
}

func (m *systemd) petted() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pets
}

// awaitPets returns once the watchdog was told a few times more.
func (m *systemd) awaitPets(t *testing.T) {
	t.Helper()
	before := m.petted()
	testenv.Eventually(t, time.Minute, func() error {
		if n := m.petted(); n < before+3 {
			return fmt.Errorf("the watchdog was told %d times more", n-before)
		}
		return nil
	})
}

// reload does what `systemctl reload` does by ExecReload=, and checks what Type=notify-reload goes by.
func (m *systemd) reload(t *testing.T, p *process) {
	t.Helper()
	mark := m.mark()
	if err := syscall.Kill(int(p.Process), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	said := m.await(t, mark, "READY=1")
	begin := slices.Index(said, "RELOADING=1")
	stamp := slices.IndexFunc(said, func(s string) bool { return strings.HasPrefix(s, "MONOTONIC_USEC=") })
	if begin < 0 || stamp < begin || slices.Index(said, "READY=1") < stamp {
		t.Errorf("a reload tells systemd %q", said)
		return
	}
	if n, err := strconv.ParseUint(strings.TrimPrefix(said[stamp], "MONOTONIC_USEC="), 10, 64); err != nil || n == 0 {
		t.Errorf("the reload began at %q", said[stamp])
	}
}

// stop does what `systemctl stop` does.
func (m *systemd) stop(t *testing.T, p *process) {
	t.Helper()
	mark := m.mark()
	if err := p.Terminate(); err != nil {
		t.Fatal(err)
	}
	m.await(t, mark, "STOPPING=1")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := p.exit(ctx); err != nil {
		t.Errorf("%s ended with %v", p.name, err)
	}
}

const watchdog = 3 * time.Second

// TestSystemdControlPlane reloads, restarts, stops and starts the only control plane of an edge that serves clients.
func TestSystemdControlPlane(t *testing.T) {
	t.Parallel()
	s := newStack(t, setup{none: true})
	m := newSystemd(t)
	p := s.makePlane()
	p.env = m.environment(watchdog)
	start := func() {
		mark := m.mark()
		p.start(t)
		m.await(t, mark, "READY=1")
		var status console.Status
		if err := p.get("/v1/status", &status); err != nil || !status.Gate.Open {
			t.Errorf("systemd was told that the service is ready, and its gate is %+v (%v)", status.Gate, err)
		}
	}
	start()
	s.addEdge("edge").serves(t, "steady.example.com", "/", "app")
	m.awaitPets(t)
	s.steady(t, func() {
		m.reload(t, p.process)
		m.stop(t, p.process)
		start()
		m.reload(t, p.process)
		m.stop(t, p.process)
		s.edges[0].serves(t, "steady.example.com", "/", "app")
		start()
		m.awaitPets(t)
	})
	s.put("later.hcl", route("later", "later.example.com", "/", "app"))
	s.serve(t, "later.example.com", "/", "app")
}

// TestSystemdIsToldTheTruth starts a control plane whose Consul does not answer: it is not ready, says what it waits for,
// and survives a reload. A SIGHUP to an edge that waits for it ends nothing either.
func TestSystemdIsToldTheTruth(t *testing.T) {
	t.Parallel()
	s := newStack(t, setup{none: true})
	m, edges := newSystemd(t), newSystemd(t)
	p := s.makePlane()
	p.env = m.environment(watchdog)
	s.consul.Pause()
	p.start(t)
	m.await(t, 0, "STATUS=waiting for ")
	e := startEdgeIn(t, edges.environment(watchdog), "edge", "edge-1", s.port, []string{p.xds})
	edges.await(t, 0, "STATUS=waiting for a control plane")
	for _, pid := range []fault.Process{p.Process, e.Process} {
		if err := syscall.Kill(int(pid), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	testenv.Eventually(t, time.Minute, func() error { return contains(p.out.String(), "reloaded") })
	testenv.Eventually(t, time.Minute, func() error { return contains(e.out.String(), "nothing to reload") })
	for _, heard := range []*systemd{m, edges} {
		if said, _ := heard.heard(0); slices.Contains(said, "READY=1") || slices.Contains(said, "RELOADING=1") || heard.petted() > 0 {
			t.Errorf("nobody is served, and systemd is told %q, and %d times that all is well", said, heard.petted())
		}
	}
	s.consul.Resume()
	m.await(t, 0, "READY=1")
	edges.await(t, 0, "READY=1")
	e.serves(t, "steady.example.com", "/", "app")
}

// TestSystemdReloadIsDoneWhenItSaysSo changes a document on disk and asks once systemd was told that the reload is over. Each
// change takes a block away, which the watch of files believes only when the disk has been quiet for a while.
func TestSystemdReloadIsDoneWhenItSaysSo(t *testing.T) {
	t.Parallel()
	m, dir, ports := newSystemd(t), tempDir(t), testenv.FreePorts(t, 2)
	text := func(status int) string {
		return fmt.Sprintf("route \"r%[1]d\" {\n  hosts = [\"*\"]\n  respond {\n    status = %[1]d\n  }\n}\n", status)
	}
	documents := tempDir(t)
	writeFile(t, documents, "gateway.hcl", "gateway \"edge\" {\n  listener \"http\" {\n    address = \"127.0.0.1\"\n    port    = 1\n  }\n}\n")
	writeFile(t, documents, "r.hcl", text(200))
	p := &plane{dir: dir, xds: fmt.Sprintf("127.0.0.1:%d", ports[0]), api: fmt.Sprintf("127.0.0.1:%d", ports[1]), env: m.environment(watchdog)}
	p.config = writeFile(t, dir, "sluice.hcl", fmt.Sprintf(`
config { path = %q }
http { address = %q }
xds { address = %q }
`, documents, p.api, p.xds))
	p.start(t)
	m.await(t, 0, "READY=1")
	for n := range 5 {
		writeFile(t, documents, "r.hcl", text(400+n))
		m.reload(t, p.process)
		var blocks []console.Block
		if err := p.get("/v1/blocks", &blocks); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("status = %d", 400+n)
		if !slices.ContainsFunc(blocks, func(b console.Block) bool { return b.Kind == "route" && strings.Contains(b.Text, want) }) {
			t.Errorf("the reload is over, and %q is not there: %+v", want, blocks)
		}
	}
	if out, code := tool(t, nil, "server", "-check", "-config", p.config); code != 0 || !strings.Contains(out, "fine") {
		t.Errorf("-check of what runs ends with %d: %s", code, out)
	}
	writeFile(t, dir, "sluice.hcl", "xds { address = \"0.0.0.0:8551\" }\nconfig { path = \"/etc\" }\n")
	if out, code := tool(t, nil, "server", "-check", "-config", p.config); code != 1 || !strings.Contains(out, "not loopback") {
		t.Errorf("-check of an open port ends with %d: %s", code, out)
	}
}

// TestSystemdEdges reloads, restarts and stops the edges, one after the other, behind a balancer that asks for readiness.
func TestSystemdEdges(t *testing.T) {
	t.Parallel()
	s := newStack(t, setup{})
	managers := []*systemd{newSystemd(t), newSystemd(t)}
	var edges [2]atomic.Pointer[edge]
	start := func(i int) {
		mark := managers[i].mark()
		edges[i].Store(startEdgeIn(t, managers[i].environment(watchdog), "edge", fmt.Sprintf("edge-%d", i+1), s.port, []string{s.planes[0].xds}, "-linger", "500ms"))
		managers[i].await(t, mark, "READY=1")
	}
	start(0)
	start(1)
	front := newPin(t, s.port, func() int {
		for i := range edges {
			if e := edges[i].Load(); e != nil {
				if _, err := e.ask("/ready"); err == nil {
					return e.envoy()
				}
			}
		}
		return 0
	})
	load := testenv.Load(t.Context(), t, "http://"+front.addr+"/", testenv.LoadOptions{
		Host: "steady.example.com", Connections: 8, Rate: 200, Timeout: 20 * time.Second,
	})
	load.WaitRequests(t, 200)
	for i := range edges {
		before := edges[i].Load().envoy()
		managers[i].reload(t, edges[i].Load().process)
		if after := edges[i].Load().envoy(); after != before {
			t.Errorf("a reload replaced Envoy %d by %d", before, after)
		}
		managers[i].awaitPets(t)
		managers[i].stop(t, edges[i].Load().process)
		load.WaitRequests(t, 100)
		start(i)
		load.WaitRequests(t, 100)
	}
	managers[0].stop(t, edges[0].Load().process)
	load.WaitRequests(t, 200)
	if r := load.Stop(); r.Failed() > 0 {
		t.Error(r)
	} else {
		t.Logf("%v", r)
	}

	// An Envoy whose main thread hangs is not alive; the parent, which goes on, does not say so either.
	envoy := fault.Process(edges[1].Load().envoy())
	if err := envoy.Freeze(); err != nil {
		t.Fatal(err)
	}
	managers[1].awaitSilence(t, watchdog)
	if err := envoy.Thaw(); err != nil {
		t.Fatal(err)
	}
	managers[1].awaitPets(t)
}

// awaitSilence returns once the watchdog would have bitten.
func (m *systemd) awaitSilence(t *testing.T, within time.Duration) {
	t.Helper()
	last, since := m.petted(), time.Now()
	testenv.Eventually(t, time.Minute, func() error {
		if n := m.petted(); n != last {
			last, since = n, time.Now()
		}
		if time.Since(since) < within {
			return fmt.Errorf("the watchdog was told %v ago", time.Since(since))
		}
		return nil
	})
}
