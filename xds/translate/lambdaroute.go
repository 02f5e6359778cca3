package translate

import (
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/gateway"
)

// functionError is the header by which Lambda says, under a status of 200, that the function failed.
const functionError = "x-amz-function-error"

// invokes says that a call is one of Lambda's API. Through a Function URL a Lambda is an HTTP service like others.
func invokes(c *gateway.Call) bool {
	return c != nil && c.Lambda != nil && c.Lambda.Function != nil && c.Lambda.Function.ARN != ""
}

// lambdaRoute is what a route needs beside its program to call a Lambda. A request is signed when its body is there, so
// through a Function URL too it is kept until then; of what is longer than Lambda takes Envoy says itself that it is.
func lambdaRoute(out *Route) {
	u := out.Dest.Upstream
	if u.Lambda == nil {
		return
	}
	if !u.PlatformOnly() && out.Route.RequestBodyBufferLimit == nil {
		out.Route.RequestBodyBufferLimit = wrapperspb.UInt64(gateway.MaxLambdaBody)
	}
	lambdaRetries(out)
}

// lambdaRetries makes the conditions of a retry mean of a Lambda what its client would see: a function that failed is a
// 5xx, and what the script makes a 502 has another status before.
func lambdaRetries(out *Route) {
	p := out.Action.GetRetryPolicy()
	if p == nil || !invokes(out.Dest.Call) {
		return
	}
	on := strings.Split(p.RetryOn, ",")
	failed := slices.Contains(on, "5xx") || slices.Contains(on, "gateway-error")
	if slices.Contains(p.RetriableStatusCodes, 502) {
		failed = true
		p.RetriableStatusCodes = append(p.RetriableStatusCodes, 500, 503)
	}
	if failed || slices.Contains(p.RetriableStatusCodes, 504) { // which a function that took too long is
		p.RetryOn = strings.Join(append(on, "retriable-headers"), ",")
		p.RetriableHeaders = append(p.RetriableHeaders, &routev3.HeaderMatcher{
			Name:                 functionError,
			HeaderMatchSpecifier: &routev3.HeaderMatcher_PresentMatch{PresentMatch: true},
		})
	}
}
