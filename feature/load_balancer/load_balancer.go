// Package loadbalancer is the feature "load_balancer": which endpoint of an upstream takes a request.
package loadbalancer

import (
	"fmt"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// LoadBalancer chooses among the endpoints of an upstream.
type LoadBalancer struct {
	gateway.FeatureBase
	Policy         string     `hcl:"policy,optional" default:"round_robin" oneof:"round_robin least_request random ring_hash maglev"`
	Choices        int        `hcl:"choices,optional" min:"2" max:"100"`         // least_request: of how many endpoints drawn the least busy is taken; default 2
	PanicThreshold float64    `hcl:"panic_threshold,optional" min:"0" max:"100"` // with fewer healthy endpoints, in percent, all take traffic; default 0: never
	Hash           []*Hash    `hcl:"hash,block"`                                 // ring_hash, maglev: what requests of one kind have in common
	SlowStart      *SlowStart `hcl:"slow_start,block"`
	PreferZone     *Zone      `hcl:"prefer_zone,block"`
}

// Hash is one thing of a request that is hashed: one of the four. Several are combined, unless one is Terminal and there.
type Hash struct {
	Header   string        `hcl:"header,optional"`
	Cookie   string        `hcl:"cookie,optional"`
	Query    string        `hcl:"query,optional"`
	ClientIP bool          `hcl:"client_ip,optional"`
	TTL      time.Duration `hcl:"ttl,optional" min:"1s" max:"8760h"` // cookie: one that is missing is made, for so long
	Path     string        `hcl:"path,optional"`                     // of the cookie that is made; default /
	Terminal bool          `hcl:"terminal,optional"`                 // if the request has it, nothing further is looked at
}

// SlowStart gives a new endpoint a growing share for Window.
type SlowStart struct {
	Window     time.Duration `hcl:"window" min:"1s" max:"1h"`
	Aggression float64       `hcl:"aggression,optional" default:"1" min:"0.1" max:"100"` // 1: the share grows linearly; above: faster at first
	Least      float64       `hcl:"least,optional" default:"10" min:"0" max:"100"`       // percent of its weight at the beginning
}

// Zone keeps traffic in the zone of the Envoy while that has enough healthy endpoints.
type Zone struct {
	Endpoints int `hcl:"endpoints,optional" default:"1" min:"1" max:"10000"` // healthy ones, in the zone
}

var (
	_ gateway.Feature         = (*LoadBalancer)(nil)
	_ gateway.Checker         = (*LoadBalancer)(nil)
	_ gateway.Checker         = (*Hash)(nil)
	_ gateway.UpstreamChecker = (*LoadBalancer)(nil)
)

// FeatureType is the block's name.
func (*LoadBalancer) FeatureType() string { return "load_balancer" }

func (l *LoadBalancer) hashes() bool { return l.Policy == "ring_hash" || l.Policy == "maglev" }

// Check refuses what a policy has no use for.
func (l *LoadBalancer) Check(ranges map[string]hcl.Range) (diags hcl.Diagnostics) {
	wrong := func(attribute, summary, format string, args ...any) {
		at, ok := ranges[attribute]
		if !ok {
			at = ranges[""]
		}
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: &at})
	}
	if l.Choices != 0 && l.Policy != "least_request" {
		wrong("choices", "Unexpected argument", "%q draws no endpoints to compare. Remove choices, or set policy to least_request.", l.Policy)
	}
	if l.hashes() && len(l.Hash) == 0 {
		wrong("policy", "Missing hash", "%q sends requests with the same hash to the same endpoint. Say what is hashed, for example hash { header = \"x-user\" }.", l.Policy)
	}
	if !l.hashes() && len(l.Hash) > 0 {
		wrong("policy", "Unexpected hash", "%q does not look at a hash. Remove the hash blocks, or set policy to ring_hash or maglev.", l.Policy)
	}
	if l.SlowStart != nil && l.Policy != "round_robin" && l.Policy != "least_request" {
		wrong("policy", "Unexpected slow start", "%q cannot give an endpoint a growing share. Remove slow_start, or set policy to round_robin or least_request.", l.Policy)
	}
	if l.PreferZone != nil && l.hashes() {
		wrong("policy", "Unexpected preference", "%q chooses by the hash alone, whatever the zone. Remove prefer_zone, or set another policy.", l.Policy)
	}
	return diags
}

// Check refuses a hash of nothing or of several things.
func (h *Hash) Check(ranges map[string]hcl.Range) (diags hcl.Diagnostics) {
	wrong := func(attribute, summary, detail string) {
		at, ok := ranges[attribute]
		if !ok {
			at = ranges[""]
		}
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at})
	}
	n := 0
	for _, set := range []bool{h.Header != "", h.Cookie != "", h.Query != "", h.ClientIP} {
		if set {
			n++
		}
	}
	if n != 1 {
		wrong("", "Invalid hash", "A hash block names one thing: header, cookie, query, or client_ip = true. Write a block for each.")
	}
	if h.Cookie == "" && (h.TTL != 0 || h.Path != "") {
		wrong("ttl", "Unexpected argument", "ttl and path are of a cookie that is made.")
	}
	if h.Path != "" && h.TTL == 0 {
		wrong("path", "Unexpected argument", "No cookie is made without a ttl, so path has no meaning.")
	}
	return diags
}

// CheckUpstream refuses a preference for a zone where sources have shares: each of the two says where traffic goes.
func (l *LoadBalancer) CheckUpstream(u *gateway.Upstream) hcl.Diagnostics {
	if l.PreferZone == nil {
		return nil
	}
	for _, s := range u.Sources {
		if s.Weight != nil {
			at := l.Range
			return hcl.Diagnostics{{
				Severity: hcl.DiagError, Summary: "Two rules for one choice", Subject: &at,
				Detail: fmt.Sprintf("The sources of the upstream %q have weights, which say how much goes where, and prefer_zone says it too. Remove one of the two.", u.Name),
			}}
		}
	}
	return nil
}

// Kind is the feature as the translator and the language know it.
func Kind() translate.Kind {
	return translate.Kind{
		FeatureRule: gateway.FeatureRule{Type: "load_balancer", Combine: gateway.Nearest, Levels: gateway.LevelUpstream},
		New:         func() gateway.Feature { return &LoadBalancer{} },
		Route:       route,
		Cluster:     cluster,
	}
}

var policies = map[string]clusterv3.Cluster_LbPolicy{
	"round_robin": clusterv3.Cluster_ROUND_ROBIN, "least_request": clusterv3.Cluster_LEAST_REQUEST, "random": clusterv3.Cluster_RANDOM,
	"ring_hash": clusterv3.Cluster_RING_HASH, "maglev": clusterv3.Cluster_MAGLEV,
}
