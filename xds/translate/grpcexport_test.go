package translate

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/sluice-gateway/sluice/gateway"
)

// GRPCCallError is what is wrong with a call under a match.
func GRPCCallError(match *gateway.Match, call *gateway.GRPCCall) error {
	out := &Route{
		Table: &gateway.TableRoute{Match: match}, Route: &routev3.Route{}, Action: &routev3.RouteAction{},
		Program: &gateway.Program{Call: &gateway.Call{GRPC: call}},
	}
	return callGRPC(out)
}
