package server

import (
	"maps"
	"math"
	"slices"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/sluice-gateway/sluice/xds/store"
)

// lose plans the removals that are due. They follow the answers to the upserts that were published before or with
// them; what others refer to follows a grace later, and an assignment its cluster.
func (p *planner) lose() {
	outstanding, counted := uint64(math.MaxUint64), false
	for _, t := range p.st.order {
		if len(t.removals) == 0 || !t.armed {
			continue
		}
		if !counted {
			outstanding, counted = p.outstanding(), true
		}
		var items []*item
		for _, name := range slices.Sorted(maps.Keys(t.removals)) {
			if i := p.due(t, name, outstanding); i != nil {
				items = append(items, i)
			}
		}
		if len(items) > 0 {
			p.batches = append(p.batches, batch{t: t, items: items})
		}
	}
}

// due is the item of a removal that may be sent now, or nil.
func (p *planner) due(t *typeState, name string, outstanding uint64) *item {
	key := store.Key{Type: t.url, Name: name}
	if !t.covers(name) || p.v.Find(key).Held { // what is released from being held comes through the log
		delete(t.removals, name)
		return nil
	}
	r := t.removals[name]
	grace := time.Duration(0)
	if t.kind.needed {
		grace = max(p.st.srv.opts.RemovalGrace, 0)
	}
	latest := r.noted.Add(grace + removalWait)
	if r.due.IsZero() && (outstanding > r.generation || !p.now.Before(latest)) {
		r.due = p.now.Add(grace)
	}
	if r.due.IsZero() {
		p.at(latest)
		return nil
	}
	if p.now.Before(r.due) {
		p.at(r.due)
		return nil
	}
	if t.url == resourcev3.EndpointType && t.last(name) != nil && p.now.Before(latest) && p.losingClusters() {
		p.at(latest)
		return nil
	}
	if t.url == resourcev3.EndpointType {
		key.Name = store.Base(name)
	}
	return &item{name: name, key: key, generation: r.generation}
}

// outstanding is the lowest generation of an upsert that the client has not answered yet.
func (p *planner) outstanding() uint64 {
	lowest := uint64(math.MaxUint64)
	for _, t := range p.st.order {
		for _, w := range t.pending {
			if !w.parked {
				lowest = min(lowest, w.generation)
			}
		}
		for _, i := range t.flying {
			if i.resource != nil {
				lowest = min(lowest, i.generation)
			}
		}
	}
	return lowest
}

// losingClusters says that the client is yet to lose clusters.
func (p *planner) losingClusters() bool {
	t := p.st.types[resourcev3.ClusterType]
	if t == nil {
		return false
	}
	if len(t.removals) > 0 {
		return true
	}
	for _, i := range t.flying {
		if i.resource == nil {
			return true
		}
	}
	return false
}
