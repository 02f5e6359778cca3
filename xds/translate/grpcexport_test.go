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
	return (&Translator{}).callGRPC(out)
}

// GRPCRoute is the route of a call under a match, made by a translator.
func GRPCRoute(t *Translator, match *gateway.Match, p *gateway.Program) (*routev3.Route, *gateway.Program, error) {
	out := &Route{Table: &gateway.TableRoute{Match: match}, Route: &routev3.Route{}, Action: &routev3.RouteAction{}, Program: p}
	err := t.callGRPC(out)
	return out.Route, out.Program, err
}
