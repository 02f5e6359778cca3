package gateway

import "slices"

// layer is one block's features and what the block is.
type layer struct {
	features []Feature
	level    Level
	from     ID
}

// effective combines the features of all levels for one destination (or, with none, for the route's own answer), in
// filter order and within one type weakest first.
func (w *World) effective(g *Gateway, u *Upstream, r *Route, to *Destination, f *Function) []Effective {
	layers := []layer{{g.Features, LevelGateway, ID{KindGateway, g.Name}}}
	if u != nil {
		layers = append(layers, layer{u.Features, LevelUpstream, ID{KindUpstream, u.Name}})
		blocks, ids := w.blocksOn(u.Name, to.Function.ID, f)
		for i, b := range blocks {
			layers = append(layers, layer{b.block.Features, LevelFunction, ids[i]})
		}
	}
	for _, ref := range r.Policies {
		if p := w.policy(ref); p != nil {
			layers = append(layers, layer{p.Features, LevelPolicy, ref.ID})
		}
	}
	layers = append(layers, layer{r.Features, LevelRoute, ID{KindRoute, r.Name}})
	if to != nil {
		layers = append(layers, layer{to.Features, LevelTo, ID{KindRoute, r.Name}})
	}
	return w.rules.merge(layers)
}

// merge combines layers, weakest first, by the rule of each feature type.
func (r *Rules) merge(layers []layer) (out []Effective) {
	any := false
	for _, l := range layers {
		any = any || len(l.features) > 0
	}
	if !any {
		return nil
	}
	for _, rule := range r.Features {
		out = append(out, mergeType(rule, layers)...)
	}
	return out
}

// based is what FeatureBase gives every feature.
type based interface{ Base() *FeatureBase }

func mergeType(rule FeatureRule, layers []layer) (kept []Effective) {
	for _, l := range layers {
		for _, f := range l.features {
			if f.FeatureType() != rule.Type {
				continue
			}
			e := Effective{Feature: f, Level: l.level, From: l.from}
			switch rule.Combine {
			case Add:
				kept = append(kept, e)
			case Compose:
				kept = compose(kept, e)
			default:
				kept = nearest(kept, e)
			}
		}
	}
	return withoutDisabled(kept)
}

func nearest(kept []Effective, e Effective) []Effective {
	if len(kept) == 0 {
		return []Effective{e}
	}
	if base(kept[0]).Locked {
		return kept
	}
	e.Over = append(slices.Clip(kept[0].Over), Effective{Feature: kept[0].Feature, Level: kept[0].Level, From: kept[0].From})
	return []Effective{e}
}

// compose appends; a switched-off block takes away the inherited ones that are not locked.
func compose(kept []Effective, e Effective) []Effective {
	if !off(e) {
		return append(kept, e)
	}
	var locked []Effective
	for _, k := range kept {
		if base(k).Locked {
			locked = append(locked, k)
		}
	}
	return locked
}

func withoutDisabled(list []Effective) (out []Effective) {
	for _, e := range list {
		if !off(e) {
			out = append(out, e)
		}
	}
	return out
}

func off(e Effective) bool {
	b := base(e)
	return b.Enabled != nil && !*b.Enabled
}

func base(e Effective) *FeatureBase {
	if b, ok := e.Feature.(based); ok {
		return b.Base()
	}
	return &FeatureBase{}
}
