package translate

import (
	"fmt"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/sluice-gateway/sluice/gateway"
)

// ProgramOf is all that happens to the messages of one destination, as one program that the reference in package gateway
// runs: what Envoy would do natively is in it too, but for the destination's own path or prefix_rewrite. A gRPC method
// takes its message as JSON, as a POST to its own path, and answers it as JSON. Nothing of it is sent to an Envoy.
func (t *Translator) ProgramOf(tr *gateway.TableRoute, d *gateway.TableDestination) (*gateway.Program, error) {
	out := &Route{
		Table: tr, Dest: d, Route: &routev3.Route{}, Action: &routev3.RouteAction{}, Reference: true,
		Program: &gateway.Program{Path: tr.Match.Path, Regex: tr.Match.Regex, Call: d.Call},
	}
	err := t.apply(d.Features, func(k Kind, own []gateway.Effective) error {
		if k.Route == nil {
			return nil
		}
		return k.Route(own, out)
	})
	if err != nil {
		return nil, fmt.Errorf("route %s: %w", tr.Route.Name, err)
	}
	p := *out.Program
	if p.Call != nil && p.Call.GRPC != nil && p.Call.GRPC.Method != nil && len(p.Call.GRPC.Method.Descriptor) > 0 {
		if p.Call, p.Request, err = scripted(p.Call.GRPC, out.Program); err != nil {
			return nil, fmt.Errorf("route %s: %w", tr.Route.Name, err)
		}
	}
	return &p, nil
}
