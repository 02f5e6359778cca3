package gateway

import "maps"

// install replaces what a block puts into the derived maps and marks what depends on it.
func (a *application) install(before, next *Block, form *Form) {
	id := before.ID
	a.reindexUsers(next, form)
	if before.InForce == form {
		return
	}
	a.settleUsers(id)
	for name, v := range instances(before.InForce) {
		a.uninstall(name, v)
	}
	for name, v := range instances(form) {
		switch v := v.(type) {
		case *Upstream:
			a.w.upstreams.set(name, v)
			for _, s := range v.Sources {
				a.w.bySource.add(s.Spec.SourceKey(), name, 1)
			}
			a.units[Unit{UnitCluster, name}] = struct{}{}
			a.units[Unit{UnitAssignment, name}] = struct{}{}
		case *Gateway:
			a.w.gateways.set(name, v)
			a.gatewayUnits(v)
		}
	}
	if id.Kind == KindGateway {
		a.settleUsers(anyGateway)
	}
}

func (a *application) uninstall(name string, v any) {
	switch v := v.(type) {
	case *Upstream:
		a.w.upstreams.del(name)
		for _, s := range v.Sources {
			a.w.bySource.add(s.Spec.SourceKey(), name, -1)
		}
		a.units[Unit{UnitCluster, name}] = struct{}{}
		a.units[Unit{UnitAssignment, name}] = struct{}{}
	case *Gateway:
		a.w.gateways.del(name)
		a.gatewayUnits(v)
	}
}

func (a *application) gatewayUnits(g *Gateway) {
	for _, l := range g.Listeners {
		k := ListenerKey{g.Name, l.Name}
		a.units[Unit{UnitListener, k.String()}] = struct{}{}
		a.units[Unit{UnitRoutes, k.String()}] = struct{}{}
	}
}

func instances(f *Form) map[string]any {
	if f == nil {
		return nil
	}
	return f.Value.Instances
}

// reindexUsers keeps who names whom, for the newest form, the one in force and the one that would be.
func (a *application) reindexUsers(b *Block, form *Form) {
	id := b.ID
	was, will := a.w.names.get(id), targets(b.Newest, form, b.lapsed)
	for t := range was {
		if !will[t] {
			a.w.users.add(t, id, -1)
		}
	}
	for t := range will {
		if !was[t] {
			a.w.users.add(t, id, 1)
		}
	}
	if len(will) == 0 {
		a.w.names.del(id)
	} else if !maps.Equal(was, will) {
		a.w.names.set(id, will)
	}
}

// targets are the written blocks that forms name; a route that names no gateway names anyGateway.
func targets(forms ...*Form) map[ID]bool {
	out := map[ID]bool{}
	for _, f := range forms {
		if f == nil {
			continue
		}
		for _, ref := range f.Value.Refs {
			out[ref.ID.Written()] = true
		}
		for _, v := range f.Value.Instances {
			if r, ok := v.(*Route); ok && len(r.Gateways) == 0 {
				out[anyGateway] = true
			}
		}
	}
	return out
}
