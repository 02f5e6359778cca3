package ipallow

import (
	"fmt"

	rbacconfigv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

const filterName = "sluice.ip_allow"

// Kind is the feature as the translator and the language know it.
func Kind() translate.Kind {
	return translate.Kind{
		FeatureRule: gateway.FeatureRule{Type: "ip_allow", Combine: gateway.Add, Levels: gateway.AllLevels},
		New:         func() gateway.Feature { return &IPAllow{} },
		Filters:     func() []translate.Filter { return []translate.Filter{translate.AccessFilter(filterName)} },
		Route:       route,
	}
}

// route refuses what one of the blocks does not let pass. Rules that refuse add up, which those that allow do not.
func route(features []gateway.Effective, out *translate.Route) error {
	conditions := map[string]*rbacconfigv3.Principal{}
	for i, f := range features {
		when, err := refused(f.Feature.(*IPAllow))
		if err != nil {
			return err
		}
		conditions[fmt.Sprintf("ip_allow_%d", i)] = when
	}
	return out.Access(filterName, &rbacv3.RBAC{Rules: translate.Refusals(conditions)})
}

// refused holds for the addresses that a block does not let pass.
func refused(a *IPAllow) (*rbacconfigv3.Principal, error) {
	allow, err := prefixes(a.Allow)
	if err != nil {
		return nil, err
	}
	deny, err := prefixes(a.Deny)
	if err != nil {
		return nil, err
	}
	peer := a.Source == sourcePeer
	var any []*rbacconfigv3.Principal
	if len(allow) > 0 {
		var in []*rbacconfigv3.Principal
		for _, p := range allow {
			in = append(in, translate.Whence(peer, p))
		}
		any = append(any, translate.Not(translate.AnyOf(in...)))
	}
	for _, p := range deny {
		any = append(any, translate.Whence(peer, p))
		if mapped, is := translate.Mapped(p); is {
			any = append(any, translate.Whence(peer, mapped))
		}
	}
	return translate.AnyOf(any...), nil
}
