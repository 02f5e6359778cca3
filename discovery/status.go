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

var errStopped = errors.New("the manager of sources has stopped")

// Snapshot returns the status of all sources, after everything that Want was told before. It waits for Run to be
// started; its error is that ctx ended or Run has returned.
func (m *Manager) Snapshot(ctx context.Context) (Status, error) {
	reply := make(chan Status, 1)
	select {
	case m.asks <- reply:
		return <-reply, nil
	case <-m.stopped:
		return Status{}, errStopped
	case <-ctx.Done():
		return Status{}, ctx.Err()
	}
}

// WaitAnswered returns when Status.Answered is true. Its error is that ctx ended before, or Run returned.
func (m *Manager) WaitAnswered(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case m.waits <- done:
	case <-m.stopped:
		return errStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-m.stopped:
		return errStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *loop) status() Status {
	out := Status{Answered: l.wished && l.open == 0, Known: l.wished}
	for _, k := range slices.SortedFunc(maps.Keys(l.entries), compareKey) {
		e := l.entries[k]
		s := SourceStatus{
			Key: k, State: e.state, Since: e.since, Contact: e.contact, Endpoints: len(e.shown), Stale: e.stale,
			Answered: e.answered, Err: e.err, Restarts: e.restarts, Panics: e.panics,
		}
		if !e.doubted.IsZero() {
			s.Held = len(e.shown) - len(e.held)
		}
		out.Known = out.Known && (e.shown != nil || e.settled)
		out.Sources = append(out.Sources, s)
	}
	return out
}
