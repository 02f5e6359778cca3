// Package mirror is the feature "mirror": a copy of a share of the requests goes to another upstream.
package mirror

import (
	"math"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

const million = 1_000_000

// Mirror copies requests to an upstream whose answers nobody waits for.
type Mirror struct {
	gateway.FeatureBase
	Upstream gateway.Ref `hcl:"upstream" ref:"upstream"`
	Percent  *float64    `hcl:"percent,optional" min:"0" max:"100"` // share of the requests; default all
}

var _ gateway.Feature = (*Mirror)(nil)

// FeatureType is the block's name.
func (*Mirror) FeatureType() string { return "mirror" }

// Refs names the upstream that gets the copies.
func (m *Mirror) Refs() []gateway.Ref { return []gateway.Ref{m.Upstream} }

// Kind is the feature as the translator and the language know it.
func Kind() translate.Kind {
	return translate.Kind{
		FeatureRule: gateway.FeatureRule{Type: "mirror", Combine: gateway.Nearest, Levels: gateway.AllLevels},
		New:         func() gateway.Feature { return &Mirror{} },
		Route:       route,
	}
}

func route(features []gateway.Effective, out *translate.Route) error {
	if out.Action == nil {
		return nil // there is no request to an upstream that could be copied
	}
	m := features[len(features)-1].Feature.(*Mirror)
	share := uint32(million)
	if m.Percent != nil {
		share = uint32(math.Round(*m.Percent * million / 100))
	}
	out.Action.RequestMirrorPolicies = append(out.Action.RequestMirrorPolicies, &routev3.RouteAction_RequestMirrorPolicy{
		Cluster: m.Upstream.Name,
		RuntimeFraction: &corev3.RuntimeFractionalPercent{DefaultValue: &typev3.FractionalPercent{
			Numerator: share, Denominator: typev3.FractionalPercent_MILLION,
		}},
	})
	out.Needs = translate.AddNeed(out.Needs, translate.Key{TypeURL: translate.ClusterType, Name: m.Upstream.Name})
	return nil
}
