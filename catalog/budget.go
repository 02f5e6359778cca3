package catalog

import (
	"context"
	"sync"
	"time"
)

const (
	// plainSlots is how many blocking queries an agent's 200 connections per client leave room for, with writes,
	// other readers on the same machine and reconnects beside them.
	plainSlots = 128
	// shardLimit is how many streams one HTTP/2 connection carries; Consul allows 250.
	shardLimit = 200
	// maxShards bounds the HTTP/2 connections of blocking queries: 5,000 need 25.
	maxShards = 50
	// rotation is how long a query may wait in Consul while there are more watches than slots.
	rotation = 500 * time.Millisecond
)

// budget hands out slots for blocking queries, first come first served. With more watches than slots each query waits
// in Consul for `rotation` only, so that all take turns; lag says what that costs.
type budget struct {
	slots int

	mu      sync.Mutex
	used    int
	watches int
	queue   []chan struct{}
	long    map[*slot]struct{} // holders that may wait for long; cut when somebody queues
}

// slot is the right to one blocking query. cut is closed when the holder has to make room.
type slot struct {
	b    *budget
	cut  chan struct{}
	wait time.Duration // longest wait in Consul; 0: as long as the caller likes
}

func newBudget(slots int) *budget {
	return &budget{slots: slots, long: map[*slot]struct{}{}}
}

// join and leave count watches; a watch that sleeps is one as well.
func (b *budget) join() {
	b.mu.Lock()
	b.watches++
	b.mu.Unlock()
}

func (b *budget) leave() {
	b.mu.Lock()
	b.watches--
	b.mu.Unlock()
}

// acquire waits for a slot.
func (b *budget) acquire(ctx context.Context) (*slot, error) {
	b.mu.Lock()
	if b.used < b.slots {
		b.used++
		return b.grant(), nil // unlocks
	}
	turn := make(chan struct{})
	b.queue = append(b.queue, turn)
	for s := range b.long { // one at a time: each newcomer cuts one
		delete(b.long, s)
		close(s.cut)
		break
	}
	b.mu.Unlock()
	select {
	case <-turn: // the slot was handed over: used stays as it is
		b.mu.Lock()
		return b.grant(), nil
	case <-ctx.Done():
		b.abandon(turn)
		return nil, ctx.Err()
	}
}

// grant makes the slot; b.mu is held and released.
func (b *budget) grant() *slot {
	defer b.mu.Unlock()
	s := &slot{b: b, cut: make(chan struct{})}
	if b.watches > b.slots {
		s.wait = rotation
	} else {
		b.long[s] = struct{}{}
	}
	return s
}

func (s *slot) release() {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	delete(s.b.long, s)
	s.b.handOver()
}

// handOver gives a slot to the first in the queue, or back; b.mu is held.
func (b *budget) handOver() {
	if len(b.queue) == 0 {
		b.used--
		return
	}
	turn := b.queue[0]
	b.queue = b.queue[1:]
	close(turn)
}

func (b *budget) abandon(turn chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, q := range b.queue {
		if q == turn {
			b.queue = append(b.queue[:i:i], b.queue[i+1:]...)
			return
		}
	}
	b.handOver() // it was handed over in the same moment
}

// lag is the longest that a change may wait because watches take turns; 0 while there is room for all.
func (b *budget) lag() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.watches <= b.slots {
		return 0
	}
	return time.Duration(b.watches-b.slots) * rotation / time.Duration(b.slots)
}
