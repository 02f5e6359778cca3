package discovery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
)

var errEnded = errors.New("the source ended without an error")

// supervise runs one source until ctx ends, again after each failure. after is how long it waits at first.
func (s *supervisor[K, W, E]) supervise(ctx context.Context, e *entry[K, W, E], wanted W, after time.Duration) {
	defer e.cancel()
	if after > 0 && !sleep(ctx, after+rand.N(s.pace)) {
		return
	}
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.Multiplier, retry.MaxInterval = s.firstRetry, 2, s.longestRetry
	send := func(ev event[K, W, E]) {
		ev.from = e
		select {
		case s.events <- ev:
		case <-ctx.Done():
		}
	}
	var source runner[E]
	for {
		var err error
		if source == nil {
			source, err = s.make(e, wanted)
		}
		if err != nil {
			send(event[K, W, E]{kind: eventRefused, err: err})
		} else {
			var worked bool
			worked, err = s.once(ctx, e.key, source, send)
			if ctx.Err() != nil {
				return
			}
			if worked {
				retry.Reset()
			}
			send(event[K, W, E]{kind: eventFailed, err: err})
		}
		if !rest(ctx, source, retry) {
			return
		}
	}
}

// replaceable is a runner whose remote can turn into another one, which need not wait for the failures of the first.
type replaceable interface {
	replaced() func() bool // the function says whether all that was there at the call has been replaced since
}

// rest is the pause after a failure. False says that ctx ended first.
func rest(ctx context.Context, source any, retry *backoff.ExponentialBackOff) bool {
	pause := retry.NextBackOff()
	r, ok := source.(replaceable)
	if !ok {
		return sleep(ctx, pause)
	}
	replaced := r.replaced()
	for until := time.Now().Add(pause); ; {
		left := time.Until(until)
		if left <= 0 {
			return true
		}
		if !sleep(ctx, min(left, longLook)) {
			return false
		}
		if replaced() {
			retry.Reset()
			return true
		}
	}
}

// make makes a source. A panic is an error.
func (s *supervisor[K, W, E]) make(e *entry[K, W, E], wanted W) (source runner[E], err error) {
	defer s.rescue(e.key, &err)
	if source, err = s.open(e.key, wanted, e.waiting); err != nil {
		return nil, fmt.Errorf("open source %v: %w", e.key, err)
	}
	return source, nil
}

// once runs a source until it returns, and says whether the remote answered meanwhile. err is never nil.
func (s *supervisor[K, W, E]) once(ctx context.Context, key K, source runner[E], send func(event[K, W, E])) (worked bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var heard atomic.Bool
	tell := func(ev event[K, W, E]) {
		if ctx.Err() == nil {
			heard.Store(true)
			send(ev)
		}
	}
	func() {
		defer s.rescue(key, &err)
		err = source.Run(ctx,
			func(elements []E) { tell(event[K, W, E]{kind: eventUpdate, elements: s.arrange(elements)}) },
			func() { tell(event[K, W, E]{kind: eventAlive}) })
	}()
	if err == nil {
		err = errEnded
	}
	return heard.Load(), err
}

// rescue turns a panic into an error.
func (s *supervisor[K, W, E]) rescue(key K, err *error) {
	if r := recover(); r != nil {
		s.log.Error("a source panicked", "source", key, "error", r, "stack", string(debug.Stack()))
		*err = &panicError{reason: r}
	}
}

// panicError is the error of a source that panicked.
type panicError struct{ reason any }

func (p *panicError) Error() string { return fmt.Sprintf("the source panicked: %v", p.reason) }

// sleep waits; false says that ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
