package nomad

import (
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/sluice-gateway/sluice/gateway"
)

// probe is what is known of the checks of one registration. They are asked for until they pass, and again when the
// registration changes; what happens later is for active health checks to see.
type probe struct {
	alloc  string
	modify uint64 // of the registration that was asked for
	early  bool   // it was there when the first answer came, so that it is trusted until its checks say otherwise
	since  time.Time
	health gateway.Health

	asking bool
	known  bool      // the checks have answered
	empty  bool      // once there were none, which may be too early
	tries  int       // answers in a row that did not pass
	next   time.Time // when they are asked for; zero: not again
}

// watchChecks keeps the probes in step with the registrations.
func (e *entry) watchChecks(now time.Time, p pace) {
	wanted := false
	for sub := range e.subs {
		wanted = wanted || sub.checks
	}
	if !wanted {
		e.probes, e.judged = nil, false
		return
	}
	if e.probes == nil {
		e.probes, e.judged, e.judgeBy = map[string]*probe{}, false, now.Add(p.judge)
	}
	for id, r := range e.regs {
		have := e.probes[id]
		switch {
		case have == nil:
			have = &probe{alloc: r.AllocID, modify: r.ModifyIndex, early: !e.judged, since: now, next: now, health: gateway.Critical}
			if have.early {
				have.health = gateway.Healthy
			}
			e.probes[id] = have
		case have.modify != r.ModifyIndex:
			have.alloc, have.modify, have.next, have.tries = r.AllocID, r.ModifyIndex, now, 0
		}
	}
	for id := range e.probes {
		if e.regs[id] == nil {
			delete(e.probes, id)
		}
	}
	e.judge(now)
}

// judge says, once, that what was there at first is judged: all has answered, or its time is over.
func (e *entry) judge(now time.Time) (first bool) {
	if e.judged || e.probes == nil {
		return false
	}
	for _, p := range e.probes {
		if !p.known && p.tries == 0 && now.Before(e.judgeBy) {
			return false
		}
	}
	e.judged = true
	return true
}

// health are the states by registration.
func (e *entry) health() map[string]gateway.Health {
	out := make(map[string]gateway.Health, len(e.probes))
	for id, p := range e.probes {
		out[id] = p.health
	}
	return out
}

// failed brings in that the checks could not be asked for. That is not a failing check: what is known stays. A new
// allocation waits for a while; then it is let in at its warning weight, since it may well be fine.
func (p *probe) failed(now time.Time, times pace) (changed bool) {
	p.tries++
	p.next = now.Add(jitter(doubled(times.probe, p.tries, times.probes)))
	if p.known || p.early || now.Sub(p.since) < times.patience || p.health == gateway.Warning {
		return false
	}
	p.health = gateway.Warning
	return true
}

// answered brings in what the checks of the allocation say of a service.
func (p *probe) answered(now time.Time, times pace, service string, all api.AllocCheckStatuses) (changed bool) {
	before := p.health
	passes, any := true, false
	for _, c := range all {
		if c.Service == service {
			any = true
			passes = passes && c.Status == "success"
		}
	}
	if !any && !p.early && !p.empty {
		p.empty, passes = true, false // its checks may not have begun yet: ask once more
	}
	p.health, p.known, p.next = gateway.Healthy, true, time.Time{}
	if passes {
		p.tries = 0
		return before != p.health
	}
	p.health = gateway.Critical
	p.next = now.Add(jitter(doubled(times.probe, p.tries, times.probes)))
	p.tries++
	return before != p.health
}
