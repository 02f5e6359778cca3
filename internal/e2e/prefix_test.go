package e2e

import (
	"fmt"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/sluice-gateway/sluice/console"
)

// deletedFolder deletes all documents of a folder: served while it is held, gone when it is confirmed.
func deletedFolder(t *testing.T, s *stack) {
	s.put("team/a.hcl", route("team-a", "team.example.com", "/a", "blue"))
	s.put("team/b.hcl", route("team-b", "team.example.com", "/b", "green"))
	s.serve(t, "team.example.com", "/a", "blue")
	s.serve(t, "team.example.com", "/b", "green")
	s.calm(t, "team.example.com", "/a", func() {
		s.consul.Delete("sluice/routes/team/b.hcl") // one of several: at once
		s.answer(t, "team.example.com", "/b", 404)
	})
	s.steady(t, func() {
		s.consul.Delete("sluice/routes/team/")
		s.planes[0].waitHeld(t, 1)
		s.serve(t, "team.example.com", "/a", "blue")
		s.answer(t, "team.example.com", "/a", 404)
		s.silent(t, "team/a.hcl")
	})
}

// prefixPutBack deletes everything that sluice has in Consul and puts back what an operator would.
func prefixPutBack(t *testing.T, s *stack) {
	kv := s.consul.Client().KV()
	documents, _, err := kv.List("sluice/routes/", nil)
	if err != nil {
		t.Fatal(err)
	}
	s.says(t, "base.hcl", "accepted (")
	s.planes[0].waitQuiet(t)
	before := s.planes[0].sent(t)
	s.steady(t, func() {
		s.consul.Delete("sluice/")
		s.planes[0].waitHeld(t, len(documents))
		s.serve(t, "steady.example.com", "/", "app")
		for _, d := range documents {
			if _, err := kv.Put(&api.KVPair{Key: d.Key, Value: d.Value}, nil); err != nil {
				t.Fatal(err)
			}
		}
		s.planes[0].waitHeld(t, 0)
		s.says(t, "base.hcl", "accepted (") // the writer has the lock again
	})
	if after := s.planes[0].sent(t); after != before {
		t.Errorf("the Envoys were sent %s before, and %s after all was put back", before, after)
	}
}

// waitHeld returns once as many documents are missing and still served; 0: once none is.
func (p *plane) waitHeld(t testing.TB, documents int) {
	t.Helper()
	p.waitStatus(t, func(st console.Status) error {
		held := map[string]bool{}
		for _, w := range st.Watches {
			for _, row := range w.Held {
				held[row] = true
			}
		}
		if documents == 0 && len(held) > 0 || len(held) < documents {
			return fmt.Errorf("held: %v", held)
		}
		return nil
	})
}

// waitQuiet returns once every Envoy has acknowledged everything.
func (p *plane) waitQuiet(t testing.TB) {
	t.Helper()
	p.waitStatus(t, func(st console.Status) error {
		if st.Blocks["pending"] > 0 {
			return fmt.Errorf("blocks: %v", st.Blocks)
		}
		for _, n := range st.Nodes {
			if n.Behind > 0 {
				return fmt.Errorf("%d Envoys of %s are behind", n.Behind, n.Gateway)
			}
		}
		return nil
	})
}

// sent is what each Envoy was sent of each kind, as text.
func (p *plane) sent(t testing.TB) string {
	t.Helper()
	return p.sentTo(t, "")
}

// sentTo is what one Envoy was sent.
func (p *plane) sentTo(t testing.TB, id string) string {
	t.Helper()
	var nodes []console.Node
	if err := p.get("/v1/nodes", &nodes); err != nil {
		t.Fatal(err)
	}
	out := map[string]uint64{}
	for _, n := range nodes {
		if id != "" && n.ID != id {
			continue
		}
		for kind, c := range n.Types {
			out[n.ID+" "+kind] = c.Sent
		}
	}
	return fmt.Sprint(out)
}
