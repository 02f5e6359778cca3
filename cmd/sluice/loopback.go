package main

import (
	hclv2 "github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
)

// localBlock is a gateway block whose listeners are on loopback, whatever it says.
type localBlock struct{ gateway.Written }

// onLoopback wraps the gateways among blocks.
func onLoopback(blocks []gateway.Written) []gateway.Written {
	out := make([]gateway.Written, len(blocks))
	for i, b := range blocks {
		if out[i] = b; b.ID().Kind == gateway.KindGateway {
			out[i] = localBlock{b}
		}
	}
	return out
}

// Eval implements gateway.Written.
func (b localBlock) Eval(scope gateway.Scope) (gateway.Value, hclv2.Diagnostics) {
	v, diags := b.Written.Eval(scope)
	return localValue(v), diags
}

func localValue(v gateway.Value) gateway.Value {
	instances := make(map[string]any, len(v.Instances))
	for name, x := range v.Instances {
		if g, ok := x.(*gateway.Gateway); ok {
			local := *g
			local.Listeners = make([]*gateway.Listener, len(g.Listeners))
			for i, l := range g.Listeners {
				here := *l
				here.Address = "127.0.0.1"
				local.Listeners[i] = &here
			}
			x = &local
		}
		instances[name] = x
	}
	v.Instances = instances
	return v
}

// formOnLoopback is a form from the ledger as localBlock would have made it.
func formOnLoopback(f *gateway.Form) *gateway.Form {
	if f.Written == nil || f.Written.ID().Kind != gateway.KindGateway {
		return f
	}
	local := *f
	local.Written, local.Value = localBlock{f.Written}, localValue(f.Value)
	return &local
}
