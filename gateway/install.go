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
			a.upstreamUnits(name)
			a.installPlatform(v)
		case *Gateway:
			a.w.gateways.set(name, v)
			a.installListeners(v, 1)
			a.gatewayUnits(v)
		case *FunctionBlock:
			a.installFunction(name, v)
		case *Team:
			a.w.teams.set(name, v)
			a.teamChanged(v)
		case *Secret:
			a.w.secrets.set(ID{KindSecret, name}, v)
			a.secretUnits(ID{KindSecret, name})
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
		a.upstreamUnits(name)
		a.uninstallPlatform(v)
	case *Gateway:
		a.w.gateways.del(name)
		a.installListeners(v, -1)
		a.gatewayUnits(v)
	case *FunctionBlock:
		a.installFunction(name, nil)
	case *Team:
		a.w.teams.del(name)
		a.teamChanged(v)
	case *Secret:
		a.w.secrets.del(ID{KindSecret, name})
		a.secretUnits(ID{KindSecret, name})
	}
}

func (a *application) upstreamUnits(name string) {
	a.units[Unit{UnitCluster, name}] = struct{}{}
	a.units[Unit{UnitAssignment, name}] = struct{}{}
}

// installPlatform keeps what an upstream asks finders for and whose credentials sign its calls.
func (a *application) installPlatform(u *Upstream) {
	if finders := FindersOf(u); len(finders) > 0 {
		a.w.finders.set(u.Name, finders)
	}
	a.installMesh(u, 1)
	if u.Lambda != nil {
		a.w.signs.add(u.Lambda.Credentials.ID, u.Name, 1)
		a.units[Unit{UnitSigner, u.Name}] = struct{}{}
	}
}

func (a *application) uninstallPlatform(u *Upstream) {
	a.w.finders.del(u.Name)
	a.installMesh(u, -1)
	if u.Lambda != nil {
		a.w.signs.add(u.Lambda.Credentials.ID, u.Name, -1)
		a.units[Unit{UnitSigner, u.Name}] = struct{}{}
	}
}

func (a *application) gatewayUnits(g *Gateway) {
	a.units[Unit{UnitScript, ScriptName}] = struct{}{}
	for _, l := range g.Listeners {
		k := ListenerKey{g.Name, l.Name}
		a.units[Unit{UnitListener, k.String()}] = struct{}{}
		a.units[Unit{UnitHTTP3, k.String()}] = struct{}{}
		a.units[Unit{UnitRoutes, k.String()}] = struct{}{}
		a.units[ScopeUnit(k, "")] = struct{}{}
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
			a.forgetFunction(t)
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

// targets are the written blocks that forms name, a function's upstream too; a route that names no gateway names
// anyGateway.
func targets(forms ...*Form) map[ID]bool {
	out := map[ID]bool{}
	for _, f := range forms {
		if f == nil {
			continue
		}
		for _, ref := range f.Value.Refs {
			out[ref.ID.Written()] = true
			if up, _, ok := SplitFunction(ref.ID); ok {
				out[ID{KindUpstream, up}.Written()] = true
			}
		}
		for _, v := range f.Value.Instances {
			if r, ok := v.(*Route); ok && len(r.Gateways) == 0 {
				out[anyGateway] = true
			}
		}
	}
	return out
}
