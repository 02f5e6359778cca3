// Package ratelimit counts requests for Envoys: its core is a bounded set of sliding windows, around it stands Envoy's
// rate-limit service. What a limit is comes with each request, so the service needs no configuration.
package ratelimit

import (
	"container/list"
	"sync"
	"time"
)

const (
	parts  = 32 // of a window: what is older than it is forgotten in steps of a part
	shards = 64
)

// Limit allows Requests in any stretch of time as long as Per.
type Limit struct {
	Requests uint64
	Per      time.Duration
}

// Key names a counter. It is a hash, so that no client can make a counter large.
type Key [32]byte

// Decision is what became of a request.
type Decision struct {
	Allowed   bool
	Remaining uint64        // requests that would be allowed now
	Reset     time.Duration // until more are: the oldest part with requests leaves the window; 0: nothing is counted
}

// Counters are sliding windows, at most so many as New was told. They are safe for concurrent use.
type Counters struct {
	shards [shards]shard
	each   int // counters in a shard
}

type shard struct {
	mu      sync.Mutex
	byKey   map[Key]*list.Element // of *window
	recent  *list.List            // most recently used first
	evicted uint64
}

type window struct {
	key   Key
	per   time.Duration
	at    int64 // number of the newest part
	total uint64
	count [parts + 1]uint64 // a ring: the part begun, and those that overlap the window before it
}

// New returns no counters, which will be at most `most`, but at least 64. One that is needed beyond that takes the place
// of one of those that were not used for longest, whose requests are forgotten.
func New(most int) *Counters {
	c := &Counters{each: max(1, most/shards)}
	for i := range c.shards {
		c.shards[i].byKey, c.shards[i].recent = map[Key]*list.Element{}, list.New()
	}
	return c
}

// Take counts hits at a time if all of them are allowed, and none of them if not. A counter that was used with another
// length of its window begins anew.
func (c *Counters) Take(now time.Time, key Key, limit Limit, hits uint64) Decision {
	s := &c.shards[key[0]%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.window(key, limit.Per, c.each).take(now, limit.Requests, hits)
}

// Len is the number of counters, and Evicted says how many lost their place to others.
func (c *Counters) Len() (n int, evicted uint64) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		n, evicted = n+s.recent.Len(), evicted+s.evicted
		s.mu.Unlock()
	}
	return n, evicted
}

func (s *shard) window(key Key, per time.Duration, most int) *window {
	if e, ok := s.byKey[key]; ok {
		s.recent.MoveToFront(e)
		w := e.Value.(*window)
		if w.per != per {
			*w = window{key: key, per: per}
		}
		return w
	}
	if s.recent.Len() >= most {
		last := s.recent.Back()
		delete(s.byKey, last.Value.(*window).key)
		s.recent.Remove(last)
		s.evicted++
	}
	w := &window{key: key, per: per}
	s.byKey[key] = s.recent.PushFront(w)
	return w
}

func (w *window) take(now time.Time, limit, hits uint64) Decision {
	length := max(1, int64(w.per)/parts)
	if n := now.UnixNano() / length; n > w.at { // a clock that goes back counts in the newest part
		w.forget(n)
	}
	d := Decision{Allowed: w.total <= limit && hits <= limit-w.total}
	if d.Allowed {
		w.count[w.at%(parts+1)] += hits
		w.total += hits
	}
	if w.total < limit {
		d.Remaining = limit - w.total
	}
	for n := max(0, w.at-parts); n <= w.at; n++ {
		if w.count[n%(parts+1)] > 0 {
			d.Reset = max(0, time.Duration((n+parts+1)*length-now.UnixNano()))
			break
		}
	}
	return d
}

// forget makes n the newest part.
func (w *window) forget(n int64) {
	if n-w.at > parts {
		w.count, w.total = [parts + 1]uint64{}, 0
	} else {
		for i := w.at + 1; i <= n; i++ {
			w.total -= w.count[i%(parts+1)]
			w.count[i%(parts+1)] = 0
		}
	}
	w.at = n
}
