package gateway

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// EachExpr visits every expression that a block holds in exported fields, at any depth, parents first.
func EachExpr(block any, visit func(Expr)) { eachExpr(reflect.ValueOf(block), visit) }

func eachExpr(v reflect.Value, visit func(Expr)) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			eachExpr(v.Elem(), visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			eachExpr(v.Index(i), visit)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			eachExpr(v.MapIndex(k), visit)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[Expr]() {
			v.Interface().(Expr).Walk(visit)
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				eachExpr(v.Field(i), visit)
			}
		}
	}
}

// strangers finds variables of the path that no match of a route has: in the route's own expressions where a match takes
// its path from a function (of all others the language saw it), and in policies, which the language sees by themselves.
func (w *World) strangers(p *prepared, r *Route) hcl.Diagnostics {
	own := slices.ContainsFunc(r.Matches, func(m *Match) bool { return !m.Function.IsZero() })
	if !own && len(r.Policies) == 0 || slices.Contains(p.matches, nil) {
		return nil
	}
	s := &strangers{known: map[string]bool{}}
	for _, m := range p.matches {
		maps.Copy(s.known, pathVariables(m))
	}
	if own {
		s.route(r)
		s.rewrites(p.matches, r)
	}
	s.policies(w, r)
	slices.SortStableFunc(s.diags, func(x, y *hcl.Diagnostic) int { return x.Subject.Start.Byte - y.Subject.Start.Byte })
	return s.diags
}

// strangers is one such search.
type strangers struct {
	known map[string]bool
	diags hcl.Diagnostics
}

// find calls found with every name that is not known, and where it is read.
func (s *strangers) find(block any, found func(name string, at hcl.Range)) {
	EachExpr(block, func(e Expr) {
		if e.Op == OpRequest && len(e.Path) == 2 && e.Path[0] == "path" && !s.known[e.Path[1]] {
			found(e.Path[1], e.Range)
		}
	})
}

func (s *strangers) tell(at hcl.Range, detail string) {
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Unknown path variable", Subject: &at, Detail: detail}
	s.diags = appendNew(s.diags, hcl.Diagnostics{d})
}

func (s *strangers) hint(name string) string { return suggest(name, slices.Sorted(maps.Keys(s.known))) }

// route looks through the route itself. An expression without a place of its own, from a local, is told at the route's.
func (s *strangers) route(r *Route) {
	s.find(r, func(name string, at hcl.Range) {
		if at.Filename == "" {
			at = r.Range
		}
		s.tell(at, fmt.Sprintf("No match of the route has a variable {%s}.%s", name, s.hint(name)))
	})
}

// rewrites looks through the new paths of destinations: they need their variables in every match.
func (s *strangers) rewrites(matches []*Match, r *Route) {
	for _, to := range r.To {
		parts, err := ParsePathTemplate(to.Path)
		if to.Path == "" || err != nil {
			continue // the language said it
		}
		for _, p := range parts {
			if p.Name != "" && slices.ContainsFunc(matches, func(m *Match) bool { return !pathVariables(m)[p.Name] }) {
				s.tell(to.Range, fmt.Sprintf("The path %q uses {%s}, which not every match of the route has.%s", to.Path, p.Name, s.hint(p.Name)))
			}
		}
	}
}

// policies looks through what is in force on the route of each policy. Other routes may use it well, so the mistake is
// the route's that names it.
func (s *strangers) policies(w *World, r *Route) {
	var there map[Feature]bool
	for _, ref := range r.Policies {
		policy := w.policy(ref)
		if policy == nil {
			continue
		}
		for _, f := range policy.Features {
			s.find(f, func(name string, at hcl.Range) {
				if there == nil {
					there = w.fromPolicies(r)
				}
				if !there[f] {
					return
				}
				if at.Filename == "" {
					at = f.SourceRange()
				}
				s.tell(ref.Range, fmt.Sprintf("The %s block of %s reads request.path.%s at %s, and no match of this route has a variable {%s}.%s",
					f.FeatureType(), ref.Text(), name, at, name, s.hint(name)))
			})
		}
	}
}

// fromPolicies is the set of the features of policies that are in force on some destination of a route.
func (w *World) fromPolicies(r *Route) map[Feature]bool {
	var layers []layer
	for _, ref := range r.Policies {
		if p := w.policy(ref); p != nil {
			layers = append(layers, layer{p.Features, LevelPolicy, ref.ID})
		}
	}
	layers = append(layers, layer{r.Features, LevelRoute, ID{KindRoute, r.Name}})
	out := map[Feature]bool{}
	add := func(to []Feature) {
		for _, e := range w.rules.merge(append(slices.Clip(layers), layer{to, LevelTo, ID{KindRoute, r.Name}})) {
			out[e.Feature] = true
		}
	}
	add(nil)
	for _, to := range r.To {
		add(to.Features)
	}
	return out
}
