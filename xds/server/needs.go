package server

import (
	"slices"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/sluice-gateway/sluice/xds/store"
)

// ready says whether a resource may be sent: all that it needs is there, or it has waited long enough.
func (p *planner) ready(t *typeState, name string, w *pending, r *store.Resource) bool {
	if w.lacks = p.st.node.Lacks(r); w.lacks != "" {
		w.parked = true
		return false
	}
	if w.parked = p.parked(t, name, r); w.parked {
		return false
	}
	if w.blocked.Name != "" && !p.has(w.blocked) {
		return p.waited(name, w)
	}
	w.blocked = store.Key{}
	for _, need := range r.Needs {
		if !p.has(need) {
			w.blocked = need
			return p.waited(name, w)
		}
	}
	return true
}

// waited says that a blocked resource has waited for long enough.
func (p *planner) waited(name string, w *pending) bool {
	limit := w.since.Add(p.st.srv.opts.NeedTimeout)
	if p.now.Before(limit) {
		p.at(limit)
		return false
	}
	if !w.overdue {
		w.overdue = true
		p.late = append(p.late, late{name, w.blocked})
	}
	return true
}

// late is a resource that is sent before what it needs was acknowledged.
type late struct {
	name string
	need store.Key
}

// report counts the late resources of one look at the store, and says it once for all of them: a cluster that warms
// slowly makes every host late that calls it.
func (st *stream) report(all []late) {
	if len(all) == 0 {
		return
	}
	st.srv.metrics.overdue.Add(float64(len(all)))
	st.srv.log.Warn("sent before what it needs was acknowledged", "node", st.node.ID, "gateway", st.node.Gateway,
		"resources", len(all), "resource", all[0].name, "need", all[0].need.String())
}

// parked says that a resource waits for something without a limit: a cluster for an assignment or a secret that is held,
// since Envoy would replace its warm cluster by an empty one, or by one that cannot speak TLS; a virtual host for its RouteConfiguration, since Envoy drops
// virtual hosts that it has no table for.
func (p *planner) parked(t *typeState, name string, r *store.Resource) bool {
	switch t.url {
	case resourcev3.ClusterType:
		a := r.Assignment()
		if a != "" && p.v.Find(store.Key{Type: resourcev3.EndpointType, Name: a}).Held {
			return true
		}
		return slices.ContainsFunc(r.Needs, func(k store.Key) bool { return k.Type == resourcev3.SecretType && p.v.Find(k).Held })
	case resourcev3.VirtualHostType:
		tables := p.st.types[resourcev3.RouteType]
		return tables != nil && tables.have[namespace(name)] == nil
	}
	return false
}

// has says whether the client has acknowledged the present version of a need. What the client cannot get on this
// stream (it does not exist, is held, or was not asked for) is not waited for.
func (p *planner) has(need store.Key) bool {
	t := p.st.types[need.Type]
	if t == nil {
		return true
	}
	if !t.armed {
		return false // it will be in a moment, and that is a reason to plan again
	}
	f := p.v.Find(need)
	if f.Resource == nil || f.Held {
		return true
	}
	if need.Type == resourcev3.EndpointType {
		return p.hasAssignment(t, need.Name, f.Resource)
	}
	if !t.covers(need.Name) {
		return true
	}
	if have := t.have[need.Name]; have != nil && have.Version == f.Resource.Version {
		return true
	}
	if need.Type != resourcev3.ClusterType {
		return false
	}
	flying := t.flying[need.Name]
	return flying != nil && flying.resource != nil && flying.resource.Version == f.Resource.Version && p.warm(f.Resource)
}

// warm says that the client acknowledged the assignment of a cluster whose own ACK has not come: Envoy withholds the
// ACKs of all clusters while one of them warms.
func (p *planner) warm(cluster *store.Resource) bool {
	t := p.st.types[resourcev3.EndpointType]
	return t != nil && cluster.Assignment() != "" && t.have[cluster.Assignment()] != nil
}

// hasAssignment says that no name by which the client asks for the assignment is without an answer.
func (p *planner) hasAssignment(t *typeState, name string, r *store.Resource) bool {
	ok := true
	check := func(n string) {
		if t.covers(n) && (t.have[n] == nil || t.have[n].Version != r.Version) {
			ok = false
		}
	}
	check(name)
	if base := store.Base(name); base == name {
		p.st.srv.store.Asked(base, check)
	}
	return ok
}
