package server

import (
	"maps"
	"slices"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/sluice-gateway/sluice/xds/store"
)

// flush reads the log and sends what is due. The stream's lock is held; the store is looked at in one view, and
// nothing is sent before that is closed.
func (st *stream) flush() {
	if st.out == nil || st.settled() {
		return
	}
	now := time.Now()
	v := st.srv.store.View(st.node.Gateway)
	if st.unknown = !v.Known(); st.unknown {
		v.Close()
		return
	}
	p := planner{st: st, v: v, now: now}
	for _, t := range st.order {
		p.look(t)
	}
	for _, t := range st.order {
		p.upserts(t)
	}
	p.tables()
	p.lose()
	v.Close()
	st.report(p.late)
	for _, b := range p.batches {
		if st.send(b) {
			continue
		}
		if st.full.Store(true); !st.send(b) { // again: room may have come before the note did
			break
		}
	}
	for _, t := range st.order {
		t.grown()
		t.trim()
	}
	if !p.next.IsZero() {
		st.timer.Reset(max(time.Until(p.next), 0))
	}
}

// settled says that a flush would find nothing to do: an ACK ends most changes.
func (st *stream) settled() bool {
	for _, t := range st.order {
		if t.compare || t.greet || len(t.asked) > 0 || len(t.pending) > 0 || len(t.removals) > 0 || len(t.untold) > 0 || t.cursor != st.srv.store.Generation() {
			return false
		}
	}
	return true
}

// batch is one response to be.
type batch struct {
	t     *typeState
	items []*item
	empty []string // tables without hosts
}

// planner is one look at the store.
type planner struct {
	st      *stream
	v       store.View
	now     time.Time
	batches []batch
	late    []late    // to be reported when the view is closed
	next    time.Time // when to look again although nothing happens
}

// at notes a time to look again.
func (p *planner) at(t time.Time) {
	if p.next.IsZero() || t.Before(p.next) {
		p.next = t
	}
}

// look brings the type's pending upserts and removals up to the view.
func (p *planner) look(t *typeState) {
	if !t.armed {
		return
	}
	if t.compare || !p.v.Changed(t.url, t.cursor, func(name string, generation uint64) { p.changed(t, name, generation) }) {
		p.compare(t)
	}
	t.compare = false
	t.cursor = p.v.Generation()
	for _, name := range t.asked {
		p.consider(t, name, t.cursor)
		if t.url == resourcev3.EndpointType {
			p.unanswered(t, name)
		}
	}
	t.asked = nil
	t.grown()
}

// changed considers a name of the log under all names by which the client knows it.
func (p *planner) changed(t *typeState, name string, generation uint64) {
	if t.url == resourcev3.EndpointType {
		p.st.srv.store.Asked(name, func(alias string) { p.consider(t, alias, generation) })
	}
	p.consider(t, name, generation)
}

// compare considers everything that the client has or may want.
func (p *planner) compare(t *typeState) {
	g := p.v.Generation()
	if t.sub.IsWildcard() || t.url == resourcev3.VirtualHostType {
		for name := range p.v.Names(t.url) {
			p.consider(t, name, g)
		}
	}
	for name := range t.sub.SubscribedResources() {
		p.consider(t, name, g)
	}
	for name := range t.have {
		p.consider(t, name, g)
	}
	for name := range t.flying {
		p.consider(t, name, g)
	}
	for name := range t.pending {
		p.consider(t, name, g)
	}
}

// consider compares what the client should have with what it has or is being sent.
func (p *planner) consider(t *typeState, name string, generation uint64) {
	if !t.covers(name) {
		return
	}
	f := p.v.Find(store.Key{Type: t.url, Name: name})
	if f.Held {
		return
	}
	last := t.last(name)
	if f.Resource == nil || t.refused[name] != f.Resource.Version {
		delete(t.refused, name) // taken back: should it come again, in other company, it is tried again
	}
	switch {
	case f.Resource == nil && last == nil:
		delete(t.pending, name)
		delete(t.removals, name)
	case f.Resource == nil:
		delete(t.pending, name)
		if t.removals[name] == nil {
			t.removals[name] = &removal{generation: generation, noted: p.now}
		}
	case last != nil && (last.Version == f.Resource.Version || f.Resource.StandIn), t.refused[name] == f.Resource.Version:
		delete(t.pending, name)
		delete(t.removals, name)
	default:
		delete(t.removals, name)
		if old := t.pending[name]; old != nil {
			old.generation, old.part = generation, 0
			return
		}
		t.pending[name] = &pending{generation: generation, since: p.now}
	}
}

// unanswered tells a client at once that an assignment which it has just asked for does not exist: silence would
// stall its cluster.
func (p *planner) unanswered(t *typeState, name string) {
	f := p.v.Find(store.Key{Type: t.url, Name: name})
	if f.Resource == nil && !f.Held && t.covers(name) && t.last(name) == nil {
		t.removals[name] = &removal{generation: t.cursor, noted: p.now, due: p.now}
	}
}

// upserts plans the responses of one type.
func (p *planner) upserts(t *typeState) {
	room := maxInFlight - len(t.inFlight)
	if t.armed && t.greet {
		defer p.greet(t, len(p.batches))
	}
	if !t.armed || len(t.pending) == 0 || room <= 0 {
		return
	}
	parts := map[int][]*item{}
	for _, name := range slices.Sorted(maps.Keys(t.pending)) {
		w := t.pending[name]
		f := p.v.Find(store.Key{Type: t.url, Name: name})
		if f.Held || f.Resource == nil {
			w.parked = true // a change of that is on its way through the log
			continue
		}
		if !p.ready(t, name, w, f.Resource) {
			continue
		}
		parts[w.part] = append(parts[w.part], &item{
			name: name, key: f.Resource.Key, resource: f.Resource, generation: w.generation, published: f.Published,
		})
	}
	for _, part := range slices.Sorted(maps.Keys(parts)) {
		single := part == 0 && t.kind.whole && len(parts[part]) <= smallBatch
		for _, items := range cut(parts[part], single) {
			if room--; room < 0 {
				return
			}
			p.batches = append(p.batches, batch{t: t, items: items})
		}
	}
}

// greet answers a first request to which there is nothing to say: Envoy asks for listeners when it was told of its
// clusters, and is ready when it was told of its listeners, be it none. What is held back is worth waiting for.
func (p *planner) greet(t *typeState, planned int) {
	if len(p.batches) > planned {
		return
	}
	for name := range p.v.Names(t.url) {
		if w := t.pending[name]; w == nil || w.lacks == "" {
			return
		}
	}
	p.batches = append(p.batches, batch{t: t})
}

// cut makes responses of items: one each, or as many as fit.
func cut(items []*item, single bool) [][]*item {
	var out [][]*item
	size := 0
	for i, it := range items {
		n := len(it.resource.Body.GetValue()) + len(it.name) + 64
		if i == 0 || single || size+n > batchBytes {
			out, size = append(out, nil), 0
		}
		size += n
		out[len(out)-1] = append(out[len(out)-1], it)
	}
	return out
}
