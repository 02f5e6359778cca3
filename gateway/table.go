package gateway

import (
	"maps"
	"slices"
)

// tableDelta is what changes in the table of one host.
type tableDelta struct {
	drop map[ID]bool
	add  []*TableRoute
}

// replaceFlat takes one flat form of a route out of tables and indexes and puts another in.
func (a *application) replaceFlat(before, after *flat) {
	if before == after {
		return
	}
	if before != nil {
		for u := range before.tables {
			d := a.delta(u)
			d.drop[before.form.ID] = true
			d.add = slices.DeleteFunc(d.add, func(e *TableRoute) bool { return e.Form.ID == before.form.ID })
		}
	}
	for u, entries := range after.units() {
		d := a.delta(u)
		d.drop[after.form.ID] = true
		d.add = append(d.add, entries...)
	}
	a.count(after, 1)
	a.count(before, -1)
	a.countScopes(after, 1)
	a.countScopes(before, -1)
}

func (a *application) delta(u Unit) *tableDelta {
	d := a.touched[u]
	if d == nil {
		d = &tableDelta{drop: map[ID]bool{}}
		a.touched[u] = d
	}
	return d
}

// count keeps which gateways use an upstream and by which selectors; both are part of what a cluster is built from.
func (a *application) count(f *flat, n int) {
	if f == nil {
		return
	}
	touch := func(upstream string) {
		a.upstreamUnits(upstream)
		u := a.w.upstreams.get(upstream)
		if u == nil {
			return
		}
		a.meshUnits(u)
		if u.Lambda != nil {
			a.units[Unit{UnitSigner, upstream}] = struct{}{}
		}
	}
	for u := range f.uses {
		if a.w.uses.add(u.upstream, u.gateway, n) {
			touch(u.upstream)
		}
	}
	for c := range f.carries {
		if a.w.carried.add(c.ID, carrier{c.part(), c.gateway}, n) {
			a.units[c.Unit()] = struct{}{}
		}
	}
	for s := range f.selects {
		if a.w.subsets.add(s.upstream, s.keys, n) {
			touch(s.upstream)
		}
	}
}

// writeTables brings the touched tables into their deciding order.
func (a *application) writeTables() {
	for u, d := range a.touched {
		a.units[u] = struct{}{}
		var table []*TableRoute
		for _, e := range a.w.tables.get(u) {
			if !d.drop[e.Form.ID] {
				table = append(table, e)
			}
		}
		table = append(table, d.add...)
		if was := a.w.tables.get(u); (len(was) == 0) != (len(table) == 0) {
			a.hostsChanged(u)
		}
		if len(table) == 0 {
			a.w.tables.del(u)
			continue
		}
		slices.SortFunc(table, CompareTable)
		a.w.tables.set(u, table)
	}
}

// Hosts lists the hosts that have routes on a listener, sorted.
func (w *World) Hosts(k ListenerKey) (hosts []string) {
	prefix := k.String() + "/"
	for u := range w.tables.m {
		if u.Type == UnitHost && len(u.Name) > len(prefix) && u.Name[:len(prefix)] == prefix {
			hosts = append(hosts, u.Name[len(prefix):])
		}
	}
	slices.Sort(hosts)
	return hosts
}

// AllUnits lists every unit of the world, sorted: what a full rebuild builds.
func (w *World) AllUnits() []Unit {
	set := map[Unit]struct{}{}
	for _, g := range w.gateways.m {
		set[Unit{UnitScript, ScriptName}] = struct{}{}
		for _, l := range g.Listeners {
			k := ListenerKey{g.Name, l.Name}
			set[Unit{UnitListener, k.String()}] = struct{}{}
			if l.HTTP3 {
				set[Unit{UnitHTTP3, k.String()}] = struct{}{}
			}
			set[Unit{UnitRoutes, k.String()}] = struct{}{}
			if l.Scoped() {
				set[ScopeUnit(k, "")] = struct{}{}
			}
		}
	}
	for u := range w.tables.m {
		set[u] = struct{}{}
	}
	for name := range w.scopes.entries() {
		set[Unit{UnitScope, name}] = struct{}{}
	}
	for name, u := range w.upstreams.m {
		set[Unit{UnitCluster, name}] = struct{}{}
		set[Unit{UnitAssignment, name}] = struct{}{}
		if u.Lambda != nil {
			set[Unit{UnitSigner, name}] = struct{}{}
		}
		for _, use := range u.MeshUses() {
			set[use.Unit()] = struct{}{}
		}
	}
	for id, uses := range w.carried.entries() {
		for c := range uses {
			set[secretUnit(id, c.part)] = struct{}{}
		}
	}
	return slices.SortedFunc(maps.Keys(set), CompareUnit)
}
