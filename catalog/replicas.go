package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/go-hclog"
)

// Replica is what a control plane says of itself at PREFIX/replicas/NAME for as long as it lives.
type Replica struct {
	Generation int    `json:"generation"` // the newest of the filter list that it can serve
	InForce    int    `json:"in_force"`   // what it serves; 0: it has not decided yet
	Version    string `json:"version"`    // of the program
}

// Announcer keeps the key of this replica in Consul: it is bound to a session and goes with it. It is safe for
// concurrent use.
type Announcer struct {
	c    *Client
	name string
	wake chan struct{}

	mu   sync.Mutex
	says Replica
}

// NewAnnouncer makes an announcer; each session has a key of its own, NAME-SESSION. Run makes it work.
func (c *Client) NewAnnouncer(name string, says Replica) *Announcer {
	return &Announcer{c: c, name: name, says: says, wake: make(chan struct{}, 1)}
}

// Set says what is announced from now on. It does not block; only the newest counts.
func (a *Announcer) Set(says Replica) {
	a.mu.Lock()
	a.says = says
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// Run announces until ctx ends, and returns ctx's error. The key is gone then, or goes when the session expires.
func (a *Announcer) Run(ctx context.Context) error {
	for fails := 0; ctx.Err() == nil; fails++ {
		worked, err := a.session(ctx)
		if ctx.Err() != nil {
			break
		}
		if worked {
			fails = 0
		}
		level := hclog.Warn
		if fails > 0 || errors.Is(err, errLost) || unanswered(err) { // the heartbeat tells of an outage, once
			level = hclog.Debug
		}
		a.c.log.Log(level, "this replica is not announced: others may serve what it cannot", "error", err)
		_ = sleep(ctx, time.Duration((0.5+a.c.rand()/2)*float64(doubled(retryFirst, fails, retryLast)))) // the loop sees that ctx has ended
	}
	return ctx.Err()
}

// session announces under one session until it is lost.
func (a *Announcer) session(ctx context.Context) (worked bool, err error) {
	call, cancel := within(ctx)
	id, _, err := a.c.api.Session().CreateNoChecks(&api.SessionEntry{
		Name: a.c.key(replicasDir + a.name), TTL: sessionTTL.String(), Behavior: api.SessionBehaviorDelete,
	}, (&api.WriteOptions{}).WithContext(call))
	cancel()
	if err != nil {
		return false, fmt.Errorf("create consul session: %w", bare(err))
	}
	defer a.end(id)
	if err := a.write(ctx, id); err != nil {
		return false, err
	}
	lost := make(chan error, 1)
	renewing, stop := context.WithCancel(ctx)
	var renewal sync.WaitGroup
	renewal.Go(func() { lost <- a.c.renew(renewing, id) })
	defer renewal.Wait()
	defer stop()
	for {
		select {
		case err := <-lost:
			return true, err
		case <-a.wake:
			if err := a.write(ctx, id); err != nil {
				return true, err
			}
		}
	}
}

func (a *Announcer) write(ctx context.Context, session string) error {
	a.mu.Lock()
	value, err := json.Marshal(a.says)
	a.mu.Unlock()
	if err != nil {
		return err
	}
	ctx, cancel := within(ctx)
	defer cancel()
	key := a.c.key(replicasDir + a.name + "-" + session[:min(8, len(session))])
	ok, _, err := a.c.api.KV().Acquire(&api.KVPair{Key: key, Value: value, Session: session}, (&api.WriteOptions{}).WithContext(ctx))
	if err != nil {
		return fmt.Errorf("write %s: %w", key, bare(err))
	}
	if !ok {
		return errLost
	}
	return nil
}

// end takes the key away at once. What cannot be said is found out by the TTL.
func (a *Announcer) end(session string) {
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	if _, err := a.c.api.Session().Destroy(session, (&api.WriteOptions{}).WithContext(ctx)); err != nil {
		a.c.log.Debug("consul session left to expire", "error", err)
	}
}

// Replicas watches PREFIX/replicas/ until ctx ends: update is called by one goroutine with all that are alive, first
// even where there is none. A key that no session holds, or that cannot be read, is no replica.
func (c *Client) Replicas(ctx context.Context, update func(map[string]Replica), alive func()) error {
	known := map[string]Replica{}
	return c.watchSet(ctx, replicasDir, func(ch Change) {
		for _, p := range ch.Set {
			delete(known, p.Key)
			if r, ok := readReplica(p); ok {
				known[p.Key] = r
			} else {
				c.log.Warn("a key is not that of a living replica and does not count", "key", c.key(replicasDir+p.Key))
			}
		}
		for _, k := range ch.Deleted {
			delete(known, k)
		}
		update(maps.Clone(known))
	}, alive)
}

func readReplica(p Pair) (r Replica, ok bool) {
	err := json.Unmarshal(p.Value, &r)
	return r, err == nil && p.Session != "" && r.Generation >= 1 && r.InForce >= 0
}
