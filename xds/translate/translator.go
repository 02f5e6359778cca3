package translate

import (
	"fmt"
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
)

// Translator builds Envoy's resources from the inputs of units. It is immutable and safe for concurrent use.
type Translator struct {
	kinds   []Kind
	filters []Filter
	calls   *memo[transcoding] // of gRPC methods
	parts   *memo[*call]       // of their transcoders
	reveal  gateway.Reveal     // nil: it builds no secret
}

// New makes a Translator of the features in filter order. Two kinds of one type, or two filters of one name, are a
// mistake of the program and an error.
func New(kinds []Kind) (*Translator, error) {
	t := &Translator{calls: &memo[transcoding]{}, parts: &memo[*call]{}, kinds: kinds}
	types, names := map[string]bool{}, map[string]bool{routerFilter: true}
	for _, k := range kinds {
		if types[k.Type] {
			return nil, fmt.Errorf("feature %s is listed twice", k.Type)
		}
		types[k.Type] = true
		if k.Filters == nil {
			continue
		}
		for _, f := range k.Filters() {
			if names[f.Name] {
				return nil, fmt.Errorf("feature %s: filter %s is listed twice", k.Type, f.Name)
			}
			if f.Since > Generation {
				return nil, fmt.Errorf("feature %s: filter %s is of generation %d, and the newest is %d", k.Type, f.Name, f.Since, Generation)
			}
			names[f.Name] = true
			t.filters = append(t.filters, f)
		}
	}
	return t, nil
}

// Rules says what the merge has to know of each feature, in filter order.
func (t *Translator) Rules() []gateway.FeatureRule {
	rules := make([]gateway.FeatureRule, len(t.kinds))
	for i, k := range t.kinds {
		rules[i] = k.FeatureRule
		rules[i].Since = max(k.Since, k.since())
	}
	return rules
}

// Build translates one unit. The result is nil where the unit has no content any more: it is to be removed. Equal
// inputs give equal bytes. An error is a bug of sluice, or a value that no diagnostic caught; it names the block.
func (t *Translator) Build(in gateway.Inputs) (*Resource, error) {
	if len(in.Gateways) == 0 {
		return nil, nil
	}
	r, err := t.build(in)
	if err != nil {
		return nil, fmt.Errorf("translate %s: %w", in.Unit.Name, err)
	}
	if r == nil {
		return nil, nil
	}
	if err := validate(r.Message); err != nil {
		return nil, fmt.Errorf("translate %s: %w", in.Unit.Name, err)
	}
	r.Requires = append(r.Requires, t.requires(in)...)
	return r, nil
}

// requires lists the extensions of the filters that a resource names: all of them in a listener, those of the features
// in force in a host.
func (t *Translator) requires(in gateway.Inputs) []string {
	switch in.Unit.Type {
	case gateway.UnitListener, gateway.UnitHTTP3:
		filters := append(t.filtersOf(in.Generation), grpcLogs(in.Generation)...)
		if in.Listener.Scoped() {
			filters = append(filters, Filter{Requires: earlyMutation})
		}
		return required(filters)
	case gateway.UnitHost:
		return t.requiredByTable(in.Table)
	case gateway.UnitScope:
		var all []*gateway.TableRoute
		for _, h := range in.Hosts {
			all = append(all, h.Table...)
		}
		return t.requiredByTable(all)
	}
	return nil
}

// requiredByTable lists the extensions that the routes of a table need.
func (t *Translator) requiredByTable(table []*gateway.TableRoute) []string {
	used := map[string]bool{}
	for _, tr := range table {
		use(used, tr.Features)
		for _, d := range tr.Destinations {
			use(used, d.Features)
		}
	}
	return t.requiredBy(used, append(grpcUsed(table), stickyUsed(table)...))
}

func use(types map[string]bool, features []gateway.Effective) {
	for _, e := range features {
		types[e.Feature.FeatureType()] = true
	}
}

// requiredBy lists the extensions that features of these types, and further filters, need.
func (t *Translator) requiredBy(types map[string]bool, filters []Filter) []string {
	for _, k := range t.kinds {
		if types[k.Type] && k.Filters != nil {
			filters = append(filters, k.Filters()...)
		}
	}
	return required(filters)
}

// required lists the extensions of filters, sorted.
func required(filters []Filter) (out []string) {
	for _, f := range filters {
		if f.Requires != "" {
			out = append(out, f.Requires)
		}
		out = append(out, f.Brings...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (t *Translator) build(in gateway.Inputs) (*Resource, error) {
	switch in.Unit.Type {
	case gateway.UnitListener, gateway.UnitHTTP3:
		return t.listener(in)
	case gateway.UnitRoutes:
		return routes(in)
	case gateway.UnitHost:
		return t.host(in)
	case gateway.UnitScope:
		return t.scope(in)
	case gateway.UnitCluster:
		return t.cluster(in)
	case gateway.UnitAssignment:
		return t.assignment(in)
	case gateway.UnitScript:
		return scriptResource()
	case gateway.UnitSecret:
		return t.secret(in)
	case gateway.UnitSigner:
		return t.signer(in)
	}
	return nil, fmt.Errorf("unit type %d is unknown", in.Unit.Type)
}

// apply runs a hook of every kind that has features in the list, in filter order.
func (t *Translator) apply(features []gateway.Effective, hook func(Kind, []gateway.Effective) error) error {
	if len(features) == 0 {
		return nil
	}
	for _, k := range t.kinds {
		var own []gateway.Effective
		for _, e := range features {
			if e.Feature.FeatureType() == k.Type {
				own = append(own, e)
			}
		}
		if len(own) == 0 {
			continue
		}
		if err := hook(k, own); err != nil {
			return fmt.Errorf("%s at %s: %w", k.Type, own[len(own)-1].Feature.SourceRange(), err)
		}
	}
	return nil
}
