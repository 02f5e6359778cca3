package gateway

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
)

// Inputs collects what a unit is built from. A unit that has no Gateways is to be removed.
func (w *World) Inputs(u Unit) Inputs {
	in := Inputs{Unit: u}
	switch u.Type {
	case UnitListener, UnitHTTP3:
		w.listenerInputs(&in, u.Name)
		in.Generation = w.generation
		if u.Type == UnitHTTP3 && (in.Listener == nil || !in.Listener.HTTP3) {
			in = Inputs{Unit: u}
		}
	case UnitRoutes:
		w.listenerInputs(&in, u.Name)
		if in.Listener.Scoped() {
			in = Inputs{Unit: u}
		}
	case UnitScope:
		w.scopeInputs(&in)
	case UnitHost:
		w.hostInputs(&in)
	case UnitCluster, UnitAssignment:
		w.upstreamInputs(&in)
	case UnitSecret:
		w.secretInputs(&in)
	case UnitSigner:
		w.signerInputs(&in)
	case UnitScript:
		w.scriptInputs(&in)
	}
	slices.SortFunc(in.Forms, func(a, b FormRef) int { return cmp.Or(CompareID(a.ID, b.ID), cmp.Compare(a.Hash, b.Hash)) })
	in.Forms = slices.Compact(in.Forms)
	return in
}

func (w *World) listenerInputs(in *Inputs, name string) {
	gw, listener, _ := strings.Cut(name, ".")
	g := w.gateways.get(gw)
	if g == nil || g.listener(listener) == nil {
		return
	}
	in.Gateways = []string{gw}
	in.Gateway, in.Listener = g, g.listener(listener)
	in.form(w, ID{KindGateway, gw})
}

func (w *World) hostInputs(in *Inputs) {
	name, host, _ := strings.Cut(in.Unit.Name, "/")
	table := w.tables.get(in.Unit)
	if len(table) == 0 {
		return
	}
	w.listenerInputs(in, name)
	if in.Listener.Scoped() {
		*in = Inputs{Unit: in.Unit}
		return
	}
	in.Host, in.Table = host, table
	in.tableForms(w, table)
}

// tableForms notes the blocks that contribute to a table.
func (in *Inputs) tableForms(w *World, table []*TableRoute) {
	seen := map[ID]bool{}
	for _, e := range table {
		in.Forms = append(in.Forms, e.Form)
		if seen[e.Form.ID] {
			continue
		}
		seen[e.Form.ID] = true
		for t := range targets(instancesForm(w, e.Form.ID)) {
			if !seen[t] && t != anyGateway {
				seen[t] = true
				in.form(w, t)
			}
		}
		for _, d := range e.Destinations {
			if d.Function == nil {
				continue
			}
			if !d.form.IsZero() {
				in.Forms = append(in.Forms, d.form)
			}
			if _, ids := w.blocksOn(d.Upstream.Name, d.To.Function.ID, d.Function); len(ids) > 0 {
				for _, id := range ids {
					in.form(w, id)
				}
			}
		}
	}
}

func instancesForm(w *World, id ID) *Form {
	if b := w.blocks.get(id); b != nil {
		return b.InForce
	}
	return nil
}

func (in *Inputs) form(w *World, id ID) {
	if f := instancesForm(w, id.Written()); f != nil {
		in.Forms = append(in.Forms, FormRef{id.Written(), f.Hash})
	}
}

func (w *World) upstreamInputs(in *Inputs) {
	name := in.Unit.Name
	u := w.upstreams.get(name)
	if u == nil {
		return
	}
	in.Gateways = slices.Sorted(maps.Keys(w.uses.of(name)))
	in.Upstream = u
	in.form(w, ID{KindUpstream, name})
	in.Subsets = slices.SortedFunc(maps.Keys(w.subsets.of(name)), func(a, b SubsetKeys) int {
		return cmp.Or(strings.Compare(a.Keys, b.Keys), compareBool(a.Fallback, b.Fallback))
	})
	if in.Unit.Type == UnitCluster {
		in.Features = w.rules.merge([]layer{{u.Features, LevelUpstream, ID{KindUpstream, name}}})
		return
	}
	if len(in.Gateways) > 0 { // what nobody uses is removed, known or not
		in.Endpoints, in.Held = w.merged(u)
	}
}

// Merged returns the endpoints of an upstream from all its sources; held says that too little is known to publish.
func (w *World) Merged(upstream string) (list []Locals, held bool) {
	u := w.upstreams.get(upstream)
	if u == nil {
		return nil, false
	}
	return w.merged(u)
}

// merged joins the sources of an upstream. With weights, every source is a locality of its own with that share of its
// priority; without, endpoints group by where they run. The same address and port counts once: for the
// first source that names it, as well as the best of its instances there.
// While a source is unknown and no other has an endpoint that takes traffic, too little is known, for however long.
func (w *World) merged(u *Upstream) ([]Locals, bool) {
	type group struct {
		priority int
		locality Locality
	}
	type place struct {
		in     *Locals
		at     int
		source int
	}
	groups := map[group]*Locals{}
	seen := map[string]place{}
	unknown, taking := 0, false
	for i, s := range u.Sources {
		list, ok := w.sources.lookup(s.Spec.SourceKey())
		if !ok {
			unknown++
			continue
		}
		if s.Weight != nil && *s.Weight == 0 {
			continue
		}
		for _, e := range list {
			addr := net.JoinHostPort(e.Address, strconv.Itoa(int(e.Port)))
			if w.drained.get(addr) {
				e.Health = Draining
			}
			taking = taking || e.Health == Healthy || e.Health == Warning
			if p, twice := seen[addr]; twice {
				if p.source == i && e.Health < p.in.Endpoints[p.at].Health {
					p.in.Endpoints[p.at] = e
				}
				continue
			}
			k := group{s.Priority, e.Locality}
			if s.Weight != nil {
				k.locality = Locality{SubZone: fmt.Sprintf("source-%d", i)}
			}
			g := groups[k]
			if g == nil {
				g = &Locals{Priority: k.priority, Locality: k.locality}
				if s.Weight != nil {
					g.Weight = uint32(*s.Weight)
				}
				groups[k] = g
			}
			seen[addr] = place{g, len(g.Endpoints), i}
			g.Endpoints = append(g.Endpoints, e)
		}
	}
	held := unknown > 0 && (!w.settled || !taking)
	return sortedLocals(slices.Collect(maps.Values(groups))), held
}

func sortedLocals(groups []*Locals) (out []Locals) {
	for _, g := range groups {
		slices.SortFunc(g.Endpoints, func(a, b Endpoint) int {
			return cmp.Or(strings.Compare(a.ID, b.ID), strings.Compare(a.Address, b.Address), cmp.Compare(a.Port, b.Port))
		})
		out = append(out, *g)
	}
	slices.SortFunc(out, func(a, b Locals) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), strings.Compare(a.Locality.Region, b.Locality.Region),
			strings.Compare(a.Locality.Zone, b.Locality.Zone), strings.Compare(a.Locality.SubZone, b.Locality.SubZone))
	})
	return out
}

// listener returns a gateway's listener by name; nil where there is none.
func (g *Gateway) listener(name string) *Listener {
	for _, l := range g.Listeners {
		if l.Name == name {
			return l
		}
	}
	return nil
}

func (g *Gateway) listenerNames() (names []string) {
	for _, l := range g.Listeners {
		names = append(names, l.Name)
	}
	return names
}
