package control

import (
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// Event is one thing that happened, for `sluice events`.
type Event struct {
	Seq   uint64    `json:"seq"` // rises by one; a gap says that older events were dropped
	Time  time.Time `json:"time"`
	Kind  string    `json:"kind"` // block, connected, disconnected, nack, quarantine, freeze, open
	Block string    `json:"block,omitempty"`
	Node  string    `json:"node,omitempty"`
	Text  string    `json:"text"`
}

// keptEvents bounds the journal.
const keptEvents = 1000

// journal is a ring of the last events.
type journal struct {
	mu   sync.Mutex
	ring []Event
	seq  uint64
}

func newJournal() *journal { return &journal{} }

func (j *journal) add(e Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seq++
	e.Seq, e.Time = j.seq, time.Now()
	j.ring = append(j.ring, e)
	if len(j.ring) > 2*keptEvents {
		j.ring = append([]Event(nil), j.ring[len(j.ring)-keptEvents:]...)
	}
}

// Events returns the kept events after a sequence number, oldest first.
func (l *Loop) Events(since uint64) []Event {
	l.events.mu.Lock()
	defer l.events.mu.Unlock()
	var out []Event
	for _, e := range l.events.ring[max(0, len(l.events.ring)-keptEvents):] {
		if e.Seq > since {
			out = append(out, e)
		}
	}
	return out
}

// subscribers are woken after each change; a wake that is not read stands for all that follow.
type subscribers struct {
	mu   sync.Mutex
	list map[chan struct{}]struct{}
}

// Subscribe returns a channel that is sent to now and after changes, and a function that ends the subscription.
func (l *Loop) Subscribe() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	c <- struct{}{}
	l.subs.mu.Lock()
	defer l.subs.mu.Unlock()
	if l.subs.list == nil {
		l.subs.list = map[chan struct{}]struct{}{}
	}
	l.subs.list[c] = struct{}{}
	return c, func() {
		l.subs.mu.Lock()
		defer l.subs.mu.Unlock()
		delete(l.subs.list, c)
	}
}

func (s *subscribers) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.list {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// tell notes what became of blocks.
func (l *Loop) tell(before *gateway.World, change gateway.Change) {
	if len(change.Blocks) > 100 {
		l.events.add(Event{Kind: "block", Text: "many blocks changed"})
		return
	}
	for _, id := range change.Blocks {
		was, now := before.Block(id), l.w.Block(id)
		switch {
		case now == nil:
			l.events.add(Event{Kind: "block", Block: id.String(), Text: "removed"})
		case was == nil || was.State != now.State || formHash(was) != formHash(now):
			e := Event{Kind: "block", Block: id.String(), Text: string(now.State)}
			if len(now.Diags) > 0 {
				e.Text += ": " + now.Diags[0].Summary
			}
			l.events.add(e)
		}
	}
}

func formHash(b *gateway.Block) string {
	if b.InForce == nil {
		return ""
	}
	return b.InForce.Hash
}
