package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/sluice-gateway/sluice/catalog/policies"
	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// TestConsulIsGone takes Consul away in ways that keep its state.
func TestConsulIsGone(t *testing.T) {
	t.Parallel()
	s := newStack(t, setup{edges: 2, hold: "5s", consul: testenv.ConsulOptions{Keep: true}})
	s.service("blue")
	s.put("blue.hcl", upstream("blue")+route("blue", "blue.example.com", "/", "blue"))
	s.serve(t, "blue.example.com", "/", "blue")
	for _, c := range []struct {
		name       string
		take, back func()
	}{
		{"killed", s.consul.Kill, s.consul.Start},
		{"frozen", s.consul.Pause, s.consul.Resume},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.says(t, "base.hcl", "accepted (")
			s.planes[0].waitQuiet(t)
			before := s.planes[0].sent(t)
			s.steady(t, func() {
				c.take()
				s.planes[0].waitWatches(t, "failing")
				s.serve(t, "steady.example.com", "/", "app")
				c.back()
				s.planes[0].waitWatches(t, "ok")
				if after := s.planes[0].sent(t); after != before {
					t.Errorf("the Envoys were sent %s before, and %s after", before, after)
				}
				s.put("after.hcl", route("after", "after.example.com", "/", "blue"))
				s.serve(t, "after.example.com", "/", "blue")
				s.says(t, "after.hcl", "accepted (")
				s.remove("after.hcl")
				s.answer(t, "after.example.com", "/", 404)
			})
		})
	}
}

// TestConsulLosesItsState restarts Consul with nothing in it.
func TestConsulLosesItsState(t *testing.T) {
	t.Parallel()
	s := newStack(t, setup{edges: 2, hold: "15s"})
	kv := s.consul.Client().KV()
	s.put("team/x.hcl", route("x", "x.example.com", "/", "app"))
	s.serve(t, "x.example.com", "/", "app")
	for range 20 { // so that the index goes back
		s.consul.Put("elsewhere", "x")
	}
	documents, _, err := kv.List("sluice/routes/", nil)
	if err != nil {
		t.Fatal(err)
	}
	s.planes[0].waitQuiet(t)
	before := s.planes[0].sent(t)
	s.steady(t, func() {
		s.consul.Restart()
		s.planes[0].waitHeld(t, len(documents))
		s.serve(t, "x.example.com", "/", "app")
		s.register("app", s.app, api.HealthPassing) // its agents would
		for _, d := range documents {
			s.consul.Put(d.Key, string(d.Value))
		}
		s.planes[0].waitHeld(t, 0)
		s.says(t, "team/x.hcl", "accepted (")
		if after := s.planes[0].sent(t); after != before {
			t.Errorf("the Envoys were sent %s before, and %s after", before, after)
		}
	})
	t.Run("for good", func(t *testing.T) {
		s.steady(t, func() {
			s.consul.Restart()
			s.planes[0].waitHeld(t, len(documents))
			s.register("app", s.app, api.HealthPassing)
			s.put("base.hcl", s.base()) // the folder stays lost
			s.serve(t, "x.example.com", "/", "app")
			s.answer(t, "x.example.com", "/", 404)
			s.put("team/x.hcl", route("x", "x.example.com", "/", "app"))
			s.serve(t, "x.example.com", "/", "app")
		})
	})
}

// TestConsulDenies revokes the replica's token, and takes rights away in silence.
func TestConsulDenies(t *testing.T) {
	t.Parallel()
	s := newStack(t, setup{edges: 2, hold: "2s", consul: testenv.ConsulOptions{ACL: true}})
	s.service("blue")
	s.put("team/x.hcl", upstream("blue")+route("x", "x.example.com", "/", "blue"))
	s.put("team/w.hcl", route("w", "w.example.com", "/", "blue"))
	s.serve(t, "x.example.com", "/", "blue")
	s.serve(t, "w.example.com", "/", "blue")
	s.says(t, "team/x.hcl", "accepted (")
	s.says(t, "team/w.hcl", "accepted (")
	s.planes[0].waitQuiet(t)
	full := policies.Reader("sluice/") + policies.Writer("sluice/")
	before := s.planes[0].sent(t)
	unchanged := func(t *testing.T) {
		t.Helper()
		if after := s.planes[0].sent(t); after != before {
			t.Errorf("the Envoys were sent %s before, and %s after", before, after)
		}
	}
	t.Run("rows are filtered", func(t *testing.T) {
		s.calm(t, "x.example.com", "/", func() {
			s.consul.UpdatePolicy(s.policy, strings.Replace(full, `key_prefix "sluice/" {`, `key_prefix "sluice/routes/team/w" {`, 1))
			n := 0
			s.planes[0].waitStatus(t, func(st console.Status) error { // a change wakes a query, a policy does not
				n++
				s.put("team/z.hcl", fmt.Sprintf("# %d\n", n))
				return anyWatch(st, "filtered")
			})
			past(t, 5*time.Second) // longer than the hold
			unchanged(t)
			s.consul.UpdatePolicy(s.policy, full)
			s.put("team/z.hcl", "# written when everything may be read\n")
			s.says(t, "team/z.hcl", "accepted (")
			s.planes[0].waitWatches(t, "ok")
			unchanged(t)
		})
	})
	t.Run("the token is revoked", func(t *testing.T) {
		s.calm(t, "x.example.com", "/", func() {
			s.consul.DeleteToken(s.token)
			s.planes[0].waitWatches(t, "failing")
			s.planes[0].waitStatus(t, func(st console.Status) error {
				for _, w := range st.Watches {
					if contains(w.Detail, "the token is unknown", "key_prefix \"sluice/") == nil {
						return nil
					}
				}
				return fmt.Errorf("no watch says what it needs: %+v", st.Watches)
			})
			unchanged(t)
			s.token = s.consul.CreateToken(full)
			writeFile(t, s.planes[0].dir, "token", s.token)
			s.planes[0].waitWatches(t, "ok")
			unchanged(t)
			s.put("team/y.hcl", route("y", "y.example.com", "/", "blue"))
			s.serve(t, "y.example.com", "/", "blue")
			s.says(t, "team/y.hcl", "accepted (")
		})
	})
}

// waitWatches returns once watches are in a state: all for "ok", any for another.
func (p *plane) waitWatches(t testing.TB, state string) {
	t.Helper()
	p.waitStatus(t, func(st console.Status) error {
		if state == "ok" {
			return allWatches(st)
		}
		return anyWatch(st, state)
	})
}

func anyWatch(st console.Status, state string) error {
	for _, w := range st.Watches {
		if w.State == state {
			return nil
		}
	}
	return fmt.Errorf("no watch is %s: %+v", state, st.Watches)
}

func allWatches(st console.Status) error {
	for _, w := range st.Watches {
		if w.State != "ok" && w.State != "absent" {
			return fmt.Errorf("%s is %s: %s %s", w.Name, w.State, w.Error, w.Detail)
		}
	}
	if len(st.Watches) == 0 {
		return errors.New("there are no watches")
	}
	return nil
}

// past returns when a time has gone by in which something must not happen.
func past(t testing.TB, d time.Duration) {
	t.Helper()
	start := time.Now()
	testenv.Eventually(t, d+time.Minute, func() error {
		if gone := time.Since(start); gone < d {
			return fmt.Errorf("only %s have gone by", gone)
		}
		return nil
	})
}
