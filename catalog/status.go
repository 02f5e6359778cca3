package catalog

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// State is one word on what a watch sees.
type State string

// The states of a watch. They part what looks alike: a prefix that never was, one that was deleted, one that the token
// may not read, and a Consul that cannot be asked.
const (
	StateStarting   State = "starting"   // nothing was answered yet
	StateOK         State = "ok"         // rows are there
	StateAbsent     State = "absent"     // Consul says that there is nothing, and there was nothing
	StateHeld       State = "held"       // rows are missing and still served, until confirmed
	StateFiltered   State = "filtered"   // the token may not read all rows
	StateLeaderless State = "leaderless" // Consul has no leader: absence proves nothing
	StateFailing    State = "failing"    // the last call failed; what was known is served
)

const noLeader = "consul has no leader; nothing is deleted until it has"

// Status is how one watch does.
type Status struct {
	Name        string    // what is watched: "kv routes/team-a/", "service web"
	State       State     //
	LastContact time.Time // of the last answer; zero: none yet. Its age is the age of what is served
	Err         error     // of the last call; nil after an answer
	Detail      string    // what to do about State; empty when it is ok
	Index       uint64    // of the last answer
	Rows        int       // known, held ones included
	Held        []string  // rows that are missing and still served
	HeldUntil   time.Time // when they are settled next
	Faults      []string  // rows that cannot be used, each with its reason
}

// tracker holds the status of one watch.
type tracker struct {
	mu sync.Mutex
	s  Status
}

func (t *tracker) update(f func(*Status)) {
	t.mu.Lock()
	f(&t.s)
	t.mu.Unlock()
}

func (t *tracker) get() Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.s
	s.Held = slices.Clone(s.Held)
	return s
}

func (c *Client) track(name string) (t *tracker, untrack func()) {
	t = &tracker{s: Status{Name: name, State: StateStarting}}
	c.mu.Lock()
	c.watches[t] = struct{}{}
	c.mu.Unlock()
	return t, func() {
		c.mu.Lock()
		delete(c.watches, t)
		c.mu.Unlock()
	}
}

// Statuses are all watches of the client, by name. A watch that waits in Consul hears nothing of an outage for a minute;
// the heartbeat knows, and speaks for it.
func (c *Client) Statuses() []Status {
	c.mu.Lock()
	trackers := make([]*tracker, 0, len(c.watches))
	for t := range c.watches {
		trackers = append(trackers, t)
	}
	c.mu.Unlock()
	all := make([]Status, 0, len(trackers))
	lost, err := c.beat.verdict()
	for _, t := range trackers {
		s := t.get()
		switch {
		case s.State == StateFailing || !lost:
		case err != nil:
			s.State, s.Err, s.Detail = StateFailing, err, advice(err, "")
		default:
			s.State, s.Detail = StateLeaderless, noLeader
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Status) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// LastContact is the oldest last answer of all watches that ever had one: what is served is no older than that.
func (c *Client) LastContact() time.Time {
	var oldest time.Time
	for _, s := range c.Statuses() {
		if !s.LastContact.IsZero() && (oldest.IsZero() || s.LastContact.Before(oldest)) {
			oldest = s.LastContact
		}
	}
	return oldest
}
