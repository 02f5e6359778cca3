package ec2

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// account asks one region with one set of credentials, for all the blocks that want something of it: one question an
// interval, the shortest of theirs. It asks while somebody reads.
type account struct {
	ask func(context.Context, question) (*listing, error)
	pace

	mu       sync.Mutex
	readers  map[*reader]bool
	wake     chan struct{} // holds one: the readers have changed
	stop     context.CancelFunc
	ended    chan struct{} // closed when the worker that stop stops has ended
	last     *listing      // nil: none, or too long ago
	lastAt   time.Time     // of last
	began    time.Time     // of the latest question; zero: none yet
	failures int           // in a row
	failedAt time.Time     // of the latest
}

// pace is how an account asks. Every field is positive.
type pace struct {
	deadline time.Duration // of one question with all its pages
	gather   time.Duration // for which a new reader waits for others
	gap      time.Duration // between the beginnings of two questions
	pause    time.Duration // after a failure, twice that after the second, and so on
	longest  time.Duration // of these pauses
}

var usualPace = pace{deadline: 2 * time.Minute, gather: 50 * time.Millisecond, gap: time.Second, pause: time.Second, longest: 30 * time.Second}

// reader is one block that is listed.
type reader struct {
	wants    selection
	status   bool
	interval time.Duration
	words    chan word // holds one: the latest
	joined   time.Time
	served   bool
}

// word is what a reader is told.
type word struct {
	*listing
	err error
}

// covers says that an answer to q is one for r.
func (q question) covers(r *reader) bool {
	return q.narrow.covers(r.wants) && (q.status || !r.status)
}

// join has the account ask for r until leave is called, which waits for what join started. A question that fails is
// told to all readers; they leave and join again, and the account decides when it is put again.
func (a *account) join(r *reader) (leave func(failed bool)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r.words, r.joined = make(chan word, 1), time.Now()
	if a.readers == nil {
		a.readers, a.wake = map[*reader]bool{}, make(chan struct{}, 1)
	}
	a.readers[r] = true
	if a.last != nil && a.failures == 0 && a.last.covers(r) && time.Since(a.lastAt) < r.interval {
		r.served = true
		r.words <- word{listing: a.last}
	}
	if a.stop == nil {
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		a.stop, a.ended = cancel, ended
		go func() {
			defer close(ended)
			a.work(ctx)
		}()
	}
	a.nudge()
	return func(failed bool) { a.leave(r, failed) }
}

func (a *account) nudge() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (a *account) leave(r *reader, failed bool) {
	a.mu.Lock()
	delete(a.readers, r)
	if len(a.readers) > 0 {
		a.nudge()
		a.mu.Unlock()
		return
	}
	if !failed {
		a.last = nil // nobody may come again
	}
	stop, ended := a.stop, a.ended
	a.stop = nil
	a.mu.Unlock()
	stop()
	<-ended
}

// work asks until ctx ends.
func (a *account) work(ctx context.Context) {
	for {
		q, due := a.next(time.Now())
		if wait := time.Until(due); wait > 0 {
			t := time.NewTimer(wait)
			select {
			case <-t.C:
			case <-a.wake:
				t.Stop()
				continue
			case <-ctx.Done():
				t.Stop()
				return
			}
		}
		l, err := a.question(ctx, q)
		if ctx.Err() != nil {
			return
		}
		a.tell(l, err)
	}
}

func (a *account) question(ctx context.Context, q question) (*listing, error) {
	a.mu.Lock()
	a.began = time.Now()
	a.mu.Unlock()
	ctx, cancel := context.WithTimeoutCause(ctx, a.deadline, fmt.Errorf("no whole answer within %s", a.deadline))
	defer cancel()
	l, err := a.ask(ctx, q)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return l, err
}

// next is what to ask for next, and when.
func (a *account) next(now time.Time) (q question, due time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var wanted []selection
	due = now.Add(time.Hour)
	shortest := time.Duration(0)
	for r := range a.readers {
		wanted = append(wanted, r.wants)
		q.status = q.status || r.status
		if !r.served {
			due = earlier(due, r.joined.Add(a.gather))
		}
		if shortest == 0 || r.interval < shortest {
			shortest = r.interval
		}
	}
	q.narrow = narrow(wanted)
	if a.last != nil {
		due = earlier(due, a.lastAt.Add(shortest+rand.N(shortest/10+1)))
	}
	if !a.began.IsZero() {
		due = later(due, a.began.Add(min(a.gap, shortest)))
	}
	if a.failures > 0 {
		pause := a.longest
		if n := a.failures - 1; n < 16 {
			pause = min(a.pause<<n, a.longest)
		}
		due = later(due, a.failedAt.Add(pause))
	}
	return q, due
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// tell hands an answer to those that it is for, an error to all.
func (a *account) tell(l *listing, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if err != nil {
		a.failures++
		a.failedAt = now
	} else {
		a.last, a.lastAt, a.failures = l, now, 0
	}
	for r := range a.readers {
		if err == nil && !l.covers(r) {
			continue // it came after the question
		}
		r.served = true
		select {
		case <-r.words: // an older one that was not read
		default:
		}
		r.words <- word{l, err}
	}
}
