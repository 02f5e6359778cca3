// Package sourcetest is the suite that every source and every finder passes: the contracts of discovery.Source and of
// discovery.Finder as tests.
package sourcetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// Remote is the system behind a source, as a test drives it. It can fail and hang, not just answer.
type Remote interface {
	// Set makes the remote answer with n endpoints (of a finder: functions) from now on; those of a smaller n are among
	// those of a larger one.
	Set(n int)
	// Fail makes every question an error until the next Set.
	Fail()
	// Hang leaves every question unanswered until the next Set; connections stay open.
	Hang()
}

// Breaker is a Remote that can also lie. A Remote that is one is tested for it.
type Breaker interface {
	// Half makes every answer end in its middle until the next Set.
	Half()
	// Empty makes the remote answer, without an error, that there is nothing, until the next Set.
	Empty()
}

// Suite describes one source to the tests.
type Suite struct {
	// Start returns a source whose remote answers with two endpoints. What it starts ends with t's cleanup.
	Start func(t *testing.T) (discovery.Source, Remote)
	// Patience bounds each wait for what the source has to do by itself: several of its intervals and deadlines.
	Patience time.Duration
	// Secrets are canaries that the source is configured with. None may be in an endpoint or an error.
	Secrets []string
	// Guard is that of the source's kind; nil where the source doubts an empty answer itself. It is used with a shorter
	// Hold.
	Guard *discovery.Guard
}

// Run runs the suite. A source that never changes has a nil Remote: then only what holds for it is tested.
func Run(t *testing.T, s Suite) {
	leaks := goleak.IgnoreCurrent()
	c := contract[gateway.Endpoint]{
		patience: s.Patience, secrets: s.Secrets,
		start: func(t *testing.T) (runner[gateway.Endpoint], Remote) { return s.Start(t) },
		alike: func(a, b []gateway.Endpoint) bool {
			byID := cmpopts.SortSlices(func(x, y gateway.Endpoint) bool { return x.ID < y.ID })
			return cmp.Equal(a, b, byID, cmpopts.EquateEmpty())
		},
		check: checkEndpoints,
		words: "endpoints",
	}
	c.run(t)
	t.Run("half an answer calls nothing", c.half)
	t.Run("an empty answer is not yet a removal", s.empty)
	if err := goleak.Find(leaks); err != nil {
		t.Error(err)
	}
}

func checkEndpoints(endpoints []gateway.Endpoint) []string {
	var faults []string
	seen := map[string]bool{}
	for _, e := range endpoints {
		if e.ID == "" || seen[e.ID] {
			faults = append(faults, fmt.Sprintf("the ID %q is empty or there twice", e.ID))
		}
		seen[e.ID] = true
		if e.Address == "" || e.Port == 0 {
			faults = append(faults, fmt.Sprintf("no address or port: %+v", e))
		}
	}
	return faults
}
