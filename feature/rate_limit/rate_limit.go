// Package ratelimit is the feature "rate_limit": so many requests in a time, counted by the control plane.
package ratelimit

import (
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// What a request gets while no control plane counts.
const (
	serviceAllow = "allow"
	serviceDeny  = "deny"
)

// RateLimit allows Requests in any stretch of time as long as Per, for each value of Key.
type RateLimit struct {
	gateway.FeatureBase
	Name           string        `hcl:"name,label"`
	Requests       int           `hcl:"requests" min:"1" max:"1000000000"`
	Per            time.Duration `hcl:"per" min:"1s" max:"24h"`
	Key            gateway.Expr  `hcl:"key,optional"` // a part of the request, or a list of them; none: one counter
	Status         int           `hcl:"status,optional" default:"429" min:"400" max:"599"`
	WithoutService string        `hcl:"without_service,optional" default:"allow" oneof:"allow deny"`
	Shadow         bool          `hcl:"shadow,optional"` // counts, and refuses nothing
}

var (
	_ gateway.Feature = (*RateLimit)(nil)
	_ gateway.Checker = (*RateLimit)(nil)
)

// FeatureType is the block's name.
func (*RateLimit) FeatureType() string { return "rate_limit" }

// Kind is the feature as the translator and the language know it.
func Kind() translate.Kind {
	return translate.Kind{
		FeatureRule: gateway.FeatureRule{Type: "rate_limit", Combine: gateway.Add, Levels: gateway.AllLevels},
		New:         func() gateway.Feature { return &RateLimit{} },
		Filters: func() []translate.Filter {
			return []translate.Filter{translate.ChainFilter(place, "envoy.filters.http.ratelimit")}
		},
		Route: route,
	}
}

// Check refuses keys that Envoy cannot read by itself.
func (l *RateLimit) Check(ranges map[string]hcl.Range) (diags hcl.Diagnostics) {
	if !isStatus(l.Status) {
		at := ranges["status"]
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Invalid status", Subject: &at,
			Detail: fmt.Sprintf("%d is no status that Envoy can answer with. Use a registered one, such as 429 or 503.", l.Status),
		})
	}
	for _, k := range l.keys() {
		if action(k, "") != nil {
			continue
		}
		at := ranges["key"]
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Unsupported key", Subject: &at,
			Detail: fmt.Sprintf("Part of the key of %q is none that can be counted by. Use request.client_ip, request.method, request.host, "+
				"request.headers[\"NAME\"], request.auth.client, request.auth.subject or request.auth.claims.NAME, or a list of these.", l.Name),
		})
	}
	return diags
}

// keys are the parts of the key.
func (l *RateLimit) keys() []gateway.Expr {
	switch l.Key.Op {
	case gateway.OpNone:
		return nil
	case gateway.OpTuple:
		return l.Key.Args
	}
	return []gateway.Expr{l.Key}
}
