package hcl

import (
	"strings"

	hclv2 "github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/sluice-gateway/sluice/gateway"
)

// CompileExpr compiles one expression as it would stand in a block of the document origin. names are the request-time
// names that it may use: "request", "response", "arg"; none allows "request". Locals and leaves come from scope.
// gateway.Expr.Eval runs the result.
func CompileExpr(origin Origin, src string, scope gateway.Scope, names ...string) (gateway.Expr, hclv2.Diagnostics) {
	if diags := checkTokens(origin.Name, []byte(src), hclv2.InitialPos); diags != nil {
		return gateway.Expr{}, diags
	}
	if len(src) > maxDocument {
		return gateway.Expr{}, checkLimits(origin.Name, []byte(src), hclv2.InitialPos)
	}
	expr, diags := hclsyntax.ParseExpression([]byte(strings.TrimRight(src, "\n")), origin.Name, hclv2.InitialPos)
	if diags.HasErrors() {
		return gateway.Expr{}, Dedup(explainTraps(diags, []byte(src)))
	}
	w := &written{origin: origin}
	scanUses(expr, &w.uses)
	d := newDecoder(w, scope)
	if len(names) == 0 {
		names = []string{"request"}
	}
	c := compiler{d: d, scope: names}
	e, ok := c.compile(expr, d.ctx)
	if !ok || d.diags.HasErrors() {
		e = gateway.Expr{}
	}
	return e, Dedup(d.diags)
}
