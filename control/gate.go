package control

import (
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// Names of inputs that Config.Expect may list.
const (
	InputLedger    = "ledger"    // applied before documents, so that a broken one finds its accepted blocks
	InputDocuments = "documents" // the configured place of documents
	InputValues    = "values"
	InputEndpoints = "endpoints" // every source has answered
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
	full    bool // every input has answered
	onDisk  bool // last good state was loaded

	stale   map[string]bool // documents of the last run that their place has not named yet
	staleAt time.Time       // when those that are still missing go; zero: not decided
}

func newGate(cfg Config) *gate {
	g := &gate{start: time.Now(), grace: cfg.Grace, missing: map[string]bool{}, stale: map[string]bool{}}
	for _, name := range cfg.Expect {
		g.missing[name] = true
	}
	return g
}

func (g *gate) deadline() time.Time { return g.start.Add(g.grace) }

// next is how long until the gate has to be looked at again; 0: when something happens.
func (g *gate) next() time.Duration {
	switch {
	case !g.staleAt.IsZero() && len(g.stale) > 0:
		return max(time.Until(g.staleAt), time.Millisecond)
	case !g.full && time.Since(g.start) < g.grace:
		return max(time.Until(g.deadline()), time.Millisecond)
	}
	return 0
}

func (g *gate) note(answered map[string]bool) {
	for name := range answered {
		delete(g.missing, name)
		if name == InputDocuments && len(g.stale) > 0 {
			g.staleAt = time.Now().Add(confirmAfter)
		}
	}
}

// confirm notes the documents that their place has named.
func (g *gate) confirm(docs map[string]*gateway.Document) {
	for name := range docs {
		delete(g.stale, name)
	}
}

func (g *gate) ledgerKnown() bool {
	return !g.missing[InputLedger] || time.Since(g.start) >= g.grace
}

// openGate lets Envoys in when it is time, and drops what the last run left and nobody names.
func (l *Loop) openGate() {
	g := l.gate
	if !g.staleAt.IsZero() && !time.Now().Before(g.staleAt) && len(g.stale) > 0 {
		gone := map[string]*gateway.Document{}
		for name := range g.stale {
			gone[name] = nil
		}
		clear(g.stale)
		l.apply(gateway.Input{Documents: gone}, timeNone)
	}
	over := time.Since(g.start) >= g.grace
	if !g.full && (len(g.missing) == 0 || over) {
		g.full = true
		l.complete.Store(len(g.missing) == 0)
		l.apply(gateway.Input{Settled: true}, timeNone)
		if l.cfg.Gate != nil && g.opened {
			l.cfg.Gate.RefuseResumed(time.Time{})
		}
		if len(g.missing) > 0 {
			l.log.Warn("the grace is over: serving without some inputs", "missing", strings.Join(g.names(), ", "))
		}
	}
	if g.opened || !g.full && !g.onDisk {
		return
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
}

func (g *gate) names() (out []string) {
	for name := range g.missing {
		out = append(out, name)
	}
	return out
}
