package nomad

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// session runs a feed while some source wants it. It ends with an error when Nomad does not answer; then all these
// sources fail, and the first of them that is run again begins the next one, after a back-off that they share.
type session struct {
	f      *feed
	cancel context.CancelFunc
	done   chan struct{}
	poke   chan struct{} // wakes the schedule
	work   sync.WaitGroup

	// Guarded by the feed's mutex.
	over    bool // nothing more begins
	ready   bool // a list has said how far what is known is true
	queue   []job
	running int
	due     map[*entry]struct{} // entries that time may do something to
	turn    string              // the name that was read last for no other reason than that its turn had come

	from    uint64    // the index from which the stream was asked for
	begun   bool      // the stream has told of a change
	whole   bool      // its first change was that of from: nothing between is missing
	gap     uint64    // a list knew of this index before the stream did
	gapAt   time.Time // when that counts as a gap
	reopens bool      // the gap may be between two streams
}

// forgotten is how long a service that nobody wants is remembered. A source that failed is run again in between.
const forgotten = time.Minute

// turns is how many services are read again with each list of a stream, in turn. A stream that has lost an event and
// told a later one looks whole.
const turns = 100

func (s *session) run(ctx context.Context) {
	defer close(s.done)
	ended := make(chan struct{})
	go func() { defer close(ended); s.schedule(ctx) }()
	err := s.watch(ctx)
	s.f.mu.Lock()
	s.over = true
	if s.f.session == s {
		s.f.failed(err)
	}
	s.f.mu.Unlock()
	s.cancel()
	<-ended
	s.work.Wait()
}

var errOver = errors.New("nobody wants the feed any more")

// locked calls do with the feed's mutex held, unless the session is over.
func (s *session) locked(do func(now time.Time)) error {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	if s.over || s.f.session != s {
		return errOver
	}
	do(time.Now())
	return nil
}

// serve gives an entry's subscribers what is known, or has it read; the feed's mutex is held.
func (s *session) serve(e *entry) {
	if !e.known || e.stale {
		s.want(e, time.Now())
		return
	}
	s.changed(e, time.Now())
}

// changed brings what follows from an entry's registrations up to date and tells of it; the feed's mutex is held.
func (s *session) changed(e *entry, now time.Time) {
	e.watchChecks(now, s.f.c.pace)
	s.arm(e)
	s.f.tell(e)
}

// opening notes from where a stream is asked for.
func (s *session) opening() (from uint64, err error) {
	err = s.locked(func(time.Time) {
		s.from, s.begun, s.whole = s.f.seen, false, false
		from = s.from
	})
	return from, err
}

// apply brings the changes of a stream in. It says whether they are older than what is known, as duplicates are, and
// what a Nomad tells whose state went back.
func (s *session) apply(b batch) (old bool, err error) {
	err = s.locked(func(now time.Time) {
		if !s.begun {
			s.begun, s.whole = true, b.index == s.from
		}
		old = b.index < s.f.seen
		s.f.seen = max(s.f.seen, b.index)
		before := map[*entry]int{}
		for _, c := range b.changes {
			e := s.f.names[c.reg.ServiceName]
			if e == nil || c.reg.Namespace != s.f.at.namespace {
				continue
			}
			count := len(e.regs)
			changed, read := e.take(b.index, c)
			if read {
				s.want(e, now)
			}
			if _, noted := before[e]; changed && !noted {
				before[e] = count
			}
		}
		for e, count := range before {
			e.lost(count, now, s.f.c.pace.confirm)
			s.changed(e, now)
		}
	})
	return old, err
}

// listed brings a list in: how far what is known is true, and what has to be read. streams says that a stream is open,
// opened that it has just been opened.
func (s *session) listed(l listed, streams, opened bool) error {
	return s.locked(func(now time.Time) {
		f := s.f
		switch back := l.index < f.seen; {
		case back, f.seen == 0, !streams && l.index > f.seen:
			f.seen = l.index
			for _, e := range f.names {
				e.stale = true
				if back {
					e.forget()
				}
			}
		case l.index > f.seen: // events may be under way
			s.gap, s.gapAt, s.reopens = l.index, now.Add(f.c.pace.settle), opened
			s.wake()
		}
		first := !s.ready
		s.ready, f.fails = true, 0
		for name, e := range f.names {
			if len(e.subs) == 0 && now.Sub(e.left) > forgotten {
				delete(f.names, name)
				delete(s.due, e)
				continue
			}
			if e.known && e.differs(l.tags) {
				e.stale = true
			}
			switch {
			case !e.known || e.stale:
				s.want(e, now)
			case first:
				s.serve(e)
			}
		}
		if streams && !opened {
			s.nextTurn(now)
		}
		f.alive()
	})
}

// nextTurn reads some services for no other reason than that their turn has come; the feed's mutex is held.
func (s *session) nextTurn(now time.Time) {
	names := make([]string, 0, len(s.f.names))
	for name := range s.f.names {
		names = append(names, name)
	}
	slices.Sort(names)
	i, found := slices.BinarySearch(names, s.turn)
	if found {
		i++
	}
	for n := range min(turns, len(names)) {
		s.turn = names[(i+n)%len(names)]
		s.want(s.f.names[s.turn], now)
	}
}

// alive passes on a sign of life.
func (s *session) alive() error { return s.locked(func(time.Time) { s.f.alive() }) }

// closeGap decides whether a list that knew more than the stream proves that the stream has lost something. It says
// when it can, if not yet; the feed's mutex is held.
func (s *session) closeGap(now time.Time) (at time.Time) {
	if s.gap == 0 || now.Before(s.gapAt) {
		return s.gapAt
	}
	missed := s.f.seen < s.gap || s.reopens && !s.whole
	s.f.seen = max(s.f.seen, s.gap)
	s.gap, s.gapAt = 0, time.Time{}
	if !missed {
		return time.Time{}
	}
	s.f.c.log.Debug("nomad's event stream has a gap; services are read again", "source", s.f.at, "index", s.f.seen)
	for _, e := range s.f.names {
		e.stale = true
		s.want(e, now)
	}
	return time.Time{}
}
