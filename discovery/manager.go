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

	"github.com/sluice-gateway/sluice/gateway"
)

// Options are what a Manager needs. The zero value of each but Publish is usable.
type Options struct {
	Kinds []Kind // by their names, which are the kinds of source keys

	// Publish takes what changed since its last call: the whole answer of each key. An empty slice is an answer
	// without endpoints; nil says that nobody wants the key any more and its endpoints are forgotten. It is called
	// from one goroutine, one call at a time; changes that come during a call gather for the next. Slices are
	// sorted, never changed afterwards, and may be kept.
	Publish func(map[gateway.SourceKey][]gateway.Endpoint)

	// Burst is how many sources start at once; the further ones of one Want follow a Pace apart. Defaults: 64, 200 µs.
	Burst int
	Pace  time.Duration

	Log hclog.Logger // nil logs nothing
}

// Manager runs the sources that are wanted. All methods are safe for concurrent use.
type Manager struct {
	opts    Options
	kinds   map[string]Kind
	log     hclog.Logger
	started atomic.Bool
	stopped chan struct{} // closed when Run has returned

	seeds  chan map[gateway.SourceKey][]gateway.Endpoint // holds at most one; sums up
	wants  chan map[gateway.SourceKey]gateway.SourceSpec // holds at most one: the latest
	events chan event
	asks   chan chan<- Status
	waits  chan chan<- struct{}
}

// New returns a Manager that does nothing until Run.
func New(opts Options) *Manager {
	if opts.Log == nil {
		opts.Log = hclog.NewNullLogger()
	}
	if opts.Burst <= 0 {
		opts.Burst = 64
	}
	if opts.Pace <= 0 {
		opts.Pace = 200 * time.Microsecond
	}
	m := &Manager{
		opts: opts, kinds: make(map[string]Kind), log: opts.Log, stopped: make(chan struct{}),
		seeds:  make(chan map[gateway.SourceKey][]gateway.Endpoint, 1),
		wants:  make(chan map[gateway.SourceKey]gateway.SourceSpec, 1),
		events: make(chan event),
		asks:   make(chan chan<- Status),
		waits:  make(chan chan<- struct{}),
	}
	for _, k := range opts.Kinds {
		m.kinds[k.Name] = k
	}
	return m
}

// Want says which sources are to run from now on: those with new keys start, those whose keys are missing stop and
// their endpoints are forgotten, all others are not touched. It does not wait, and may be called before Run.
func (m *Manager) Want(sources map[gateway.SourceKey]gateway.SourceSpec) {
	sources = maps.Clone(sources)
	for {
		select {
		case m.wants <- sources:
			return
		default:
		}
		select {
		case <-m.wants: // an older wish that nobody has read
		default:
		}
	}
}

// Seed gives the last good answers of an earlier run. They are published when their keys are wanted and stay, marked
// stale, until the source has answered itself; the source's guard compares its first answer with them. It does not
// wait, and is called before Run or right after.
func (m *Manager) Seed(last map[gateway.SourceKey][]gateway.Endpoint) {
	last = maps.Clone(last)
	for {
		select {
		case m.seeds <- last:
			return
		default:
		}
		select {
		case earlier := <-m.seeds:
			maps.Copy(earlier, last)
			last = earlier
		default:
		}
	}
}

// Run runs the wanted sources until ctx ends and everything that it started has returned. Its error is that of being
// called twice.
func (m *Manager) Run(ctx context.Context) error {
	if !m.started.CompareAndSwap(false, true) {
		return errors.New("run sources: the manager has run before")
	}
	defer close(m.stopped)
	ctx, cancel := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer cancel()

	publish := make(chan map[gateway.SourceKey][]gateway.Endpoint)
	tasks.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case changed := <-publish:
				m.opts.Publish(changed)
			}
		}
	})
	l := &loop{
		Manager: m, ctx: ctx, tasks: &tasks,
		seeded:  make(map[gateway.SourceKey][]gateway.Endpoint),
		entries: make(map[gateway.SourceKey]*entry),
		pending: make(map[gateway.SourceKey][]gateway.Endpoint),
		doubt:   time.NewTimer(time.Hour),
	}
	l.doubt.Stop()
	defer l.doubt.Stop()
	l.run(publish)
	return nil
}

// loop is the state of a running Manager. Only the goroutine of Run touches it.
type loop struct {
	*Manager
	ctx     context.Context // of this Run; sources end with it
	tasks   *sync.WaitGroup
	seeded  map[gateway.SourceKey][]gateway.Endpoint // not wanted yet
	entries map[gateway.SourceKey]*entry
	pending map[gateway.SourceKey][]gateway.Endpoint // to be published
	waiters []chan<- struct{}
	wished  bool // Want has been called
	open    int  // entries that have not settled
	doubt   *time.Timer
	nextAt  time.Time // when doubt fires; zero: it does not
}

func (l *loop) run(publish chan<- map[gateway.SourceKey][]gateway.Endpoint) {
	for {
		var out chan<- map[gateway.SourceKey][]gateway.Endpoint
		if len(l.pending) > 0 {
			out = publish
		}
		select {
		case <-l.ctx.Done():
			return
		case s := <-l.seeds:
			maps.Copy(l.seeded, s)
		case w := <-l.wants:
			l.want(w)
		case ev := <-l.events:
			l.take(ev)
		case out <- l.pending:
			l.pending = make(map[gateway.SourceKey][]gateway.Endpoint)
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
func (l *loop) catchUp() {
	select {
	case w := <-l.wants:
		l.want(w)
	default:
	}
}

func (l *loop) want(sources map[gateway.SourceKey]gateway.SourceSpec) {
	select {
	case s := <-l.seeds:
		maps.Copy(l.seeded, s)
	default:
	}
	l.wished = true
	for k, e := range l.entries {
		if _, wanted := sources[k]; wanted {
			continue
		}
		e.cancel()
		delete(l.entries, k)
		if !e.settled {
			l.open--
		}
		if e.shown != nil {
			l.pending[k] = nil
		}
	}
	starts := 0
	for _, k := range slices.SortedFunc(maps.Keys(sources), compareKey) {
		if _, runs := l.entries[k]; runs {
			continue
		}
		var after time.Duration
		if starts++; starts > l.opts.Burst {
			after = time.Duration(starts-l.opts.Burst) * l.opts.Pace
		}
		l.start(k, sources[k], after)
	}
}

func (l *loop) start(k gateway.SourceKey, spec gateway.SourceSpec, after time.Duration) {
	ctx, cancel := context.WithCancel(l.ctx)
	e := &entry{key: k, cancel: cancel, guard: l.kinds[k.Kind].Guard, since: time.Now()}
	if last, ok := l.seeded[k]; ok {
		delete(l.seeded, k)
		e.good = arrange(last)
		e.shown, e.stale = e.good, true
		l.pending[k] = e.shown
	}
	l.entries[k] = e
	l.open++
	l.tasks.Go(func() { l.supervise(ctx, e, spec, after) })
}

// release tells those who wait that every wanted source has settled.
func (l *loop) release() {
	if !l.wished || l.open > 0 {
		return
	}
	for _, w := range l.waiters {
		close(w)
	}
	l.waiters = nil
}
