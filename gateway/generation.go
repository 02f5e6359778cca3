package gateway

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
)

// Generation is that of the listeners' filter list in force, which every replica that is alive can serve; 0 is the
// newest that this one knows.
func (w *World) Generation() int { return w.generation }

// need is something of a block that works with a filter of the listeners alone.
type need struct {
	what  string // the feature
	since int    // the first generation that has the filter
	at    hcl.Range
}

// beyond is the first thing of a form that a filter does which the generation in force lacks; nil: there is none.
func (w *World) beyond(f *Form) *need {
	if w.generation == 0 || f == nil {
		return nil
	}
	return w.rules.needs(f, w.generation)
}

// needs is the first thing of a form that a filter does which came after a generation.
func (r *Rules) needs(f *Form, generation int) (first *need) {
	for _, v := range f.Value.Instances {
		for _, n := range r.asks(v) {
			if n.since > generation && (first == nil || n.at.Start.Byte < first.at.Start.Byte) {
				first = &n
			}
		}
	}
	return first
}

// asks lists what an instance of a block has that filters do.
func (r *Rules) asks(v any) (all []need) {
	add := func(features []Feature) {
		for _, f := range features {
			all = append(all, need{f.FeatureType(), r.since(f.FeatureType()), f.SourceRange()})
		}
	}
	switch v := v.(type) {
	case *Gateway:
		add(v.Features)
	case *Upstream:
		add(v.Features)
	case *FunctionBlock:
		add(v.Features)
	case *Policy:
		add(v.Features)
	case *Route:
		add(v.Features)
		for _, to := range v.To {
			add(to.Features)
			if !to.Function.IsZero() {
				all = append(all, need{"a call of a function", r.Functions, to.Range})
			}
		}
	}
	return all
}

func (r *Rules) since(feature string) int {
	for _, rule := range r.Features {
		if rule.Type == feature {
			return rule.Since
		}
	}
	return 0
}

// beyondGeneration says that a block waits for replicas of older releases to leave.
func (a *application) beyondGeneration(f *Form) *hcl.Diagnostic {
	n := a.w.beyond(f)
	if n == nil {
		return nil
	}
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Generation not in force", Subject: &n.at,
		Detail: fmt.Sprintf("%s needs generation %d of the filter list, and generation %d is in force: a replica of an older release is alive, or was a moment ago. "+
			"The block takes effect when every replica can serve it; until then its last good form stays.", n.what, n.since, a.w.generation),
	}
}

// takeGeneration puts another generation in force: every listener is another, and what needs a filter is judged anew.
func (a *application) takeGeneration(in Input) {
	if in.Generation == 0 || in.Generation == a.w.generation {
		return
	}
	a.w.generation = in.Generation
	for _, g := range a.w.gateways.m {
		for _, l := range g.Listeners {
			a.units[Unit{UnitListener, ListenerKey{g.Name, l.Name}.String()}] = struct{}{}
		}
	}
	for id, b := range a.w.blocks.entries() {
		for _, f := range []*Form{b.Newest, b.InForce} {
			if f != nil && a.w.rules.needs(f, 1) != nil {
				a.reconsider(id)
			}
		}
	}
	for id, f := range a.w.ledger.entries() {
		if a.w.rules.needs(f, 1) != nil {
			a.reconsider(id)
			a.settleUsers(id) // it may come back for those that name it
		}
	}
}
