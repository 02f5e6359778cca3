package hcl

import (
	"fmt"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/sluice-gateway/sluice/gateway"
)

// local is what an attribute of a locals block evaluates to: what Value.Instances holds and Scope.Get gives back.
// Nobody else looks into it.
type local struct {
	value   cty.Value
	request bool // it mentions a request: expr is inlined where it is used, and value is unset
	expr    gateway.Expr
}

// local evaluates an attribute of a locals block; nil where it has errors.
func (d *decoder) local(attr *hclsyntax.Attribute) *local {
	if d.late(attr.Expr, d.ctx) {
		c := compiler{d: d, scope: []string{"request", "response", "arg"}}
		expr, ok := c.compile(attr.Expr, d.ctx)
		if !ok {
			return nil
		}
		return &local{request: true, expr: expr}
	}
	v, ok := d.value(attr.Expr, d.ctx, fmt.Sprintf("the local %q", attr.Name))
	if !ok {
		return nil
	}
	return &local{value: v}
}
