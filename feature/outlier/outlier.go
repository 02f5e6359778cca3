// Package outlier is the feature "outlier": an endpoint that fails while others work is left out for a while.
package outlier

import (
	"fmt"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"github.com/hashicorp/hcl/v2"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// Outlier watches the answers of each endpoint and leaves out those that fail. Each Envoy judges by what it sees.
type Outlier struct {
	gateway.FeatureBase
	Consecutive5xx int           `hcl:"consecutive_5xx,optional" default:"5" min:"0" max:"10000"` // answers, failed connections included; 0: do not count
	Gateway        int           `hcl:"consecutive_gateway,optional" min:"0" max:"10000"`         // answers 502, 503 and 504 alone; 0: do not count
	Local          int           `hcl:"consecutive_local,optional" min:"0" max:"10000"`           // connections that fail; they count apart then; 0: as 5xx
	Interval       time.Duration `hcl:"interval,optional" default:"10s" min:"10ms" max:"1h"`      // between two reviews of rates and of what may come back
	Ejection       time.Duration `hcl:"ejection,optional" default:"30s" min:"10ms" max:"24h"`     // how long, times the number of ejections in a row
	MaxEjection    time.Duration `hcl:"max_ejection,optional" default:"5m" min:"10ms" max:"24h"`  // the longest
	MaxPercent     int           `hcl:"max_percent,optional" default:"50" min:"1" max:"100"`      // of the endpoints that may be out; one always may
	SuccessRate    *SuccessRate  `hcl:"success_rate,block"`
	FailureRate    *FailureRate  `hcl:"failure_rate,block"`
}

// SuccessRate leaves out endpoints whose rate of successes is far below that of all.
type SuccessRate struct {
	Deviations float64 `hcl:"deviations,optional" default:"1.9" min:"0.1" max:"10"`  // standard deviations below the mean
	Endpoints  int     `hcl:"endpoints,optional" default:"5" min:"1" max:"100000"`   // that must have had enough requests
	Requests   int     `hcl:"requests,optional" default:"100" min:"1" max:"1000000"` // in an interval, for an endpoint to count
}

// FailureRate leaves out endpoints that fail more than a share of their requests.
type FailureRate struct {
	Percent   int `hcl:"percent,optional" default:"85" min:"1" max:"100"`
	Endpoints int `hcl:"endpoints,optional" default:"5" min:"1" max:"100000"`
	Requests  int `hcl:"requests,optional" default:"50" min:"1" max:"1000000"`
}

var (
	_ gateway.Feature = (*Outlier)(nil)
	_ gateway.Checker = (*Outlier)(nil)
)

// FeatureType is the block's name.
func (*Outlier) FeatureType() string { return "outlier" }

// Check refuses blocks that leave nobody out, and times that exclude each other.
func (o *Outlier) Check(ranges map[string]hcl.Range) (diags hcl.Diagnostics) {
	wrong := func(attribute, summary, detail string) {
		at, ok := ranges[attribute]
		if !ok {
			at = ranges[""]
		}
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at})
	}
	if o.Ejection > o.MaxEjection {
		wrong("ejection", "Invalid ejection", fmt.Sprintf("The first ejection takes %s, more than the longest, %s. Lower ejection or raise max_ejection.", o.Ejection, o.MaxEjection))
	}
	if o.Consecutive5xx+o.Gateway+o.Local == 0 && o.SuccessRate == nil && o.FailureRate == nil && o.Enabled == nil {
		wrong("consecutive_5xx", "Empty outlier", "Nothing is counted: with consecutive_5xx = 0, set consecutive_gateway or consecutive_local, or write a success_rate or failure_rate block.")
	}
	return diags
}

// Kind is the feature as the translator and the language know it.
func Kind() translate.Kind {
	return translate.Kind{
		FeatureRule: gateway.FeatureRule{Type: "outlier", Combine: gateway.Nearest, Levels: gateway.LevelUpstream},
		New:         func() gateway.Feature { return &Outlier{} },
		Cluster:     cluster,
	}
}

// cluster says what is counted; what is not said is switched off, where Envoy's own default would count it.
func cluster(features []gateway.Effective, out *translate.Cluster) error {
	o := features[len(features)-1].Feature.(*Outlier)
	d := &clusterv3.OutlierDetection{
		Interval: durationpb.New(o.Interval), BaseEjectionTime: durationpb.New(o.Ejection), MaxEjectionTime: durationpb.New(o.MaxEjection),
		MaxEjectionPercent:             wrapperspb.UInt32(uint32(o.MaxPercent)),
		AlwaysEjectOneHost:             wrapperspb.Bool(true),
		EnforcingSuccessRate:           wrapperspb.UInt32(0),
		EnforcingConsecutive_5Xx:       wrapperspb.UInt32(0),
		SplitExternalLocalOriginErrors: o.Local > 0,
	}
	all := wrapperspb.UInt32(100)
	if o.Consecutive5xx > 0 {
		d.Consecutive_5Xx, d.EnforcingConsecutive_5Xx = wrapperspb.UInt32(uint32(o.Consecutive5xx)), all
	}
	if o.Gateway > 0 {
		d.ConsecutiveGatewayFailure, d.EnforcingConsecutiveGatewayFailure = wrapperspb.UInt32(uint32(o.Gateway)), all
	}
	if o.Local > 0 {
		d.ConsecutiveLocalOriginFailure, d.EnforcingConsecutiveLocalOriginFailure = wrapperspb.UInt32(uint32(o.Local)), all
		d.EnforcingLocalOriginSuccessRate = wrapperspb.UInt32(0)
	}
	if s := o.SuccessRate; s != nil {
		d.EnforcingSuccessRate = all
		d.SuccessRateStdevFactor = wrapperspb.UInt32(uint32(s.Deviations * 1000))
		d.SuccessRateMinimumHosts, d.SuccessRateRequestVolume = wrapperspb.UInt32(uint32(s.Endpoints)), wrapperspb.UInt32(uint32(s.Requests))
	}
	if f := o.FailureRate; f != nil {
		d.EnforcingFailurePercentage = all
		d.FailurePercentageThreshold = wrapperspb.UInt32(uint32(f.Percent))
		d.FailurePercentageMinimumHosts, d.FailurePercentageRequestVolume = wrapperspb.UInt32(uint32(f.Endpoints)), wrapperspb.UInt32(uint32(f.Requests))
	}
	out.Cluster.OutlierDetection = d
	return nil
}
