// Package retry is the feature "retry": a request that failed is sent again.
package retry

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	previoushostsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	"github.com/hashicorp/hcl/v2"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// Retry sends a request again when the first try failed in one of the named ways.
type Retry struct {
	gateway.FeatureBase
	Attempts      int            `hcl:"attempts,optional" default:"1" min:"1" max:"10"` // tries after the first
	On            []string       `hcl:"on,optional"`                                    // conditions, or statuses; default connect-failure, refused-stream, reset-before-request
	PerTryTimeout *time.Duration `hcl:"per_try_timeout,optional" min:"1ms" max:"1h"`    // of each try; default: only the request's own
	Backoff       *Backoff       `hcl:"backoff,block"`
}

// Backoff is the pause between tries: random, growing from Base, at most Max.
type Backoff struct {
	Base time.Duration `hcl:"base,optional" default:"25ms" min:"1ms" max:"1m"`
	Max  time.Duration `hcl:"max,optional" default:"250ms" min:"1ms" max:"10m"`
}

// conditions are Envoy's names of failures after which a try may be repeated.
var conditions = []string{
	"5xx", "cancelled", "connect-failure", "deadline-exceeded", "gateway-error", "internal", "refused-stream", "reset",
	"reset-before-request", "resource-exhausted", "retriable-4xx", "unavailable",
}

// safe is what can be repeated whatever the request does: the upstream has not seen it.
var safe = []string{"connect-failure", "refused-stream", "reset-before-request"}

var (
	_ gateway.Feature = (*Retry)(nil)
	_ gateway.Checker = (*Retry)(nil)
	_ gateway.Checker = (*Backoff)(nil)
)

// FeatureType is the block's name.
func (*Retry) FeatureType() string { return "retry" }

// Check refuses conditions that Envoy does not know.
func (r *Retry) Check(ranges map[string]hcl.Range) hcl.Diagnostics {
	var diags hcl.Diagnostics
	at := ranges["on"]
	for _, on := range r.On {
		if _, ok := status(on); !ok && !slices.Contains(conditions, on) {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Invalid retry condition", Subject: &at,
				Detail: fmt.Sprintf("%q is no condition to retry on. Use a status from 400 to 599, such as \"503\", or one of: %s.", on, strings.Join(conditions, ", ")),
			})
		}
	}
	return diags
}

// Check refuses a base above the maximum.
func (b *Backoff) Check(ranges map[string]hcl.Range) hcl.Diagnostics {
	if b.Base <= b.Max {
		return nil
	}
	at := ranges[""]
	return hcl.Diagnostics{{
		Severity: hcl.DiagError, Summary: "Invalid retry back-off", Subject: &at,
		Detail: fmt.Sprintf("The back-off starts at %s, above its maximum of %s. Lower base or raise max.", b.Base, b.Max),
	}}
}

// status reads a condition that is a status code.
func status(on string) (uint32, bool) {
	n, err := strconv.ParseUint(on, 10, 32)
	return uint32(n), err == nil && n >= 400 && n <= 599
}

// Kind is the feature as the translator and the language know it.
func Kind() translate.Kind {
	return translate.Kind{
		FeatureRule: gateway.FeatureRule{Type: "retry", Combine: gateway.Nearest, Levels: gateway.AllLevels},
		New:         func() gateway.Feature { return &Retry{} },
		Route:       route,
	}
}

func route(features []gateway.Effective, out *translate.Route) error {
	if out.Action == nil {
		return nil // the gateway answers by itself
	}
	r := features[len(features)-1].Feature.(*Retry)
	policy := &routev3.RetryPolicy{NumRetries: wrapperspb.UInt32(uint32(max(r.Attempts, 1)))}
	on := r.On
	if len(on) == 0 {
		on = safe
	}
	var names []string
	for _, c := range on {
		if code, ok := status(c); ok {
			policy.RetriableStatusCodes = append(policy.RetriableStatusCodes, code)
			c = "retriable-status-codes"
		}
		if !slices.Contains(names, c) {
			names = append(names, c)
		}
	}
	policy.RetryOn = strings.Join(names, ",")
	if r.PerTryTimeout != nil {
		policy.PerTryTimeout = durationpb.New(*r.PerTryTimeout)
	}
	if r.Backoff != nil {
		policy.RetryBackOff = &routev3.RetryPolicy_RetryBackOff{
			BaseInterval: durationpb.New(r.Backoff.Base),
			MaxInterval:  durationpb.New(r.Backoff.Max),
		}
	}
	// A try goes to another endpoint than those that failed, while there is one.
	other, err := translate.Pack(&previoushostsv3.PreviousHostsPredicate{})
	if err != nil {
		return err
	}
	policy.RetryHostPredicate = []*routev3.RetryPolicy_RetryHostPredicate{{
		Name:       "envoy.retry_host_predicates.previous_hosts",
		ConfigType: &routev3.RetryPolicy_RetryHostPredicate_TypedConfig{TypedConfig: other},
	}}
	policy.HostSelectionRetryMaxAttempts = 3
	out.Action.RetryPolicy = policy
	return nil
}
