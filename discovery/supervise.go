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

	"github.com/sluice-gateway/sluice/gateway"
)

// The back-off of a failing source: at most 15 s, since the longest interval is jittered by half of itself.
const (
	firstRetry   = 250 * time.Millisecond
	longestRetry = 10 * time.Second
)

var errEnded = errors.New("the source ended without an error")

// supervise runs one source until ctx ends, again after each failure. after is how long it waits at first.
func (m *Manager) supervise(ctx context.Context, e *entry, spec gateway.SourceSpec, after time.Duration) {
	defer e.cancel()
	if after > 0 && !sleep(ctx, after+rand.N(m.opts.Pace)) {
		return
	}
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.Multiplier, retry.MaxInterval = firstRetry, 2, longestRetry
	send := func(ev event) {
		ev.from = e
		select {
		case m.events <- ev:
		case <-ctx.Done():
		}
	}
	var source Source
	for {
		var err error
		if source == nil {
			source, err = m.open(e.key, spec)
		}
		if err != nil {
			send(event{kind: eventRefused, err: err})
		} else {
			var worked bool
			worked, err = m.once(ctx, e.key, source, send)
			if ctx.Err() != nil {
				return
			}
			if worked {
				retry.Reset()
			}
			send(event{kind: eventFailed, err: err})
		}
		if !sleep(ctx, retry.NextBackOff()) {
			return
		}
	}
}

// open makes a source. A panic is an error.
func (m *Manager) open(key gateway.SourceKey, spec gateway.SourceSpec) (source Source, err error) {
	defer m.rescue(key, &err)
	kind, ok := m.kinds[key.Kind]
	if !ok {
		return nil, fmt.Errorf("open source %s: no source of kind %q is configured", key, key.Kind)
	}
	if source, err = kind.Open(spec); err != nil {
		return nil, fmt.Errorf("open source %s: %w", key, err)
	}
	return source, nil
}

// once runs a source until it returns, and says whether the remote answered meanwhile. err is never nil.
func (m *Manager) once(ctx context.Context, key gateway.SourceKey, source Source, send func(event)) (worked bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var heard atomic.Bool
	tell := func(ev event) {
		if ctx.Err() == nil {
			heard.Store(true)
			send(ev)
		}
	}
	func() {
		defer m.rescue(key, &err)
		err = source.Run(ctx,
			func(endpoints []gateway.Endpoint) { tell(event{kind: eventUpdate, endpoints: arrange(endpoints)}) },
			func() { tell(event{kind: eventAlive}) })
	}()
	if err == nil {
		err = errEnded
	}
	return heard.Load(), err
}

// rescue turns a panic into an error.
func (m *Manager) rescue(key gateway.SourceKey, err *error) {
	if r := recover(); r != nil {
		m.log.Error("a source panicked", "source", key, "error", r, "stack", string(debug.Stack()))
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
