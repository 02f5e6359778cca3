package sourcetest

import (
	"context"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// half demands of answers that end in their middle what failure demands of errors.
func (c contract[E]) half(t *testing.T) {
	source, remote := c.start(t)
	liar, ok := remote.(Breaker)
	if !ok {
		return
	}
	r := c.launch(t, source)
	two := r.next(t, nil)
	liar.Half()
	c.quiet(t, r, two)
	remote.Set(3)
	r = c.revive(t, r, source)
	defer r.stop(t)
	r.reach(t, two, 3)
}

// quickHold is the Hold of guards in the suite.
const quickHold = 300 * time.Millisecond

// empty demands that a remote which says that there is nothing is not believed at once, and is believed in the end where
// it goes on saying so. A source without a guard has a hold of its own, which is longer than Patience.
func (s Suite) empty(t *testing.T) {
	source, remote := s.Start(t)
	liar, ok := remote.(Breaker)
	if !ok {
		return
	}
	shown, stop := s.manage(t, source)
	defer stop()
	s.await(t, shown, 2, s.Patience)
	liar.Empty()
	begin := time.Now()
	if s.Guard == nil {
		select {
		case n := <-shown:
			t.Errorf("%d endpoints after an empty answer", n)
		case <-time.After(s.Patience):
		}
		return
	}
	s.await(t, shown, 0, quickHold+2*s.Patience)
	if passed := time.Since(begin); passed < quickHold {
		t.Errorf("an empty answer was believed after %s", passed)
	}
	remote.Set(3)
	s.await(t, shown, 3, s.Patience)
}

// manage runs a source as the Manager does; shown has the number of endpoints after each change.
func (s Suite) manage(t *testing.T, source discovery.Source) (shown <-chan int, stop func()) {
	counts := make(chan int, 1000)
	key := gateway.SourceKey{Kind: "test"}
	guard := s.Guard
	if guard != nil {
		quick := *guard
		quick.Hold = quickHold
		guard = &quick
	}
	m := discovery.New(discovery.Options{
		Kinds:   []discovery.Kind{{Name: key.Kind, Guard: guard, Open: func(gateway.SourceSpec) (discovery.Source, error) { return source, nil }}},
		Publish: func(all map[gateway.SourceKey][]gateway.Endpoint) { counts <- len(all[key]) },
	})
	m.Want(map[gateway.SourceKey]gateway.SourceSpec{key: spec{key}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	return counts, func() {
		cancel()
		if err := <-done; err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	}
}

type spec struct{ key gateway.SourceKey }

func (s spec) SourceKey() gateway.SourceKey { return s.key }

// await waits until n endpoints are shown.
func (s Suite) await(t *testing.T, shown <-chan int, n int, within time.Duration) {
	t.Helper()
	deadline := time.After(within)
	for got := -1; got != n; {
		select {
		case got = <-shown:
		case <-deadline:
			t.Fatalf("%d endpoints are shown after %s, not %d", got, within, n)
		}
	}
}
