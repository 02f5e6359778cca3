package discovery

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// State is how a source is doing.
type State uint8

// A source starts, then works or fails. What it last said is in force in either case.
const (
	Starting State = iota
	OK
	Failing
)

// String is the word that status shows.
func (s State) String() string { return [...]string{"starting", "ok", "failing"}[s] }

// Status is a Manager's sources at one moment.
type Status struct {
	Sources []SourceStatus // by key

	// Answered says that every wanted source has answered itself at least once, those aside that the agent's
	// configuration cannot serve. It is false until the first Want.
	Answered bool
	// Known says that of every wanted source an answer is known, its own or a seed.
	Known bool
}

// SourceStatus is one source at one moment.
type SourceStatus struct {
	Key       gateway.SourceKey
	State     State
	Since     time.Time // when it came into this state
	Contact   time.Time // when the remote last answered; zero: never. Now minus this is its age
	Endpoints int       // in force
	Held      int       // of these: missing from the last answer, which is not believed yet
	Stale     bool      // in force is the seed of an earlier run; it has not answered since
	Answered  bool
	Err       error // of the last failure; nil while it works
	Restarts  int   // failures so far
	Panics    int   // of these: panics
}

// standing is everything that a supervisor runs, at one moment.
type standing[K comparable] struct {
	runs            []account[K] // by key
	answered, known bool         // see Status
}

// account is one of them.
type account[K comparable] struct {
	key                      K
	state                    State
	since, contact           time.Time
	shown, held              int
	stale, answered, waiting bool
	err                      error
	restarts, panics         int
}

var errStopped = errors.New("the manager of sources has stopped")

func (s *supervisor[K, W, E]) snapshot(ctx context.Context) (standing[K], error) {
	reply := make(chan standing[K], 1)
	select {
	case s.asks <- reply:
		return <-reply, nil
	case <-s.stopped:
		return standing[K]{}, errStopped
	case <-ctx.Done():
		return standing[K]{}, ctx.Err()
	}
}

func (s *supervisor[K, W, E]) wait(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case s.waits <- done:
	case <-s.stopped:
		return errStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-s.stopped:
		return errStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *loop[K, W, E]) status() standing[K] {
	out := standing[K]{answered: l.wished && l.unsettled == 0, known: l.wished}
	for _, k := range slices.SortedFunc(maps.Keys(l.entries), l.compare) {
		e := l.entries[k]
		a := account[K]{
			key: k, state: e.state, since: e.since, contact: e.contact, shown: len(e.shown), stale: e.stale,
			answered: e.answered, err: e.err, restarts: e.restarts, panics: e.panics, waiting: e.waiting.Load(),
		}
		if !e.doubted.IsZero() {
			a.held = len(e.shown) - len(e.held)
		}
		out.known = out.known && (e.shown != nil || e.settled)
		out.runs = append(out.runs, a)
	}
	return out
}
