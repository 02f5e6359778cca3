package control

import (
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/server"
	"github.com/sluice-gateway/sluice/xds/store"
)

// book keeps what was published, from which forms, and which Envoys have yet to say yes.
type book struct {
	nodes   map[uint64]server.Node // connected streams
	entries map[store.Key]*entry
	open    map[gateway.FormRef]int // how many published resources that hold a form are not acknowledged by all
	freed   []gateway.ID            // blocks of which a form left open since freedNow was called
	removed int                     // entries that stand for resources that are gone, at most
}

// entry is one published resource, or what is remembered of one that is gone.
type entry struct {
	version  string // empty: it is gone
	forms    []gateway.FormRef
	gateways []string
	good     []gateway.FormRef   // of the last version that Envoys acknowledged, all that were asked; nil: none did
	was      string              // the version of good
	left     map[uint64]struct{} // streams that have not acknowledged this version; empty: settled
	heard    bool                // some Envoy has acknowledged this version
	early    map[uint64]string   // versions that streams acknowledged and that were not, or no longer, the present one
	since    time.Time           // when the change arrived that made this version
	bad      map[string]string   // versions that some Envoy refused, and its words: none is published again
}

// keptRefusals bounds the refused versions that are remembered for one resource.
const keptRefusals = 64

// refuse remembers that an Envoy did not take the present version.
func (e *entry) refuse(words string) {
	if e.bad == nil || len(e.bad) >= keptRefusals {
		e.bad = map[string]string{}
	}
	e.bad[e.version] = words
}

// forgive lets versions be tried again that were refused.
func (b *book) forgive() {
	for _, e := range b.entries {
		e.bad = nil
	}
}

func newBook() *book {
	return &book{nodes: map[uint64]server.Node{}, entries: map[store.Key]*entry{}, open: map[gateway.FormRef]int{}}
}

// expect notes a published resource. Every connected Envoy of its gateways is to acknowledge it, unless it is what
// they have or what they had before they refused another. Assignments are not waited for: no block makes a bad one.
// The answer is what an Envoy said of this very version when it refused it; then it must not be published.
func (b *book) expect(r *store.Resource, u gateway.Unit, forms []gateway.FormRef, since time.Time) (refusal string) {
	e := b.entries[r.Key]
	if e == nil {
		e = &entry{}
		b.entries[r.Key] = e
	}
	b.close(e)
	switch {
	case r.Version == e.was || u.Type == gateway.UnitAssignment:
		e.left, e.heard = nil, r.Version == e.was
	case r.Version != e.version:
		e.since, e.left = since, b.audience(r)
		e.heard = e.answered(r.Version)
	}
	e.version, e.forms, e.gateways = r.Version, forms, r.Gateways
	if words, bad := e.bad[r.Version]; bad {
		e.left = nil
		return words
	}
	if len(e.left) == 0 {
		e.prove()
		return ""
	}
	for _, f := range forms {
		b.open[f]++
	}
	return ""
}

// answered strikes those out that acknowledged a version before it became the present one: they have it, and have
// nothing more to say.
func (e *entry) answered(version string) (heard bool) {
	for stream, v := range e.early {
		if v == version {
			delete(e.left, stream)
			heard = true
		}
	}
	return heard
}

// prove notes that the present version is good, when an Envoy has said so.
func (e *entry) prove() {
	if _, bad := e.bad[e.version]; e.heard && !bad {
		e.good, e.was = e.forms, e.version
	}
}

// audience is the streams of a resource's gateways, but for Envoys that are not sent it for want of an extension.
func (b *book) audience(r *store.Resource) map[uint64]struct{} {
	out := map[uint64]struct{}{}
	for id, n := range b.nodes {
		if slices.Contains(r.Gateways, n.Gateway) && n.Lacks(r) == "" {
			out[id] = struct{}{}
		}
	}
	return out
}

// close takes an entry out of the count of open forms.
func (b *book) close(e *entry) {
	if len(e.left) == 0 {
		return
	}
	for _, f := range e.forms {
		if b.open[f]--; b.open[f] <= 0 {
			delete(b.open, f)
			b.freed = append(b.freed, f.ID)
		}
	}
}

// freedNow returns the blocks that may have nothing left to wait for, because a resource changed or went.
func (b *book) freedNow() []gateway.ID {
	out := b.freed
	b.freed = nil
	return out
}

// remove notes that a resource is gone. What Envoys said of it is remembered for a while: when it comes back at once,
// they may never have heard that it went.
func (b *book) remove(k store.Key) {
	e := b.entries[k]
	if e == nil || e.version == "" {
		return
	}
	b.close(e)
	e.version, e.forms, e.left, e.heard = "", nil, nil, false
	if b.removed++; b.removed > 1000+len(b.entries)/2 {
		b.removed = 0
		for k, e := range b.entries {
			if e.version == "" {
				delete(b.entries, k)
			}
		}
	}
}

// yes notes that a stream has a version, and returns the entry when that was the last one missing.
func (b *book) yes(stream uint64, v server.Versioned) *entry {
	e := b.entries[v.Key]
	if e == nil {
		return nil
	}
	delete(e.early, stream)
	if e.version != v.Version {
		if v.Version != "" {
			if e.early == nil {
				e.early = map[uint64]string{}
			}
			e.early[stream] = v.Version
		}
		return nil
	}
	if v.Version == "" {
		return nil
	}
	e.heard = true
	if _, waited := e.left[stream]; waited {
		return b.strike(e, stream)
	}
	if len(e.left) == 0 {
		e.prove() // it came after all others had spoken
	}
	return nil
}

func (b *book) strike(e *entry, stream uint64) *entry {
	if len(e.left) > 1 {
		delete(e.left, stream)
		return nil
	}
	b.close(e)
	delete(e.left, stream)
	e.prove()
	return e
}

// gone forgets a stream; resources that waited for it alone are settled by the others.
func (b *book) gone(stream uint64) (settled []*entry) {
	delete(b.nodes, stream)
	for _, e := range b.entries {
		delete(e.early, stream)
		if _, waited := e.left[stream]; waited {
			if s := b.strike(e, stream); s != nil {
				settled = append(settled, s)
			}
		}
	}
	return settled
}

// settled lists the pending blocks among ids whose every resource is acknowledged.
func (b *book) settled(w *gateway.World, ids []gateway.ID) (out []gateway.FormRef) {
	for _, id := range ids {
		blk := w.Block(id)
		if blk == nil || blk.State != gateway.StatePending || blk.InForce == nil {
			continue
		}
		if ref := (gateway.FormRef{ID: id, Hash: blk.InForce.Hash}); b.open[ref] == 0 {
			out = append(out, ref)
		}
	}
	return out
}

// hearAnswers takes what Envoys said.
func (l *Loop) hearAnswers() bool {
	answers := l.in.answersNow()
	touched := map[gateway.ID]bool{}
	settle := func(e *entry) {
		l.meters.acked(e.since)
		for _, f := range e.forms {
			touched[f.ID] = true
		}
	}
	for _, a := range answers {
		l.settling.hear(a, l.book.nodes)
		switch a.kind {
		case connected:
			l.book.nodes[a.node.Stream] = a.node
			l.events.add(Event{Kind: "connected", Node: a.node.ID, Text: "an Envoy of gateway " + a.node.Gateway + " connected"})
		case disconnected:
			for _, e := range l.book.gone(a.node.Stream) {
				if !e.heard {
					l.inquest.unheard(e.forms)
				}
				settle(e)
			}
			l.events.add(Event{Kind: "disconnected", Node: a.node.ID, Text: "an Envoy of gateway " + a.node.Gateway + " left"})
		case acked:
			for _, v := range a.keys {
				if e := l.book.yes(a.node.Stream, v); e != nil {
					settle(e)
				}
			}
		case nacked:
			l.refused(a)
		}
	}
	if len(touched) > 0 {
		ids := make([]gateway.ID, 0, len(touched))
		for id := range touched {
			ids = append(ids, id)
		}
		slices.SortFunc(ids, gateway.CompareID)
		l.accept(l.book.settled(l.w, ids))
	}
	l.inquest.proceed()
	return len(answers) > 0
}

// accept tells the world which forms every Envoy has acknowledged; those under question wait for its end.
func (l *Loop) accept(forms []gateway.FormRef) {
	ledger := map[gateway.ID]*gateway.Form{}
	for _, ref := range forms {
		if !l.inquest.suspects(ref) {
			ledger[ref.ID] = l.w.Block(ref.ID).InForce
		}
	}
	if len(ledger) > 0 {
		l.apply(gateway.Input{Ledger: ledger}, time.Time{})
	}
}

// refused handles a NACK: what the current version of a resource newly holds is suspect.
func (l *Loop) refused(a answer) {
	for _, v := range a.keys {
		l.log.Warn("an Envoy refused a resource", "node", a.node.ID, "resource", v.Key.String(), "version", v.Version, "error", a.words)
		l.events.add(Event{Kind: "nack", Node: a.node.ID, Text: v.Key.String() + ": " + a.words})
		e := l.book.entries[v.Key]
		if e == nil || e.version != v.Version {
			continue
		}
		e.refuse(a.words)
		l.inquest.refused(v.Key, e.forms, a.words, e.gateways)
	}
}
