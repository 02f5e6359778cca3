package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// TestServerDiesWhileConsulIsDown kills the only replica when Consul is gone already. It comes back on what it has on
// disk: it leaves the Envoys alone that have everything, and serves one that has nothing.
func TestServerDiesWhileConsulIsDown(t *testing.T) {
	t.Parallel()
	s := newStack(t, setup{edges: 2, consul: testenv.ConsulOptions{Keep: true}})
	s.service("blue")
	s.put("team/x.hcl", upstream("blue")+`
locals {
  share = kv("share", 0)
}

route "x" {
  hosts = ["x.example.com"]
  to {
    upstream = upstream.blue
    weight   = local.share
  }
  to {
    upstream = upstream.app
    weight   = 100 - local.share
  }
}
`)
	s.consul.Put("sluice/values/share", "100")
	s.serve(t, "x.example.com", "/", "blue")
	s.put("team/x2.hcl", "route {{{") // what is on disk holds more than what parses
	s.says(t, "team/x2.hcl", "rejected")
	s.says(t, "team/x.hcl", "accepted (")
	p := s.planes[0]
	p.waitKept(t, "x.example.com", "\"100\"")
	s.calm(t, "x.example.com", "/", func() {
		before := updates(t, s.edges...)
		old := s.edges
		s.consul.Kill()
		p.kill()
		s.serve(t, "x.example.com", "/", "blue")
		p.start(t)
		p.waitServing(t)
		third := s.addEdge("edge")
		third.serves(t, "x.example.com", "/", "blue")
		third.serves(t, "steady.example.com", "/", "app")
		if now := updates(t, old...); now != before {
			t.Errorf("the Envoys have taken over, before,\n%s and after\n%s", before, now)
		}
		s.consul.Start()
		p.waitStatus(t, func(st console.Status) error {
			if len(st.Nodes) != 1 || st.Nodes[0].Connected != 3 {
				return fmt.Errorf("connected: %+v", st.Nodes)
			}
			return nil
		})
		if now := updates(t, old...); now != before {
			t.Errorf("the Envoys have taken over, before,\n%s and when all was back\n%s", before, now)
		}
		s.put("team/y.hcl", route("y", "y.example.com", "/", "blue"))
		s.serve(t, "y.example.com", "/", "blue")
	})
}

// TestEnvoyBeforeAnyServer starts Envoys when there is nobody to tell them anything.
func TestEnvoyBeforeAnyServer(t *testing.T) {
	t.Parallel()
	s := newStack(t, setup{none: true})
	p := s.makePlane()
	s.addEdge("edge")
	s.addEdge("edge")
	for _, e := range s.edges {
		testenv.Eventually(t, time.Minute, func() error { _, err := e.ask("/server_info"); return err })
	}
	s.consul.Kill()
	p.start(t)
	testenv.Eventually(t, time.Minute, func() error { var st console.Status; return p.get("/v1/status", &st) })
	if st := p.status(t); st.Gate.Open {
		t.Error("Envoys are let in by a replica that knows nothing")
	}
	s.consul.Start() // with an empty state
	s.register("app", s.app, "passing")
	s.put("base.hcl", s.base())
	s.steadyAfter(t)
}

// steadyAfter waits until every Envoy serves the steady route, and demands that it stays so.
func (s *stack) steadyAfter(t *testing.T) {
	t.Helper()
	s.serve(t, "steady.example.com", "/", "app")
	s.steady(t, func() {})
}

// updates is what Envoys have taken over from control planes so far.
func updates(t testing.TB, edges ...*edge) string {
	t.Helper()
	var out strings.Builder
	for _, e := range edges {
		fmt.Fprintln(&out, e.id, e.stats(t, `update_success$|listener_(added|modified|removed)$|cluster_(added|modified|removed)$|config_reload$`))
	}
	return out.String()
}

// waitKept returns once the replica has written on disk what it serves: the texts are in it.
func (p *plane) waitKept(t testing.TB, texts ...string) {
	t.Helper()
	p.waitQuiet(t)
	testenv.Eventually(t, time.Minute, func() error {
		b, err := os.ReadFile(p.dir + "/state/last-good.json")
		if err != nil {
			return err
		}
		return contains(string(b), texts...)
	})
}
