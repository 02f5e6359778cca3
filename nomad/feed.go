package nomad

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// feed is one namespace of one region: what the services are that sources want, shared by all of them. It outlives its
// sessions, so that a Nomad that is back, and at the index where it was, need not be read again.
type feed struct {
	c  *Client
	at scope

	mu      sync.Mutex // guards what follows, the entries, and the state of the session
	session *session   // nil: nobody wants anything, or the last one has failed
	last    *session   // the one that began last; nil: none has
	names   map[string]*entry
	subs    int       // runs of sources
	seen    uint64    // all changes up to this index of Nomad's service table are known; 0: none
	region  string    // what Locality says
	fails   int       // sessions in a row that failed before they knew anything
	after   time.Time // no session begins before
}

// join enters a run of a source, and begins a session where there is none. leave takes it out again; the last to leave
// waits until everything that was begun has ended.
func (c *Client) join(at scope, name string, checks bool) (sub *subscriber, leave func()) {
	c.mu.Lock()
	f := c.feeds[at]
	if f == nil {
		f = &feed{c: c, at: at, names: map[string]*entry{}}
		c.feeds[at] = f
	}
	c.mu.Unlock()
	sub = &subscriber{checks: checks, ready: make(chan struct{}, 1)}
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.names[name]
	if e == nil {
		e = newEntry(name)
		f.names[name] = e
	}
	e.subs[sub] = struct{}{}
	f.subs++
	if f.session == nil {
		f.begin()
	}
	if f.session.ready {
		f.session.serve(e)
	}
	return sub, func() { f.leave(e, sub) }
}

func (f *feed) leave(e *entry, sub *subscriber) {
	f.mu.Lock()
	delete(e.subs, sub)
	e.left = time.Now()
	f.subs--
	idle := f.subs == 0
	if s := f.session; idle && s != nil {
		f.session = nil
		s.over = true
		s.cancel()
	}
	last := f.last
	f.mu.Unlock()
	if idle {
		<-last.done
	}
}

// begin begins a session; f.mu is held.
func (f *feed) begin() {
	ctx, cancel := context.WithCancel(context.Background()) // it serves several sources, and ends with the last of them
	s := &session{f: f, cancel: cancel, done: make(chan struct{}), poke: make(chan struct{}, 1), due: map[*entry]struct{}{}}
	f.session, f.last = s, s
	for _, e := range f.names {
		e.reading, e.again, e.recent, e.retry = false, false, nil, time.Time{}
		for _, p := range e.probes {
			p.asking = false
		}
	}
	go s.run(ctx)
}

// failed is how the feed goes on after a session that failed; f.mu is held.
func (f *feed) failed(err error) {
	f.session = nil
	f.after = time.Now().Add(jitter(doubled(f.c.pace.again, f.fails, f.c.pace.retries)))
	f.fails++
	for _, e := range f.names {
		for sub := range e.subs {
			sub.tell(news{err: err})
		}
	}
}

// tell gives what is known of a service to all who want it; f.mu is held.
func (f *feed) tell(e *entry) {
	n := news{regs: e.sorted(), region: f.region, answered: true}
	for sub := range e.subs {
		out := n
		if sub.checks {
			if !e.judged {
				continue
			}
			out.health = e.health()
		}
		sub.tell(out)
	}
}

// alive says to all that Nomad answered and nothing has changed; f.mu is held.
func (f *feed) alive() {
	for _, e := range f.names {
		if !e.known || e.stale {
			continue
		}
		for sub := range e.subs {
			if !sub.checks || e.judged {
				sub.tell(news{})
			}
		}
	}
}

// jitter is between half of d and d.
func jitter(d time.Duration) time.Duration { return d/2 + time.Duration(rand.Float64()*float64(d/2)) }

// sleep waits; false says that ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
