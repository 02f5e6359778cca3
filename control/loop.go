package control

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/hcl"
	"github.com/sluice-gateway/sluice/xds/store"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// Config is what a Loop is made of. Translator, Store and Schema are required.
type Config struct {
	Schema     *hcl.Schema
	Translator *translate.Translator
	Store      *store.Store
	Sources    Sources  // told what the world asks for; nil: nobody discovers endpoints
	Finders    Finders  // likewise; nil: nobody finds functions
	Secrets    Secrets  // likewise; nil: nobody fetches secrets
	Gate       Gate     // opened when the world is complete; nil: none
	Recorder   Recorder // keeps the ledger and statuses where other replicas see them; nil: nowhere

	Expect   []string      // inputs that answer once before the gate opens
	Grace    time.Duration // the gate opens after it in any case; default 30 s
	StateDir string        // where last good is kept; empty: nowhere
	Roots    []string      // where documents on disk are: see gateway.Rules

	Log     hclog.Logger          // nil: silent
	Metrics prometheus.Registerer // nil: none
}

// Sources is told which sources the world asks for; discovery.Manager is one. Want must not block.
type Sources interface {
	Want(map[gateway.SourceKey]gateway.SourceSpec)
	Seed(map[gateway.SourceKey][]gateway.Endpoint)
}

// Finders are told which functions the world asks for; discovery.Finders are one. Want must not block.
type Finders interface {
	Want(map[gateway.FinderKey]gateway.Finder)
	Seed(map[gateway.FinderKey][]*gateway.Function)
}

// Secrets are told which secrets blocks in force name, and which versions of them have come to be those of every Envoy;
// secrets.Keeper is one. Neither method may block.
type Secrets interface {
	Want(map[gateway.ID]*gateway.Secret)
	Settled(versions map[gateway.ID]string)
}

// Gate lets Envoys in; the xDS server is one.
type Gate interface {
	Open()
	RefuseResumed(until time.Time)
}

// Loop owns the world. Its inputs (inbox.go) and reads are safe for concurrent use.
type Loop struct {
	cfg Config
	log hclog.Logger
	in  *inbox

	world  atomic.Pointer[gateway.World]
	events *journal
	subs   subscribers
	meters *meters
	unfits atomic.Pointer[map[gateway.Unit]*translate.MaterialError] // never nil; units whose secrets cannot be used

	edits    atomic.Uint64 // rises with all that is recorded: endpoints are not
	complete atomic.Bool   // every expected input has answered: the world may be recorded
	outbox   outbox

	// Owned by Run's goroutine.
	w        *gateway.World
	frozen   bool
	gate     *gate
	book     *book
	inquest  *inquest
	settling *settling
	later    map[gateway.Unit]time.Time // when what is not valid yet comes to be
	wanted   bool                       // Sources were told once
	lastGood *keeper
}

// New returns a Loop with an empty world.
func New(cfg Config) (*Loop, error) {
	if cfg.Log == nil {
		cfg.Log = hclog.NewNullLogger()
	}
	if cfg.Grace == 0 {
		cfg.Grace = 30 * time.Second
	}
	l := &Loop{cfg: cfg, log: cfg.Log.Named("control"), in: newInbox(), events: newJournal(), book: newBook(), settling: newSettling(), later: map[gateway.Unit]time.Time{}}
	l.gate = newGate(cfg)
	l.unfits.Store(&map[gateway.Unit]*translate.MaterialError{})
	l.inquest = newInquest(l)
	m, err := newMeters(l, cfg.Metrics)
	if err != nil {
		return nil, err
	}
	l.meters = m
	l.w = gateway.New(&gateway.Rules{Features: cfg.Translator.Rules(), Functions: translate.FunctionsSince, Roots: cfg.Roots})
	l.world.Store(l.w)
	l.lastGood = newKeeper(l)
	return l, nil
}

// World returns the current world; it is immutable.
func (l *Loop) World() *gateway.World { return l.world.Load() }

// Run applies what arrives until ctx ends, and returns after everything that it started has. It never fails for what
// the world outside does.
func (l *Loop) Run(ctx context.Context) error {
	var tasks sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		tasks.Wait()
		l.lastGood.save() // nothing changes any more
	}()
	l.restore()
	tasks.Go(func() { l.lastGood.run(ctx) })
	tasks.Go(func() { l.record(ctx) })
	timer := time.NewTimer(time.Until(l.gate.deadline()))
	defer timer.Stop()
	for {
		l.drain()
		if d := sooner(sooner(l.gate.next(l.frozen), l.inquest.patience()), sooner(l.settling.next(), l.nextLater())); d > 0 {
			timer.Reset(d)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-l.in.wake:
		case <-timer.C:
		}
	}
}

// drain takes everything that waits: endpoints first and between all steps, then answers, then configuration.
func (l *Loop) drain() {
	for again := true; again; {
		again = l.endpointLane()
		again = l.hearAnswers() || again
		again = l.configLane() || again
		again = l.openGate() || again
		again = l.comeLater() || again
	}
	l.settle()
}

func (l *Loop) endpointLane() bool {
	in, since := l.in.lane()
	if len(in.Endpoints)+len(in.Forget)+len(in.Drained) == 0 {
		return false
	}
	l.apply(in, since)
	return true
}

func (l *Loop) configLane() bool {
	answered, frozen := l.in.settings()
	if frozen != nil && *frozen != l.frozen {
		l.frozen = *frozen
		l.events.add(Event{Kind: "freeze", Text: map[bool]string{true: "changes wait", false: "changes are taken again"}[l.frozen]})
	}
	l.gate.note(answered)
	if !l.gate.ledgerKnown() {
		return false
	}
	in, waiting, since := l.in.changes(l.frozen && l.gate.served())
	l.gate.confirm(in)
	l.gate.confirm(waiting)
	l.gate.first = l.gate.first || l.gate.listed()
	if configured(in) == 0 && len(in.Secrets)+in.Generation == 0 {
		return false
	}
	for _, words := range in.Quarantine {
		if words == nil {
			l.book.forgive()
			break
		}
	}
	l.inquest.convicted(in.Quarantine)
	l.apply(in, since)
	return true
}

// configured counts what of an input is recorded, if not by blocks that change.
func configured(in gateway.Input) int {
	return len(in.Documents) + len(in.Leaves) + len(in.Ledger) + len(in.Quarantine) + len(in.Functions) + len(in.Led)
}

// sooner is the shorter of two waits; 0 is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// apply makes the next world and publishes what it touches.
func (l *Loop) apply(in gateway.Input, since time.Time) {
	before := l.w
	start := time.Now()
	l.settling.versions(in.Secrets)
	next, change := gateway.Apply(before, in)
	l.w = next
	l.world.Store(next)
	l.meters.apply(time.Since(start))
	if len(change.Blocks)+configured(in) > 0 || in.Settled {
		l.edits.Add(1)
	}
	if before.Generation() != next.Generation() {
		l.events.add(Event{Kind: "generation", Text: fmt.Sprintf("generation %d of the filter list is in force", next.Generation())})
	}
	l.tell(before, change)
	l.tellTraffic(before, change)
	l.want(change)
	l.publish(change, since)
	l.subs.wake()
}
