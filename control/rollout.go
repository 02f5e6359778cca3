package control

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// Peer is what a replica that is alive says of itself.
type Peer struct {
	Generation int // the newest of the filter list that it can serve
	InForce    int // what it serves; 0: it has not decided yet
}

// RolloutConfig says what a Rollout decides about. All of it is required.
type RolloutConfig struct {
	Newest int           // generation that this replica can serve
	Hold   time.Duration // how long a replica is gone before its generation no longer counts
	Set    func(generation int)
}

// Rollout decides which generation of the filter list is in force: the highest that every replica can serve. A lower one
// is taken at once. A higher one is taken when the replica that could not serve it has been gone for the hold, so that
// its restart does not drain every listener twice; a replica that starts meanwhile follows those that it finds.
type Rollout struct {
	cfg  RolloutConfig
	wake chan struct{}

	mu      sync.Mutex
	peers   map[string]Peer // nil: nothing was heard yet
	inForce int
}

// NewRollout makes a Rollout; Run makes it work.
func NewRollout(cfg RolloutConfig) *Rollout {
	return &Rollout{cfg: cfg, wake: make(chan struct{}, 1)}
}

// Heard takes the replicas that are alive, all of them, this one or not. It does not block; only the newest list counts.
func (r *Rollout) Heard(alive map[string]Peer) {
	r.mu.Lock()
	r.peers = maps.Clone(alive)
	if r.peers == nil {
		r.peers = map[string]Peer{}
	}
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// InForce is the generation that was decided; 0 before the first list was heard.
func (r *Rollout) InForce() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inForce
}

// Run calls Set with what is decided, first after the first list, until ctx ends; it returns ctx's error.
func (r *Rollout) Run(ctx context.Context) error {
	d := decision{newest: r.cfg.Newest, hold: r.cfg.Hold, seen: map[string]sight{}}
	timer := time.NewTimer(r.cfg.Hold)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.wake:
		case <-timer.C:
		}
		r.mu.Lock()
		peers, before := r.peers, r.inForce
		r.mu.Unlock()
		now, again := d.take(time.Now(), peers)
		if timer.Stop(); again > 0 {
			timer.Reset(again)
		}
		if now == before {
			continue
		}
		r.mu.Lock()
		r.inForce = now
		r.mu.Unlock()
		r.cfg.Set(now)
	}
}

// decision is what a Rollout remembers. It reads no clock.
type decision struct {
	newest int
	hold   time.Duration

	seen   map[string]sight // replicas that are alive, or were less than the hold ago
	since  time.Time        // of the first list; zero: there was none
	elders []string         // replicas of the first list that had decided
}

// sight is when a replica was there.
type sight struct {
	generation int
	gone       time.Time // zero: it is alive
}

// take says which generation is in force now, and when to ask again if nothing is heard; 0: no need to.
func (d *decision) take(now time.Time, alive map[string]Peer) (inForce int, again time.Duration) {
	if d.since.IsZero() {
		d.since = now
		for name, p := range alive {
			if p.InForce > 0 {
				d.elders = append(d.elders, name)
			}
		}
	}
	for name, p := range alive {
		d.seen[name] = sight{generation: p.Generation}
	}
	inForce = d.newest
	for name, s := range d.seen {
		if _, here := alive[name]; !here {
			if s.gone.IsZero() {
				s.gone = now
				d.seen[name] = s
			}
			left := d.hold - now.Sub(s.gone)
			if left <= 0 {
				delete(d.seen, name)
				continue
			}
			again = sooner(again, left)
		}
		inForce = min(inForce, s.generation)
	}
	if young := d.hold - now.Sub(d.since); young > 0 && len(d.elders) > 0 {
		again = sooner(again, young)
		for name, p := range alive {
			if slices.Contains(d.elders, name) && p.InForce > 0 {
				inForce = min(inForce, p.InForce)
			}
		}
	}
	return inForce, again
}
