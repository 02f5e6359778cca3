package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// TestReplicaIsKilled kills the replica that an Envoy is connected to, first one and then the other.
func TestReplicaIsKilled(t *testing.T) {
	t.Parallel()
	s := newStack(t, setup{planes: 2, edges: 2, consul: testenv.ConsulOptions{ACL: true}})
	s.service("blue")
	s.put("blue.hcl", upstream("blue")+route("blue", "blue.example.com", "/", "blue"))
	s.serve(t, "blue.example.com", "/", "blue")
	s.says(t, "blue.hcl", "accepted (")
	for round := range 2 {
		t.Run(fmt.Sprint("round ", round+1), func(t *testing.T) {
			for _, p := range s.planes {
				p.waitServing(t)
				p.waitQuiet(t)
			}
			loser := s.home(t, s.edges[0])
			s.calm(t, "blue.example.com", "/", func() {
				before := updates(t, s.edges...)
				loser.kill()
				for _, e := range s.edges {
					e.waitHome(t, s, loser)
				}
				if now := updates(t, s.edges...); now != before {
					t.Errorf("the Envoys have taken over, before,\n%s and from the other replica\n%s", before, now)
				}
				name, host := fmt.Sprint("round-", round), fmt.Sprintf("round-%d.example.com", round)
				s.put(name+".hcl", route(name, host, "/", "blue"))
				s.serve(t, host, "/", "blue")
				s.says(t, name+".hcl", "accepted (") // the other replica has taken the lock
			})
			loser.start(s.t)
		})
	}
}

// home is the replica that an Envoy is connected to.
func (s *stack) home(t testing.TB, e *edge) (home *plane) {
	t.Helper()
	testenv.Eventually(t, time.Minute, func() error {
		for _, p := range s.planes {
			var nodes []console.Node
			if p.get("/v1/nodes", &nodes) != nil {
				continue // it is dead
			}
			if slices.ContainsFunc(nodes, func(n console.Node) bool { return n.ID == e.id }) {
				home = p
				return nil
			}
		}
		return fmt.Errorf("%s is connected to no replica", e.id)
	})
	return home
}

// waitHome returns once the Envoy is connected to another replica, and has answered all that it was sent.
func (e *edge) waitHome(t testing.TB, s *stack, not *plane) {
	t.Helper()
	if p := s.home(t, e); p == not {
		t.Fatalf("%s is still connected to a replica that is dead", e.id)
	} else {
		p.waitQuiet(t)
	}
}

// TestReplicaStartsWhileADocumentIsBroken demands that a replica without any state of its own serves exactly what one
// does that has seen it all.
func TestReplicaStartsWhileADocumentIsBroken(t *testing.T) {
	t.Parallel()
	s := newStack(t, setup{edges: 2})
	s.service("blue")
	s.service("green")
	s.service("old")
	s.put("colours.hcl", upstream("blue")+upstream("green"))
	s.put("old.hcl", upstream("old"))
	s.put("kept.hcl", route("kept", "kept.example.com", "/", "old"))
	s.put("broken.hcl", route("broken", "broken.example.com", "/", "blue"))
	s.put("worse.hcl", route("worse", "worse.example.com", "/", "blue"))
	s.put("claim.hcl", route("claim", "claim.example.com", "/", "blue"))
	s.consul.Put("sluice/values/share", "30")
	s.put("share.hcl", `
route "share" {
  hosts = ["share.example.com"]
  to {
    upstream = upstream.green
    weight   = kv("share", 10)
  }
}
`)
	for host, from := range map[string]string{"kept": "old", "broken": "blue", "worse": "blue", "claim": "blue", "share": "green"} {
		s.serve(t, host+".example.com", "/", from)
	}
	for _, name := range []string{"kept.hcl", "broken.hcl", "worse.hcl", "claim.hcl", "share.hcl", "old.hcl"} {
		s.says(t, name, "accepted (")
	}
	s.put("broken.hcl", "route \"broken\" {\n  hosts = [\n")
	s.put("worse.hcl", route("worse", "worse.example.com", "/", "nobody")) // and its last good form stays
	s.put("a-rival.hcl", route("rival", "claim.example.com", "/", "green"))
	s.remove("old.hcl")
	s.consul.Put("sluice/values/share", "-1")
	s.says(t, "broken.hcl", "rejected")
	s.says(t, "worse.hcl", "rejected", "nobody")
	s.says(t, "a-rival.hcl", "rejected", "nothing is in force")
	s.says(t, "values/share", "rejected")
	s.planes[0].waitBlock(t, "upstream.old", "retired", "route.kept")
	s.steady(t, func() {
		second := s.addPlane()
		second.waitServing(t)
		fresh := startEdge(t, "edge", "edge-fresh", s.port, []string{second.xds})
		s.edges = append(s.edges, fresh)
		for host, from := range map[string]string{"kept": "old", "broken": "blue", "worse": "blue", "claim": "blue", "share": "green"} {
			fresh.serves(t, host+".example.com", "/", from)
		}
		testenv.Eventually(t, 30*time.Second, func() error {
			one, two := s.planes[0].blocks(t), second.blocks(t)
			if one != two {
				return fmt.Errorf("the first replica has\n%s\nand the second\n%s", one, two)
			}
			return nil
		})
		testenv.Eventually(t, 30*time.Second, func() error {
			if one, two := s.edges[0].config(t), fresh.config(t); one != two {
				return fmt.Errorf("the first Envoy has\n%s\nand the fresh one\n%s", one, two)
			}
			return nil
		})
	})
}

// blocks are all blocks with their states and what is in force of them, as text.
func (p *plane) blocks(t testing.TB) string {
	t.Helper()
	var blocks []console.Block
	if err := p.get("/v1/blocks", &blocks); err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(blocks, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// config is what an Envoy got from control planes, with its versions and without times.
func (e *edge) config(t testing.TB) string {
	t.Helper()
	b, err := e.ask("/config_dump?include_eds")
	if err != nil {
		t.Fatal(err)
	}
	var dump struct {
		Configs []map[string]any `json:"configs"`
	}
	if err := json.Unmarshal(b, &dump); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, c := range dump.Configs {
		for kind, list := range c {
			resources, ok := list.([]any)
			if !ok || !strings.HasPrefix(kind, "dynamic_") {
				continue
			}
			for _, r := range resources {
				text, err := json.MarshalIndent(timeless(r), "", " ")
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, kind+" "+string(text))
			}
		}
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// timeless drops from a dump when things happened.
func timeless(v any) any {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "last_updated")
		for _, inner := range v {
			timeless(inner)
		}
	case []any:
		for _, inner := range v {
			timeless(inner)
		}
	}
	return v
}
