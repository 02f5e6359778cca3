// Package timeout is the feature "timeout": how long a request may take.
package timeout

import (
	"time"

	"github.com/hashicorp/hcl/v2"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// Timeout bounds a request in time. What is left out keeps its default; 0s switches a bound off.
type Timeout struct {
	gateway.FeatureBase
	Request *time.Duration `hcl:"request,optional" min:"0s" max:"24h"` // from the request's end to the response's end, retries included
	Idle    *time.Duration `hcl:"idle,optional" min:"0s" max:"24h"`    // without a byte in either direction; default 5m, or Request where that is longer
}

var (
	_ gateway.Feature = (*Timeout)(nil)
	_ gateway.Checker = (*Timeout)(nil)
)

// FeatureType is the block's name.
func (*Timeout) FeatureType() string { return "timeout" }

// Check refuses a block that bounds nothing.
func (t *Timeout) Check(ranges map[string]hcl.Range) hcl.Diagnostics {
	if t.Request != nil || t.Idle != nil || t.Enabled != nil {
		return nil
	}
	at := ranges[""]
	return hcl.Diagnostics{{
		Severity: hcl.DiagError, Summary: "Empty timeout", Subject: &at,
		Detail: `A timeout block sets request, idle or both, for example request = "3s".`,
	}}
}

// Kind is the feature as the translator and the language know it.
func Kind() translate.Kind {
	return translate.Kind{
		FeatureRule: gateway.FeatureRule{Type: "timeout", Combine: gateway.Nearest, Levels: gateway.AllLevels},
		New:         func() gateway.Feature { return &Timeout{} },
		Route:       route,
	}
}

func route(features []gateway.Effective, out *translate.Route) error {
	if out.Action == nil {
		return nil // the gateway answers by itself, at once
	}
	t := features[len(features)-1].Feature.(*Timeout)
	if t.Request != nil {
		out.Action.Timeout = durationpb.New(*t.Request)
	}
	switch {
	case t.Idle != nil:
		out.Action.IdleTimeout = durationpb.New(*t.Idle)
	case t.Request != nil && *t.Request > translate.StreamIdleTimeout:
		out.Action.IdleTimeout = durationpb.New(*t.Request) // or the listener's own would end what may last longer
	}
	return nil
}
