package gateway

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// denies says that a gateway refuses what has these features: nothing says who may call.
func (g *Gateway) denies(features []Effective) bool {
	return g.Default == "deny" && len(admission(features)) == 0
}

// deniedByDefault warns that a route answers nobody.
func deniedByDefault(e *TableRoute, g *Gateway) hcl.Diagnostics {
	if !e.Denied && !slices.ContainsFunc(e.Destinations, func(d *TableDestination) bool { return d.Denied }) {
		return nil
	}
	at := e.Route.Range
	return hcl.Diagnostics{{
		Severity: hcl.DiagWarning, Summary: "Denied by default", Subject: &at,
		Detail: fmt.Sprintf("gateway %q denies by default, and nothing says who may call route %q, or a part of it: requests get 403. Add a feature that admits, "+
			"such as jwt, api_key or rbac, to the route, a policy or the upstream.", g.Name, e.Route.Name),
	}}
}
