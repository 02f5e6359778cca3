package control

import "github.com/sluice-gateway/sluice/gateway"

// want tells sources, finders and secrets what the world asks for, when blocks changed that can ask.
func (l *Loop) want(change gateway.Change) {
	upstreams, secrets := !l.wanted, !l.wanted
	for _, id := range change.Blocks {
		switch id.Kind {
		case gateway.KindUpstream:
			upstreams, secrets = true, true
		case gateway.KindGateway, gateway.KindRoute, gateway.KindPolicy, gateway.KindFunction, gateway.KindSecret:
			secrets = true
		}
	}
	l.wanted = true
	if upstreams && l.cfg.Sources != nil {
		specs := map[gateway.SourceKey]gateway.SourceSpec{}
		for k, s := range l.w.Sources() {
			specs[k] = s.Spec
		}
		l.cfg.Sources.Want(specs)
	}
	if upstreams && l.cfg.Finders != nil {
		l.cfg.Finders.Want(l.w.Finders())
	}
	if secrets && l.cfg.Secrets != nil {
		l.cfg.Secrets.Want(l.w.Secrets())
	}
}
