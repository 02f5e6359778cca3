package discovery

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
)

// runner is what is supervised: a Source, whose elements are endpoints, or a Finder, whose elements are functions.
type runner[E any] interface {
	Run(ctx context.Context, update func([]E), alive func()) error
}

// family is all that sets sources and finders apart: K is the key, W what is wanted under it, E an element of its answer.
type family[K comparable, W, E any] struct {
	open    func(key K, wanted W, waiting *atomic.Bool) (runner[E], error) // what it makes says when it waits for the world
	guard   func(key K) *Guard
	compare func(a, b K) int
	arrange func([]E) []E  // a copy, sorted by id without doubles; never nil
	id      func(E) string // of elements that are arranged
	equal   func(a, b E) bool
	renewed func(before, now W) bool  // what is wanted under a key is to be made anew; nil: never
	intern  func(before, now []E) []E // now, with the elements of before where they are equal; nil: no need
	publish func(map[K][]E)

	burst                    int           // how many start at once
	pace                     time.Duration // between the starts of the further ones
	firstRetry, longestRetry time.Duration // the back-off, before jitter of half of itself

	things string       // what the elements are called in a log
	log    hclog.Logger // nil logs nothing
}

// supervisor runs what is wanted, keeps its last good answers and publishes what changes. See Manager.
type supervisor[K comparable, W, E any] struct {
	family[K, W, E]
	started atomic.Bool
	stopped chan struct{} // closed when run has returned

	seeds  chan map[K][]E // holds at most one; sums up
	wants  chan map[K]W   // holds at most one: the latest
	events chan event[K, W, E]
	asks   chan chan<- standing[K]
	waits  chan chan<- struct{}
}

func newSupervisor[K comparable, W, E any](f family[K, W, E]) *supervisor[K, W, E] {
	if f.log == nil {
		f.log = hclog.NewNullLogger()
	}
	return &supervisor[K, W, E]{
		family: f, stopped: make(chan struct{}),
		seeds:  make(chan map[K][]E, 1),
		wants:  make(chan map[K]W, 1),
		events: make(chan event[K, W, E]),
		asks:   make(chan chan<- standing[K]),
		waits:  make(chan chan<- struct{}),
	}
}

// want takes ownership of its argument.
func (s *supervisor[K, W, E]) want(wanted map[K]W) {
	for {
		select {
		case s.wants <- wanted:
			return
		default:
		}
		select {
		case <-s.wants: // an older wish that nobody has read
		default:
		}
	}
}

// seed takes ownership of its argument.
func (s *supervisor[K, W, E]) seed(last map[K][]E) {
	if last == nil {
		return
	}
	for {
		select {
		case s.seeds <- last:
			return
		default:
		}
		select {
		case earlier := <-s.seeds:
			maps.Copy(earlier, last)
			last = earlier
		default:
		}
	}
}

func (s *supervisor[K, W, E]) run(ctx context.Context) error {
	if !s.started.CompareAndSwap(false, true) {
		return errors.New("run sources: the manager has run before")
	}
	defer close(s.stopped)
	ctx, cancel := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer cancel()

	publish := make(chan map[K][]E)
	tasks.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case changed := <-publish:
				s.publish(changed)
			}
		}
	})
	l := &loop[K, W, E]{
		supervisor: s, ctx: ctx, tasks: &tasks,
		seeded:  make(map[K][]E),
		entries: make(map[K]*entry[K, W, E]),
		pending: make(map[K][]E),
		doubt:   time.NewTimer(time.Hour),
	}
	l.doubt.Stop()
	defer l.doubt.Stop()
	l.turn(publish)
	return nil
}

// loop is the state of a running supervisor. Only the goroutine of its run touches it.
type loop[K comparable, W, E any] struct {
	*supervisor[K, W, E]
	ctx       context.Context // of this run; what it runs ends with it
	tasks     *sync.WaitGroup
	seeded    map[K][]E // not wanted yet
	entries   map[K]*entry[K, W, E]
	pending   map[K][]E // to be published
	waiters   []chan<- struct{}
	wished    bool // want has been called
	unsettled int  // entries
	doubt     *time.Timer
	nextAt    time.Time // when doubt fires; zero: it does not
}

func (l *loop[K, W, E]) turn(publish chan<- map[K][]E) {
	for {
		var out chan<- map[K][]E
		if len(l.pending) > 0 {
			out = publish
		}
		select {
		case <-l.ctx.Done():
			return
		case s := <-l.seeds:
			maps.Copy(l.seeded, s)
		case w := <-l.wants:
			l.adopt(w)
		case ev := <-l.events:
			l.take(ev)
		case out <- l.pending:
			l.pending = make(map[K][]E)
		case <-l.doubt.C:
			l.nextAt = time.Time{}
			l.review(time.Now())
		case reply := <-l.asks:
			l.catchUp()
			reply <- l.status()
		case w := <-l.waits:
			l.catchUp()
			l.waiters = append(l.waiters, w)
		}
		l.release()
	}
}

// catchUp reads a wish that came before a question, so that the answer is about it.
func (l *loop[K, W, E]) catchUp() {
	select {
	case w := <-l.wants:
		l.adopt(w)
	default:
	}
}

func (l *loop[K, W, E]) adopt(wanted map[K]W) {
	select {
	case s := <-l.seeds:
		maps.Copy(l.seeded, s)
	default:
	}
	l.wished = true
	for k, e := range l.entries {
		if _, stays := wanted[k]; stays {
			continue
		}
		e.cancel()
		delete(l.entries, k)
		if !e.settled {
			l.unsettled--
		}
		if e.shown != nil {
			l.pending[k] = nil
		}
	}
	starts := 0
	for _, k := range slices.SortedFunc(maps.Keys(wanted), l.compare) {
		if e := l.entries[k]; e != nil {
			if l.renewed != nil && l.renewed(e.wanted, wanted[k]) {
				l.renew(e, wanted[k])
			}
			continue
		}
		var after time.Duration
		if starts++; starts > l.burst {
			after = time.Duration(starts-l.burst) * l.pace
		}
		l.start(k, wanted[k], after)
	}
}

func (l *loop[K, W, E]) start(k K, wanted W, after time.Duration) {
	ctx, cancel := context.WithCancel(l.ctx)
	e := &entry[K, W, E]{key: k, wanted: wanted, cancel: cancel, waiting: new(atomic.Bool), guard: l.guard(k), since: time.Now()}
	if last, ok := l.seeded[k]; ok {
		delete(l.seeded, k)
		e.good = l.arrange(last)
		e.shown, e.stale = e.good, true
		l.pending[k] = e.shown
	}
	l.entries[k] = e
	l.unsettled++
	l.tasks.Go(func() { l.supervise(ctx, e, wanted, after) })
}

// renew runs what is wanted now instead of what was, and keeps all that is known.
func (l *loop[K, W, E]) renew(e *entry[K, W, E], wanted W) {
	e.cancel()
	ctx, cancel := context.WithCancel(l.ctx)
	next := *e // what the old one still says does not count
	next.wanted, next.cancel, next.waiting = wanted, cancel, new(atomic.Bool)
	l.entries[e.key] = &next
	l.tasks.Go(func() { l.supervise(ctx, &next, wanted, 0) })
}

// release tells those who wait that everything that is wanted has settled.
func (l *loop[K, W, E]) release() {
	if !l.wished || l.unsettled > 0 {
		return
	}
	for _, w := range l.waiters {
		close(w)
	}
	l.waiters = nil
}
