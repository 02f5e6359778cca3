package control

import (
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// Names of inputs that Config.Expect may list.
const (
	InputLedger     = "ledger"     // applied before documents, so that a broken one finds its accepted blocks
	InputDocuments  = "documents"  // the configured place of documents
	InputValues     = "values"     // as the ledger
	InputFunctions  = "functions"  // every finder has answered
	InputEndpoints  = "endpoints"  // every source has answered
	InputReferences = "references" // what references to functions led to: as the ledger
	InputReplicas   = "replicas"   // it is known which generation of the filter list every replica can serve
)

var timeNone time.Time

// resumedAway is how long a replica that stands on last good state alone turns away Envoys that have state of their own.
const resumedAway = 60 * time.Second

// confirmAfter is how long documents of the last run are kept that their place no longer lists.
const confirmAfter = 60 * time.Second

// gate decides when Envoys are let in: when every expected input has answered, when last good state was loaded, or when
// the grace is over.
type gate struct {
	start   time.Time
	grace   time.Duration
	missing map[string]bool
	opened  bool
	full    bool // every input has answered, or the grace is over
	onDisk  bool // last good state was loaded
	first   bool // the first truth of documents and values was taken

	docs   leftover[string]     // documents of the last run
	leaves leftover[gateway.ID] // values of the last run
}

// leftover is what the last run left and its place has not named yet.
type leftover[K comparable] struct {
	names map[K]bool
	until time.Time // when those that are still missing go; zero: not decided
}

func (o *leftover[K]) answered() {
	if len(o.names) > 0 {
		o.until = time.Now().Add(confirmAfter)
	}
}

// take returns what nobody named in time, once.
func (o *leftover[K]) take() map[K]bool {
	if o.until.IsZero() || len(o.names) == 0 || time.Now().Before(o.until) {
		return nil
	}
	gone := o.names
	o.names = nil
	return gone
}

// next is how long until there may be something to take; 0: nothing is to come.
func (o *leftover[K]) next() time.Duration {
	if o.until.IsZero() || len(o.names) == 0 {
		return 0
	}
	return max(time.Until(o.until), time.Millisecond)
}

func newGate(cfg Config) *gate {
	g := &gate{
		start: time.Now(), grace: cfg.Grace, missing: map[string]bool{},
		docs: leftover[string]{names: map[string]bool{}}, leaves: leftover[gateway.ID]{names: map[gateway.ID]bool{}},
	}
	for _, name := range cfg.Expect {
		g.missing[name] = true
	}
	return g
}

func (g *gate) deadline() time.Time { return g.start.Add(g.grace) }

// next is how long until the gate has to be looked at again; 0: when something happens.
func (g *gate) next(frozen bool) (d time.Duration) {
	if !g.full {
		d = max(time.Until(g.deadline()), time.Millisecond)
	}
	if frozen {
		return d
	}
	return sooner(d, sooner(g.docs.next(), g.leaves.next()))
}

func (g *gate) note(answered map[string]bool) {
	for name := range answered {
		delete(g.missing, name)
		switch name {
		case InputDocuments:
			g.docs.answered()
		case InputValues:
			g.leaves.answered()
		}
	}
}

// confirm notes what its place has named, be it taken or waiting.
func (g *gate) confirm(in gateway.Input) {
	if len(g.docs.names) > 0 {
		for name := range in.Documents {
			delete(g.docs.names, name)
		}
	}
	if len(g.leaves.names) > 0 {
		for id := range in.Leaves {
			delete(g.leaves.names, id)
		}
	}
}

// ledgerKnown says that documents may be taken. Before the ledger they would lose what was accepted; before the values
// they would be judged by their defaults, and the last accepted values forgotten; before what references led to, those to
// functions that are silent would lead nowhere.
func (g *gate) ledgerKnown() bool {
	return !g.missing[InputLedger] && !g.missing[InputReferences] && !g.missing[InputValues] || time.Since(g.start) >= g.grace
}

// listed says that documents and values have answered, or are not expected to.
func (g *gate) listed() bool { return !g.missing[InputDocuments] && !g.missing[InputValues] }

// served says that there is something that a freeze can keep: a replica that has nothing takes the first truth.
func (g *gate) served() bool { return g.onDisk || g.first }

// openGate lets Envoys in when it is time, and drops what the last run left and nobody names. It says whether the
// world changed.
func (l *Loop) openGate() (changed bool) {
	g := l.gate
	if !l.frozen {
		changed = l.dropLeftovers()
	}
	over := time.Since(g.start) >= g.grace
	if !g.full && (len(g.missing) == 0 || over) {
		g.full, changed = true, true
		l.apply(gateway.Input{Settled: true}, timeNone)
		if l.cfg.Gate != nil && g.opened {
			l.cfg.Gate.RefuseResumed(time.Time{})
		}
		if len(g.missing) > 0 {
			l.log.Warn("the grace is over: serving without some inputs", "missing", strings.Join(g.names(), ", "))
		}
	}
	if len(g.missing) == 0 && !l.complete.Load() {
		l.complete.Store(true)
		l.subs.wake()
	}
	if g.opened || !g.full && !g.onDisk {
		return changed
	}
	g.opened = true
	l.events.add(Event{Kind: "open", Text: "Envoys are let in"})
	if l.cfg.Gate != nil {
		if !g.full {
			l.cfg.Gate.RefuseResumed(time.Now().Add(resumedAway))
		}
		l.cfg.Gate.Open()
	}
	l.meters.open.Set(1)
	return changed
}

// dropLeftovers forgets documents and values of the last run that their place did not name in time.
func (l *Loop) dropLeftovers() bool {
	in := gateway.Input{Documents: map[string]*gateway.Document{}, Leaves: map[gateway.ID]*string{}}
	for name := range l.gate.docs.take() {
		in.Documents[name] = nil
	}
	for id := range l.gate.leaves.take() {
		in.Leaves[id] = nil
	}
	if len(in.Documents)+len(in.Leaves) == 0 {
		return false
	}
	l.apply(in, timeNone)
	return true
}

func (g *gate) names() (out []string) {
	for name := range g.missing {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
