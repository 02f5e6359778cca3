package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

// greedy is a regular expression that is small as Go compiles it, and far too large as Envoy does.
const greedy = `/\\p{L}{200}`

// TestEnvoyRefusesARoute has a route in force that passes every check of ours and that no Envoy takes.
func TestEnvoyRefusesARoute(t *testing.T) {
	t.Parallel()
	s := newStack(t, setup{planes: 2, edges: 2})
	s.service("blue")
	s.put("blue.hcl", upstream("blue"))
	var text strings.Builder
	for i := range 99 {
		text.WriteString(route(fmt.Sprintf("good-%d", i), "nack.example.com", fmt.Sprintf("/%d", i), "blue"))
	}
	text.WriteString(`
route "refused" {
  hosts = ["nack.example.com"]
  match { regex = "` + greedy + `" }
  to { upstream = upstream.blue }
}
`)
	s.steady(t, func() {
		s.put("nack.hcl", text.String())
		for _, i := range []int{0, 1, 49, 50, 97, 98} {
			s.serve(t, "nack.example.com", fmt.Sprintf("/%d", i), "blue")
		}
		s.says(t, "nack.hcl", "rejected in part", "Refused by Envoy", "RE2 program size", "route.good-98                  accepted", "nothing is in force")
		for _, p := range s.planes {
			p.waitBlock(t, "route.refused", "rejected", "RE2 program size")
			p.waitBlock(t, "route.good-0", "accepted")
		}
		testenv.Eventually(t, time.Minute, func() error {
			keys, _, err := s.consul.Client().KV().Keys("sluice/quarantine/", "", nil)
			if err == nil && (len(keys) != 1 || !strings.Contains(keys[0], "refused")) {
				err = fmt.Errorf("in quarantine: %v", keys)
			}
			return err
		})
	})
	s.calm(t, "nack.example.com", "/98", func() { // its neighbours go on changing
		s.put("beside.hcl", route("beside", "nack.example.com", "/beside", "blue"))
		s.serve(t, "nack.example.com", "/beside", "blue")
		third := s.addPlane() // knows what others have learnt
		third.waitBlock(t, "route.refused", "rejected", "RE2 program size")
		third.waitServing(t)
		alone := startEdge(t, "edge", "edge-alone", s.port, []string{third.xds})
		alone.serves(t, "nack.example.com", "/98", "blue")
		if n := alone.stats(t, "update_rejected$"); sum(n) > 0 {
			t.Errorf("the new Envoy had to refuse what others have refused: %v", n)
		}
		s.edges = append(s.edges, alone)
		s.put("nack.hcl", strings.Replace(text.String(), greedy, "/[a-z]+", 1))
		s.serve(t, "nack.example.com", "/abc", "blue")
		s.says(t, "nack.hcl", "accepted (")
	})
	t.Run("a good form stays", func(t *testing.T) {
		s.calm(t, "nack.example.com", "/abc", func() {
			s.put("nack.hcl", text.String())
			s.says(t, "nack.hcl", "rejected in part", "Refused by Envoy", "its last good form stays in force")
			s.serve(t, "nack.example.com", "/abc", "blue")
		})
	})
}

func sum(stats map[string]uint64) (n uint64) {
	for _, v := range stats {
		n += v
	}
	return n
}
