package secrets

import (
	"context"
	"crypto/rand"
	"maps"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// Keeper keeps the secrets that blocks name. Its methods are safe for concurrent use.
type Keeper struct {
	cfg   Config
	env   Getenv
	prove prover
	key   []byte // versions are keyed by it, so that they tell nothing of what they stand for
	conns map[string]*conn

	wish   chan struct{} // Want was called; holds one
	events chan event
	work   sync.WaitGroup

	now    atomic.Pointer[map[gateway.ID]gateway.Material] // never nil; what Reveal gives
	staged map[gateway.ID]gateway.Material                 // of Run alone: what it is to give; zero: nothing

	deadline time.Time // of Run alone: when something may end

	mu      sync.Mutex
	wanted  map[gateway.ID]*gateway.Secret
	entries map[gateway.ID]*entry // written by Run alone
	owed    []debt                // likewise: what is to be given back
	settled map[gateway.ID]string // versions that every Envoy has
	again   chan struct{}         // closed by Refresh
	counts  map[gateway.ID]*counts
}

// New makes a Keeper. It does no I/O; an error is a configuration that cannot work.
func New(cfg Config) (*Keeper, error) {
	return newKeeper(cfg, os.Getenv, nil, proveBySTS)
}

func newKeeper(cfg Config, env Getenv, over func(VaultConfig) http.RoundTripper, prove prover) (*Keeper, error) {
	cfg, err := cfg.withEnv(env)
	if err != nil {
		return nil, err
	}
	k := &Keeper{
		cfg: cfg, env: env, prove: prove, key: make([]byte, 32), conns: map[string]*conn{},
		wish: make(chan struct{}, 1), events: make(chan event),
		entries: map[gateway.ID]*entry{}, again: make(chan struct{}), counts: map[gateway.ID]*counts{},
		staged: map[gateway.ID]gateway.Material{}, settled: map[gateway.ID]string{},
	}
	if _, err := rand.Read(k.key); err != nil {
		return nil, err
	}
	k.now.Store(&map[gateway.ID]gateway.Material{})
	for name, v := range cfg.Vaults {
		k.conns[name] = newConn(name, v, cfg.Log)
		if over != nil {
			k.conns[name].http.Transport = limited{over(v)}
		}
	}
	if cfg.Metrics != nil {
		if err := cfg.Metrics.Register(collector{k}); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// String keeps what a Keeper holds from being printed.
func (k *Keeper) String() string { return "secrets.Keeper" }

// GoString is String.
func (k *Keeper) GoString() string { return k.String() }

// Want says which secrets are needed now, and replaces what was said before. A secret that is no longer named is kept
// for Config.Grace, then forgotten, and its lease revoked. It does not wait. The secrets must not be changed later.
func (k *Keeper) Want(secrets map[gateway.ID]*gateway.Secret) {
	k.mu.Lock()
	k.wanted = maps.Clone(secrets)
	k.mu.Unlock()
	select {
	case k.wish <- struct{}{}:
	default:
	}
}

// Refresh looks at all secrets at once, rather than when it is due. It does not wait.
func (k *Keeper) Refresh() {
	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.again)
	k.again = make(chan struct{})
}

func (k *Keeper) refreshed() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.again
}

// Reveal gives the material of a secret; ok is false while it is unknown, or once it has expired. What it gives belongs
// to the version that was published last, or that Publish is being told now. It takes no lock.
func (k *Keeper) Reveal(secret gateway.ID) (gateway.Material, bool) {
	m, ok := (*k.now.Load())[secret]
	return m, ok
}

var _ gateway.Reveal = (*Keeper)(nil).Reveal

// Run reads, renews and rotates until ctx ends, and returns when all it started has ended. It is called once. Nothing
// is revoked at the end, but of a visit: the Envoys go on with what they have, and leases end by themselves.
func (k *Keeper) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		for _, d := range k.owed {
			k.giveBack(ctx, d.leases)
		}
		k.work.Wait()
		k.leave(ctx)
		for _, c := range k.conns {
			c.http.CloseIdleConnections()
		}
	}()
	k.deadline = time.Now().Add(time.Hour)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		news := map[gateway.ID]string{}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-k.wish:
			k.change(func() { k.arrange(ctx, news) })
		case ev := <-k.events:
			k.change(func() { k.take(ctx, ev, news) })
		case <-timer.C:
		}
		k.gather(ctx, news)
		k.change(k.settle)
		if now := time.Now(); !now.Before(k.deadline) {
			k.change(func() { k.expire(ctx, now, news) })
		}
		timer.Reset(max(time.Millisecond, time.Until(k.deadline)))
		k.reveal() // before anybody is told
		if len(news) > 0 {
			k.cfg.Publish(news)
		}
	}
}

// change is how Run changes entries; others read them under the same lock.
func (k *Keeper) change(do func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	do()
}

// gather takes what else has arrived meanwhile, so that it is published together.
func (k *Keeper) gather(ctx context.Context, news map[gateway.ID]string) {
	for {
		select {
		case ev := <-k.events:
			k.change(func() { k.take(ctx, ev, news) })
		default:
			return
		}
	}
}

// reveal makes what was staged what Reveal gives, all of it at once.
func (k *Keeper) reveal() {
	if len(k.staged) == 0 {
		return
	}
	next := maps.Clone(*k.now.Load())
	for id, m := range k.staged {
		if m.IsZero() {
			delete(next, id)
		} else {
			next[id] = m
		}
	}
	clear(k.staged)
	k.now.Store(&next)
}
