package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// TestReplicasOfTwoReleases has a replica that can serve the first generation of the filter list alone. While it lives,
// and for the hold after, the newer one serves the same listeners; then every listener changes once.
func TestReplicasOfTwoReleases(t *testing.T) {
	t.Parallel()
	const hold = 6 * time.Second
	s := newStack(t, setup{none: true, hold: hold.String(), consul: testenv.ConsulOptions{ACL: true}})
	older, newer := s.makePlane(), s.makePlane()
	older.env = []string{"SLUICE_GENERATION=1"}
	older.start(t)
	older.waitServing(t)
	// The first Envoy connects to the older replica, since that is the only one there is, and the second to the newer.
	s.addEdge("edge").serves(t, "steady.example.com", "/", "app")
	newer.start(t)
	newer.waitServing(t)
	s.edges = append(s.edges, startEdge(t, "edge", "edge-2", s.port, []string{newer.xds}))
	s.edges[1].serves(t, "steady.example.com", "/", "app")
	if home := s.home(t, s.edges[0]); home != older {
		t.Fatal("the first Envoy is not connected to the older replica")
	}
	newer.expectGeneration(t, 1, 2)
	first := s.sameListeners(t, nil)
	s.steady(t, func() {
		if err := older.Terminate(); err != nil {
			t.Fatal(err)
		}
		newer.expectGeneration(t, 1, 1) // it has seen the other leave
		left := time.Now()
		s.sameListeners(t, first)
		newer.expectGeneration(t, translate.Generation, 1)
		if held := time.Since(left); held < hold/2 {
			t.Errorf("the newer generation came %s after the older replica had left, the hold is %s", held, hold)
		}
		for _, e := range s.edges {
			e.waitStat(t, "^listener_manager.listener_modified$")
		}
		newer.waitQuiet(t)
	})
	if second := s.sameListeners(t, nil); slices.Equal(first, second) {
		t.Error("the listeners are still those of the first generation")
	}
	for _, e := range s.edges {
		if n := sum(e.stats(t, "^listener_manager.listener_modified$")); n != 1 {
			t.Errorf("the listeners of %s have changed %d times, want once", e.id, n)
		}
	}
}

// expectGeneration waits until a replica serves a generation and knows of so many replicas that are alive.
func (p *plane) expectGeneration(t testing.TB, inForce, alive int) {
	t.Helper()
	p.waitStatus(t, func(s console.Status) error {
		if s.Filters.InForce != inForce || len(s.Filters.Replicas) != alive {
			return fmt.Errorf("the filters are %+v, want generation %d and %d replicas", s.Filters, inForce, alive)
		}
		return nil
	})
}

// sameListeners demands that all Envoys have the same listeners, and those that are wanted, if any are.
func (s *stack) sameListeners(t testing.TB, want []string) (have []string) {
	t.Helper()
	for i, e := range s.edges {
		got := slices.DeleteFunc(strings.Split(e.config(t), "\ndynamic_"), func(c string) bool {
			return !strings.HasPrefix(strings.TrimPrefix(c, "dynamic_"), "listeners")
		})
		if i == 0 {
			have = got
		}
		if len(got) == 0 || !slices.Equal(got, have) || want != nil && !slices.Equal(got, want) {
			t.Fatalf("%s has the listeners %v, %s has %v, want %v", s.edges[0].id, have, e.id, got, want)
		}
	}
	return have
}
