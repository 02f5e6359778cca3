package nomad

import (
	"context"
	"time"

	"github.com/hashicorp/nomad/api"
)

// job is one call that a session makes beside its lists: it reads a service, or the checks of one registration.
type job struct {
	e     *entry
	probe *probe // nil: the service is read
}

// want has a service read, now or as soon as it may be; the feed's mutex is held.
func (s *session) want(e *entry, now time.Time) {
	switch {
	case e.reading:
		e.again = true
	case now.Before(e.after):
		e.retry = e.after
		s.arm(e)
	default:
		e.reading, e.retry = true, time.Time{}
		s.queue = append(s.queue, job{e: e})
		s.wake()
	}
}

// arm has the schedule look at an entry; the feed's mutex is held.
func (s *session) arm(e *entry) {
	if len(e.confirm) == 0 && len(e.probes) == 0 && e.retry.IsZero() {
		return
	}
	s.due[e] = struct{}{}
	s.wake()
}

func (s *session) wake() {
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// pump begins what is queued, a few at a time; the feed's mutex is held.
func (s *session) pump(ctx context.Context) {
	for s.running < readsAtOnce && len(s.queue) > 0 {
		next := s.queue[0]
		s.queue[0] = job{}
		s.queue = s.queue[1:]
		s.running++
		s.work.Go(func() { s.do(ctx, next) })
	}
}

// do makes one call.
func (s *session) do(ctx context.Context, j job) {
	if err := s.f.c.budget.Wait(ctx); err != nil {
		return // the session has ended
	}
	if j.probe != nil {
		s.f.mu.Lock()
		alloc := j.probe.alloc
		s.f.mu.Unlock()
		all, err := s.f.c.checks(ctx, s.f.at, alloc)
		_ = s.locked(func(now time.Time) { s.finish(); s.probed(j, all, err, now) }) // over: nobody is interested
		return
	}
	index, rows, err := s.f.c.instances(ctx, s.f.at, j.e.name)
	_ = s.locked(func(now time.Time) { s.finish(); s.wasRead(j.e, index, rows, err, now) })
}

func (s *session) finish() {
	s.running--
	s.wake()
}

// wasRead brings the answer of a read in; the feed's mutex is held.
func (s *session) wasRead(e *entry, index uint64, rows []*api.ServiceRegistration, err error, now time.Time) {
	e.reading = false
	if err != nil {
		e.recent, e.again, e.stale = nil, false, true
		e.after = now.Add(jitter(doubled(s.f.c.pace.again, e.fails, s.f.c.pace.retries)))
		e.fails++
		for sub := range e.subs {
			sub.tell(news{err: err})
		}
		return
	}
	before := len(e.regs)
	if !e.read(index, rows) { // answered by a server that lags behind
		e.after = now.Add(s.f.c.pace.confirm)
		s.want(e, now)
		return
	}
	e.after = time.Time{}
	e.lost(before, now, s.f.c.pace.confirm)
	if e.again {
		e.again = false
		s.want(e, now)
	}
	s.changed(e, now)
}

// probed brings the answer of checks in; the feed's mutex is held.
func (s *session) probed(j job, all api.AllocCheckStatuses, err error, now time.Time) {
	p := j.probe
	p.asking = false
	changed := false
	if err != nil {
		changed = p.failed(now, s.f.c.pace)
		if p.tries == 1 {
			s.f.c.log.Warn("the checks of a nomad allocation cannot be read", "source", j.e.name, "error", err)
		}
	} else {
		changed = p.answered(now, s.f.c.pace, j.e.name, all)
	}
	first := j.e.judge(now)
	if first || changed && j.e.judged {
		s.f.tell(j.e)
	}
	s.arm(j.e)
}

// schedule does what time brings: reads that confirm, checks that did not pass, gaps that are none after all.
func (s *session) schedule(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-s.poke:
		}
		var next time.Time
		if err := s.locked(func(now time.Time) {
			next = s.fire(now)
			s.pump(ctx)
		}); err != nil {
			return
		}
		if !next.IsZero() {
			timer.Reset(max(time.Until(next), time.Millisecond))
		}
	}
}

// fire does what is due and says when it is to be called next; zero: not before it is poked. The feed's mutex is held.
func (s *session) fire(now time.Time) (next time.Time) {
	sooner := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	sooner(s.closeGap(now))
	for e := range s.due {
		idle := s.fireEntry(e, now, sooner)
		if idle {
			delete(s.due, e)
		}
	}
	return next
}

// fireEntry is fire for one entry; idle says that time has nothing more for it.
func (s *session) fireEntry(e *entry, now time.Time, sooner func(time.Time)) (idle bool) {
	idle = true
	rest := e.confirm[:0]
	read := false
	for _, t := range e.confirm {
		if t.After(now) {
			rest = append(rest, t)
			sooner(t)
			idle = false
		} else {
			read = true
		}
	}
	e.confirm = rest
	switch {
	case e.retry.IsZero():
	case e.retry.After(now):
		sooner(e.retry)
		idle = false
	default:
		e.retry, read = time.Time{}, true
	}
	if read {
		s.want(e, now)
	}
	if len(e.probes) > 0 && !e.judged {
		if e.judge(now) {
			s.f.tell(e)
		} else {
			sooner(e.judgeBy)
			idle = false
		}
	}
	for _, p := range e.probes {
		switch {
		case p.asking || p.next.IsZero():
		case p.next.After(now):
			sooner(p.next)
			idle = false
		default:
			p.asking = true
			s.queue = append(s.queue, job{e: e, probe: p})
		}
	}
	return idle
}
