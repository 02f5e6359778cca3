package nomad

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// listError ends a session: Nomad does not answer what needs no more rights than a source has.
type listError struct{ error }

func (e *listError) Unwrap() error { return e.error }

// watch learns of changes for as long as ctx lives: by an event stream where there can be one, by blocking lists where
// there cannot, or until there is one again. It returns when ctx ends, or Nomad does not answer a list.
func (s *session) watch(ctx context.Context) error {
	s.f.mu.Lock()
	after := s.f.after
	s.f.mu.Unlock()
	if !sleep(ctx, time.Until(after)) {
		return ctx.Err()
	}
	region, err := s.f.c.region(ctx, s.f.at)
	if err != nil {
		return err
	}
	if err := s.locked(func(time.Time) { s.f.region = region }); err != nil {
		return err
	}
	t := tries{pace: s.f.c.pace}
	for {
		began := time.Now()
		err := s.stream(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if failed := (*listError)(nil); errors.As(err, &failed) {
			return failed.error
		}
		until := t.failed(time.Since(began), err)
		if t.fails == 1 {
			s.f.c.log.Warn("nomad's event stream cannot be had; services are listed instead", "source", s.f.at, "error", err)
		} else {
			s.f.c.log.Debug("nomad's event stream ended", "source", s.f.at, "error", err)
		}
		if err := s.poll(ctx, time.Now().Add(until)); err != nil {
			return err
		}
	}
}

// tries says when a stream is tried again.
type tries struct {
	pace  pace
	fails int // streams in a row that were none
}

// failed is how long to wait after a stream that lived so long and ended so.
func (t *tries) failed(lived time.Duration, err error) time.Duration {
	if lived >= t.pace.lasting && !refused(err) {
		t.fails = 0
		return jitter(t.pace.retry / 5)
	}
	first := t.pace.retry
	if refused(err) {
		first = t.pace.refused
	}
	t.fails++
	return jitter(doubled(first, t.fails-1, t.pace.longest))
}

// refused says that asking again soon is of no use.
func refused(err error) bool {
	code := status(err)
	return errors.Is(err, errNothing) || code >= 400 && code < 500 && code != http.StatusTooManyRequests
}

var errSlots = errors.New("all connections that may wait in nomad are taken")

// stream is one event stream: subscribe, list, apply what is newer. It lists again from time to time. It never returns
// nil.
func (s *session) stream(ctx context.Context) error {
	c := s.f.c
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	default:
		return errSlots
	}
	from, err := s.opening()
	if err != nil {
		return err
	}
	var listedAt, listAt time.Time // zero: not yet
	failed := 0
	return c.stream(ctx, s.f.at, from, func(b batch) error {
		old := false
		if len(b.changes) > 0 {
			if old, err = s.apply(b); err != nil {
				return err
			}
		}
		now := time.Now()
		opened := listedAt.IsZero()
		if !opened && now.Before(listAt) && (!old || now.Sub(listedAt) < c.pace.retry) {
			if len(b.changes) > 0 {
				return nil
			}
			return s.alive()
		}
		l, err := c.list(ctx, s.f.at, 0, 0)
		if err != nil {
			if failed++; opened || failed > 2 {
				return &listError{err}
			}
			listAt = time.Now().Add(jitter(c.pace.retry)) // the stream still speaks
			return nil
		}
		failed = 0
		listedAt = time.Now()
		listAt = listedAt.Add(c.pace.relist*3/4 + jitter(c.pace.relist/2))
		return s.listed(l, true, opened)
	})
}

// poll lists the services, at once and then whenever something has changed, until it is time to try a stream again, or
// there is another token to try it with.
func (s *session) poll(ctx context.Context, until time.Time) error {
	c := s.f.c
	token, _ := c.rt.token() // an error of it is one of the list
	index, quick, idle := uint64(0), 0, 0
	for {
		l, waited, err := s.pollOnce(ctx, index, time.Until(until))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		if err := s.listed(l, false, false); err != nil {
			return err
		}
		if now, err := c.rt.token(); !time.Now().Before(until) || err == nil && now != token {
			return nil
		}
		pause := time.Duration(0)
		switch {
		case index == 0 && waited < 0: // there was no connection to wait with
			pause = jitter(c.pace.poll)
			l.index = 0
		case l.index != index: // read what has changed, then listen again
			if idle = 0; waited > time.Second {
				quick = 0
			}
			if quick++; quick > 2 {
				pause = s.round()
			}
		case waited < c.pace.wait/4: // woken for nothing
			pause = doubled(c.pace.probe/10, idle, c.pace.probes)
			idle++
		default:
			quick, idle = 0, 0
		}
		index = l.index
		if !sleep(ctx, min(pause, max(time.Until(until), 0))) {
			return ctx.Err()
		}
	}
}

// pollOnce lists once. waited is how long that took; negative: it did not wait, since all connections are taken.
func (s *session) pollOnce(ctx context.Context, index uint64, left time.Duration) (l listed, waited time.Duration, err error) {
	c := s.f.c
	began := time.Now()
	if index == 0 {
		if l, err = c.list(ctx, s.f.at, 0, 0); err != nil || len(c.slots) < cap(c.slots) {
			return l, time.Since(began), err
		}
		return l, -1, nil
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
		l, err = c.list(ctx, s.f.at, index, max(min(c.pace.wait, left), time.Millisecond))
	default:
		l, err = c.list(ctx, s.f.at, 0, 0)
		return l, -1, err
	}
	return l, time.Since(began), err
}

// round is the least time between two lists while changes keep coming: each of them has every service read that is
// wanted, since a list shows names and tags only.
func (s *session) round() time.Duration {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	return min(max(time.Duration(len(s.f.names))*s.f.c.pace.round, 20*time.Millisecond), s.f.c.pace.probes)
}
