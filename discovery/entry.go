package discovery

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"
)

// entry is what a supervisor knows of one thing that it runs. Only the loop touches it, but for key, wanted, cancel
// and waiting.
type entry[K comparable, W, E any] struct {
	key     K
	wanted  W
	cancel  context.CancelFunc
	guard   *Guard
	waiting *atomic.Bool // it waits for something to ask; not a failure

	good  []E // the last answer that was believed; nil: none yet
	held  []E // a later one that is doubted; only where doubted is not zero
	shown []E // what was published; nil: nothing

	doubted  time.Time // since when held is doubted
	state    State
	since    time.Time // of the state
	contact  time.Time // of the last answer; zero: none
	err      error     // of the last failure; nil while it works
	stale    bool      // shown comes from a seed
	answered bool
	settled  bool // answered, or will never answer as it is configured
	restarts int
	panics   int
}

// event is one word of a supervised goroutine to the loop.
type event[K comparable, W, E any] struct {
	from     *entry[K, W, E]
	elements []E   // with kind eventUpdate
	err      error // with kind eventFailed and eventRefused
	kind     eventKind
}

type eventKind uint8

const (
	eventUpdate eventKind = iota + 1
	eventAlive
	eventFailed  // Run returned
	eventRefused // it cannot be made
)

// take brings one event into the state. What a source says after it was dropped does not count.
func (l *loop[K, W, E]) take(ev event[K, W, E]) {
	e := ev.from
	if l.entries[e.key] != e {
		return
	}
	now := time.Now()
	switch ev.kind {
	case eventUpdate:
		l.works(e, now)
		l.settle(e)
		e.answered, e.stale = true, false
		if l.intern != nil {
			ev.elements = l.intern(e.shown, ev.elements)
		}
		l.judge(e, ev.elements, now)
	case eventAlive:
		l.works(e, now)
		if !e.doubted.IsZero() {
			l.judge(e, e.held, now)
		}
	case eventFailed, eventRefused:
		e.restarts++
		if p := (*panicError)(nil); errors.As(ev.err, &p) {
			e.panics++
		}
		if ev.kind == eventRefused {
			l.settle(e)
		}
		if e.state != Failing {
			e.state, e.since = Failing, now
			l.log.Warn("a source fails; its last answer stays in force", "source", e.key, "error", ev.err)
		}
		e.err = ev.err
	}
}

func (l *loop[K, W, E]) works(e *entry[K, W, E], now time.Time) {
	e.contact = now
	if e.state == OK {
		return
	}
	if e.state == Failing {
		l.log.Info("a source works again", "source", e.key)
	}
	e.state, e.since, e.err = OK, now, nil
}

func (l *loop[K, W, E]) settle(e *entry[K, W, E]) {
	if !e.settled {
		e.settled = true
		l.unsettled--
	}
}

// show publishes what differs from what was published before.
func (l *loop[K, W, E]) show(e *entry[K, W, E], elements []E) {
	if e.shown != nil && slices.EqualFunc(e.shown, elements, l.equal) {
		return
	}
	e.shown = elements
	l.pending[e.key] = elements
}
