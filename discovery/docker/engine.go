package docker

import (
	"context"
	"maps"
	"math/rand/v2"
	"sync"
	"time"
)

// pace is when an engine may be asked. Every field is positive.
type pace struct {
	gather  time.Duration // between an event and the list that it calls for: events come in bursts
	resync  time.Duration // between lists that nothing calls for: the stream of events has no sign of life
	pause   time.Duration // after a failure, twice that after the second, and so on
	longest time.Duration // of these pauses
	drain   time.Duration // for which a container that was told to stop, and runs on, takes no traffic
}

var usualPace = pace{gather: 20 * time.Millisecond, resync: time.Minute, pause: 250 * time.Millisecond, longest: 15 * time.Second, drain: time.Minute}

// word is what a reader is told.
type word struct {
	containers []*container
	stopping   map[string]bool // by the whole id: they were told to stop
	changed    bool            // since the last word
	err        error
}

// engine is what the blocks of one engine share: a stream of events, and a list after each burst of them. It asks while
// somebody reads.
type engine struct {
	client  *Client
	timeout time.Duration
	pace    pace

	mu      sync.Mutex
	readers map[chan word]bool
	stop    context.CancelFunc // ends the worker; nil while there is none
	ended   chan struct{}      // closed when the worker has ended
	ending  bool               // the last reader waits for that
	last    *word              // of this session; nil: none yet

	failures int // as all below, of the worker alone
	notYet   time.Time
}

// join has the engine tell words until leave is called, which waits for what join started.
func (e *engine) join(ctx context.Context, words chan word) (leave func(), err error) {
	e.mu.Lock()
	for e.ending {
		ended := e.ended
		e.mu.Unlock()
		select {
		case <-ended:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		e.mu.Lock()
	}
	defer e.mu.Unlock()
	if e.readers == nil {
		e.readers = map[chan word]bool{}
	}
	e.readers[words] = true
	switch {
	case e.stop == nil:
		ctx, cancel := context.WithCancel(context.Background())
		e.stop, e.ended = cancel, make(chan struct{})
		go e.work(ctx, e.ended)
	case e.last != nil:
		words <- *e.last
	}
	return func() { e.leave(words) }, nil
}

func (e *engine) leave(words chan word) {
	e.mu.Lock()
	delete(e.readers, words)
	if len(e.readers) > 0 {
		e.mu.Unlock()
		return
	}
	e.ending = true
	e.stop()
	ended := e.ended
	e.mu.Unlock()
	<-ended
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ending, e.stop, e.last = false, nil, nil
}

// tell leaves the latest word with all readers.
func (e *engine) tell(w word) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last = nil
	if w.err == nil {
		e.last = &word{containers: w.containers, stopping: w.stopping, changed: true}
	}
	for words := range e.readers {
		mine := w
		select {
		case old := <-words: // it was not read
			mine.changed = mine.changed || old.changed
			if old.err != nil {
				mine = old
			}
		default:
		}
		words <- mine
	}
}

func (e *engine) work(ctx context.Context, ended chan struct{}) {
	defer close(ended)
	for sleep(ctx, time.Until(e.notYet)) {
		err := e.session(ctx)
		if ctx.Err() != nil {
			return
		}
		pause := e.pace.longest
		if e.failures < 16 {
			pause = min(e.pace.pause<<e.failures, e.pace.longest)
		}
		e.failures++
		e.notYet = time.Now().Add(pause/2 + rand.N(pause/2+1))
		e.tell(word{err: err})
	}
}

// session reads events, and lists, until something fails. Its error is never nil.
func (e *engine) session(ctx context.Context) error {
	version, err := e.client.version(ctx, e.timeout)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	// The list follows the beginning of the stream, so that nothing falls between the two.
	opened, broke := make(chan struct{}), make(chan error, 1)
	burst := &burst{ring: make(chan struct{}, 1), stopping: map[string]time.Time{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		broke <- e.client.events(ctx, version, e.timeout, func() { close(opened) }, burst.take)
	}()
	defer func() { cancel(); <-done }()
	select {
	case <-opened:
	case err := <-broke:
		return err
	}
	var before []*container
	var stoppingBefore map[string]bool
	for first := true; ; first = false {
		list, err := e.client.list(ctx, version, e.timeout)
		if err != nil {
			return err
		}
		stopping, again := burst.expire(time.Now(), e.pace.drain)
		changed := first || !maps.Equal(stopping, stoppingBefore) || !same(before, list)
		e.tell(word{containers: list, stopping: stopping, changed: changed})
		before, stoppingBefore, e.failures = list, stopping, 0
		wait := e.pace.resync + rand.N(e.pace.resync/10+1)
		if again > 0 {
			wait = min(wait, again)
		}
		if err := burst.await(ctx, wait, e.pace.gather, broke); err != nil {
			return err
		}
	}
}

// burst is what events have told since the last list.
type burst struct {
	ring chan struct{} // holds one: something has happened

	mu       sync.Mutex
	stopping map[string]time.Time // when containers were told to stop
}

// deadly are the signals that end a program: HUP is for reading its configuration again, USR1 for what it likes.
var deadly = map[string]bool{"2": true, "3": true, "9": true, "15": true}

func (b *burst) take(h happening) {
	b.mu.Lock()
	switch {
	case h.Type == "container" && h.Action == "kill" && deadly[h.Actor.Attributes["signal"]]:
		if _, again := b.stopping[h.Actor.ID]; !again {
			b.stopping[h.Actor.ID] = time.Now()
		}
	case h.Type == "container" && (h.Action == "die" || h.Action == "start"):
		delete(b.stopping, h.Actor.ID)
	}
	b.mu.Unlock()
	select {
	case b.ring <- struct{}{}:
	default:
	}
}

// expire is what is stopping, and after which time the next of it is not any more.
func (b *burst) expire(now time.Time, after time.Duration) (stopping map[string]bool, again time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	stopping = map[string]bool{}
	for id, at := range b.stopping {
		left := after - now.Sub(at)
		if left <= 0 {
			delete(b.stopping, id)
			continue
		}
		stopping[id] = true
		if again == 0 || left < again {
			again = left
		}
	}
	return stopping, again
}

// await waits for something that happens, and for the rest of its burst, or for as long as is said.
func (b *burst) await(ctx context.Context, wait, gather time.Duration, broke <-chan error) error {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case err := <-broke:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-b.ring:
	}
	if !sleep(ctx, gather) {
		return ctx.Err()
	}
	select {
	case <-b.ring:
	default:
	}
	return nil
}

// same says whether two lists differ in nothing that endpoints are made of. The order of a list is that of its making.
func same(a, b []*container) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].same(b[i]) {
			return false
		}
	}
	return true
}

// sleep waits; false says that ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
