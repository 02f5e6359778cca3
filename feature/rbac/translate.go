package rbac

import (
	"fmt"
	"maps"
	"slices"

	rbacconfigv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

const filterName = "sluice.rbac"

// Kind is the feature as the translator and the language know it.
func Kind() translate.Kind {
	return translate.Kind{
		FeatureRule: gateway.FeatureRule{Type: "rbac", Combine: gateway.Add, Levels: gateway.AllLevels},
		New:         func() gateway.Feature { return &RBAC{} },
		Filters:     func() []translate.Filter { return []translate.Filter{translate.AccessFilter(filterName)} },
		Route:       route,
	}
}

// route has each block refuse by itself what it does not let pass, so that all of them hold. A block's name and place
// make its rule's name, which metrics and logs show.
func route(features []gateway.Effective, out *translate.Route) error {
	enforced, shadow := map[string]*rbacconfigv3.Principal{}, map[string]*rbacconfigv3.Principal{}
	for i, f := range features {
		r := f.Feature.(*RBAC)
		when, err := refused(r)
		if err != nil {
			return err
		}
		name := fmt.Sprintf("rbac_%d_%s", i, r.Name)
		if r.Action == actionShadow {
			shadow[name] = when
		} else {
			enforced[name] = when
		}
	}
	return out.Access(filterName, &rbacv3.RBAC{
		Rules: translate.Refusals(enforced), ShadowRules: translate.Refusals(shadow),
		ShadowRulesStatPrefix: "sluice_", TrackPerRuleStats: true,
	})
}

// refused holds for the requests that a block does not let pass. Where it is not certain whether a condition fits, a rule
// that allows takes it that it does not, and one that denies that it does.
func refused(r *RBAC) (*rbacconfigv3.Principal, error) {
	deny := r.Action == actionDeny || r.Action == actionShadow && r.As == actionDeny
	var rules []*rbacconfigv3.Principal
	for _, rule := range r.Rules {
		var all []*rbacconfigv3.Principal
		if rule.From != nil {
			from, err := rule.From.conditions(deny)
			if err != nil {
				return nil, err
			}
			all = append(all, from...)
		}
		if rule.To != nil {
			all = append(all, rule.To.conditions(deny)...)
		}
		rules = append(rules, translate.AllOf(all...))
	}
	if deny {
		return translate.AnyOf(rules...), nil
	}
	return translate.Not(translate.AnyOf(rules...)), nil
}

func (f *From) conditions(deny bool) (all []*rbacconfigv3.Principal, err error) {
	var in []*rbacconfigv3.Principal
	for _, text := range f.Addresses {
		p, why := translate.AddressRange(text)
		if why != "" {
			return nil, fmt.Errorf("read address: %s", why)
		}
		in = append(in, translate.Whence(false, p))
		if mapped, is := translate.Mapped(p); is && deny {
			in = append(in, translate.Whence(false, mapped))
		}
	}
	all = appendAny(all, in)
	all = append(all, headers(f.Headers, deny)...)
	for _, name := range slices.Sorted(maps.Keys(f.Claims)) {
		all = append(all, claim(name, f.Claims[name]))
	}
	all = appendAny(all, each(f.Clients, func(s string) *rbacconfigv3.Principal { return header(translate.ClientHeader, exact(s)) }))
	all = appendAny(all, each(f.Subjects, func(s string) *rbacconfigv3.Principal { return claim("sub", s) }))
	sans, err := certificates(f.SAN)
	return appendAny(all, sans), err
}

func (o *To) conditions(deny bool) (all []*rbacconfigv3.Principal) {
	all = appendAny(all, each(o.Methods, func(m string) *rbacconfigv3.Principal { return header(":method", exact(m)) }))
	if len(o.Paths)+len(o.Prefixes) > 0 {
		all = append(all, paths(o.Paths, o.Prefixes, deny))
	}
	return append(all, headers(o.Headers, deny)...)
}

// appendAny adds the condition that one of a list holds, if there is a list.
func appendAny(all, list []*rbacconfigv3.Principal) []*rbacconfigv3.Principal {
	if len(list) == 0 {
		return all
	}
	return append(all, translate.AnyOf(list...))
}

func each(list []string, make func(string) *rbacconfigv3.Principal) (out []*rbacconfigv3.Principal) {
	for _, s := range list {
		out = append(out, make(s))
	}
	return out
}
