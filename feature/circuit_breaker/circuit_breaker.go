// Package circuitbreaker is the feature "circuit_breaker": bounds on what an upstream is given at a time.
package circuitbreaker

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/hashicorp/hcl/v2"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// CircuitBreaker refuses at once what an upstream would not bear. Each bound is of one Envoy. What is left out keeps
// Envoy's default: 1024 connections, waiting and running requests, and 3 retries at a time.
type CircuitBreaker struct {
	gateway.FeatureBase
	Connections            *int         `hcl:"connections,optional" min:"1" max:"1000000"`              // open at a time
	ConnectionsPerEndpoint *int         `hcl:"connections_per_endpoint,optional" min:"1" max:"1000000"` // to one endpoint; default unbounded
	Pending                *int         `hcl:"pending,optional" min:"1" max:"1000000"`                  // waiting for a connection
	Requests               *int         `hcl:"requests,optional" min:"1" max:"1000000"`                 // running at a time
	Retries                *int         `hcl:"retries,optional" min:"1" max:"1000000"`                  // running at a time
	RetryBudget            *RetryBudget `hcl:"retry_budget,block"`
}

// RetryBudget bounds retries by what else is running: a share of it, and never less than Least.
type RetryBudget struct {
	Percent float64 `hcl:"percent,optional" default:"20" min:"0" max:"100"`
	Least   int     `hcl:"least,optional" default:"3" min:"0" max:"1000000"` // retries that are always allowed at a time
}

var (
	_ gateway.Feature = (*CircuitBreaker)(nil)
	_ gateway.Checker = (*CircuitBreaker)(nil)
)

// FeatureType is the block's name.
func (*CircuitBreaker) FeatureType() string { return "circuit_breaker" }

// Check refuses a block without a bound, and two bounds on retries.
func (c *CircuitBreaker) Check(ranges map[string]hcl.Range) hcl.Diagnostics {
	wrong := func(attribute, summary, detail string) hcl.Diagnostics {
		at, ok := ranges[attribute]
		if !ok {
			at = ranges[""]
		}
		return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at}}
	}
	switch {
	case c.Retries != nil && c.RetryBudget != nil:
		return wrong("retries", "Two bounds on retries", "A retry_budget replaces the number of retries. Remove retries, or the block.")
	case c.Enabled == nil && !c.bounds():
		return wrong("", "Empty circuit breaker", `A circuit_breaker block sets at least one bound, for example requests = 200.`)
	}
	return nil
}

func (c *CircuitBreaker) bounds() bool {
	return c.Connections != nil || c.ConnectionsPerEndpoint != nil || c.Pending != nil || c.Requests != nil || c.Retries != nil || c.RetryBudget != nil
}

// Kind is the feature as the translator and the language know it.
func Kind() translate.Kind {
	return translate.Kind{
		FeatureRule: gateway.FeatureRule{Type: "circuit_breaker", Combine: gateway.Nearest, Levels: gateway.LevelUpstream},
		New:         func() gateway.Feature { return &CircuitBreaker{} },
		Cluster:     cluster,
	}
}

func cluster(features []gateway.Effective, out *translate.Cluster) error {
	c := features[len(features)-1].Feature.(*CircuitBreaker)
	bounds := &clusterv3.CircuitBreakers_Thresholds{
		MaxConnections: number(c.Connections), MaxPendingRequests: number(c.Pending),
		MaxRequests: number(c.Requests), MaxRetries: number(c.Retries), TrackRemaining: true,
	}
	if b := c.RetryBudget; b != nil {
		bounds.RetryBudget = &clusterv3.CircuitBreakers_Thresholds_RetryBudget{
			BudgetPercent: &typev3.Percent{Value: b.Percent}, MinRetryConcurrency: wrapperspb.UInt32(uint32(b.Least)),
		}
	}
	out.Cluster.CircuitBreakers = &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{bounds}}
	if c.ConnectionsPerEndpoint != nil {
		out.Cluster.CircuitBreakers.PerHostThresholds = []*clusterv3.CircuitBreakers_Thresholds{{MaxConnections: number(c.ConnectionsPerEndpoint)}}
	}
	return nil
}

func number(n *int) *wrapperspb.UInt32Value {
	if n == nil {
		return nil
	}
	return wrapperspb.UInt32(uint32(*n))
}
