package hcl

import (
	"fmt"
	"slices"
	"strings"

	hclv2 "github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/sluice-gateway/sluice/gateway"
)

// compiler turns one expression into a program. What mentions no request is evaluated now, with every function.
type compiler struct {
	d     *decoder
	scope []string // the request-time names that are allowed: request, response, arg
	bound []string // variables of the for expressions around
	splat int      // depth of splat expressions around
	nodes int
	full  bool // the program was too large, which has been said
}

// late says whether expr mentions what only a request gives a value.
func (d *decoder) late(expr hclsyntax.Expression, ctx *hclv2.EvalContext) bool {
	if _, ok := literal(expr); ok {
		return false
	}
	return d.lateWith(expr, ctx, nil)
}

func (d *decoder) lateWith(expr hclsyntax.Expression, ctx *hclv2.EvalContext, bound []string) bool {
	if !d.w.uses.request && len(d.request) == 0 && len(bound) == 0 {
		return false
	}
	for _, t := range expr.Variables() {
		root := t.RootName()
		if slices.Contains(bound, root) {
			return true
		}
		if root == "local" && len(t) > 1 {
			name, _ := stepName(t[1])
			if _, ok := d.request[name]; ok {
				return true
			}
		}
		if requestNames[root] && !inContext(ctx, root) {
			return true
		}
	}
	return false
}

// compile makes the program of expr. ok is false where diagnostics say why there is none.
func (c *compiler) compile(expr hclsyntax.Expression, ctx *hclv2.EvalContext) (gateway.Expr, bool) {
	before := len(c.d.diags)
	e := c.part(expr, ctx)
	return e, e.Op != gateway.OpNone && len(c.d.diags) == before
}

// constant says whether expr can be evaluated now.
func (c *compiler) constant(expr hclsyntax.Expression, ctx *hclv2.EvalContext) bool {
	if _, ok := literal(expr); ok {
		return true
	}
	if c.d.lateWith(expr, ctx, c.bound) {
		return false
	}
	if c.splat == 0 {
		return true
	}
	symbol := false
	_ = hclsyntax.VisitAll(expr, func(n hclsyntax.Node) hclv2.Diagnostics {
		_, is := n.(*hclsyntax.AnonSymbolExpr)
		symbol = symbol || is
		return nil
	})
	return !symbol
}

// part compiles one node. It returns the zero Expr after an error.
func (c *compiler) part(expr hclsyntax.Expression, ctx *hclv2.EvalContext) gateway.Expr {
	if c.constant(expr, ctx) {
		v, ok := c.d.value(expr, ctx, "this expression")
		if !ok {
			return gateway.Expr{}
		}
		return c.node(gateway.Expr{Op: gateway.OpConst, Value: plain(v)}, expr.Range())
	}
	switch e := expr.(type) {
	case *hclsyntax.ParenthesesExpr:
		return c.part(e.Expression, ctx)
	case *hclsyntax.TemplateWrapExpr:
		return c.part(e.Wrapped, ctx)
	case *hclsyntax.ScopeTraversalExpr:
		return c.traversal(e.Traversal, e.Range())
	case *hclsyntax.RelativeTraversalExpr:
		return c.steps(c.part(e.Source, ctx), e.Traversal, e.Range())
	case *hclsyntax.TemplateExpr:
		return c.nodeOf(gateway.Expr{Op: gateway.OpTemplate}, e.Range(), ctx, e.Parts...)
	case *hclsyntax.TemplateJoinExpr:
		empty := &hclsyntax.LiteralValueExpr{Val: cty.StringVal(""), SrcRange: e.Range()}
		return c.nodeOf(gateway.Expr{Op: gateway.OpCall, Name: "join"}, e.Range(), ctx, empty, e.Tuple)
	case *hclsyntax.TupleConsExpr:
		return c.nodeOf(gateway.Expr{Op: gateway.OpTuple}, e.Range(), ctx, e.Exprs...)
	case *hclsyntax.ObjectConsExpr:
		return c.object(e, ctx)
	case *hclsyntax.FunctionCallExpr:
		return c.call(e, ctx)
	case *hclsyntax.ConditionalExpr:
		return c.conditional(e, ctx)
	case *hclsyntax.BinaryOpExpr:
		return c.nodeOf(gateway.Expr{Op: gateway.OpBinary, Name: operators[e.Op]}, e.Range(), ctx, e.LHS, e.RHS)
	case *hclsyntax.UnaryOpExpr:
		return c.nodeOf(gateway.Expr{Op: gateway.OpUnary, Name: operators[e.Op]}, e.Range(), ctx, e.Val)
	case *hclsyntax.IndexExpr:
		return c.index(e, ctx)
	case *hclsyntax.ForExpr:
		return c.forExpr(e, ctx)
	case *hclsyntax.SplatExpr:
		return c.splatExpr(e, ctx)
	case *hclsyntax.AnonSymbolExpr:
		return c.node(gateway.Expr{Op: gateway.OpVar, Name: "splat"}, e.Range())
	}
	c.d.error(expr.Range(), "Unsupported expression", "Expressions of this kind cannot be evaluated for a request.")
	return gateway.Expr{}
}

var operators = map[*hclsyntax.Operation]string{
	hclsyntax.OpAdd: "+", hclsyntax.OpSubtract: "-", hclsyntax.OpMultiply: "*", hclsyntax.OpDivide: "/", hclsyntax.OpModulo: "%",
	hclsyntax.OpEqual: "==", hclsyntax.OpNotEqual: "!=", hclsyntax.OpLessThan: "<", hclsyntax.OpLessThanOrEqual: "<=",
	hclsyntax.OpGreaterThan: ">", hclsyntax.OpGreaterThanOrEqual: ">=", hclsyntax.OpLogicalAnd: "&&", hclsyntax.OpLogicalOr: "||",
	hclsyntax.OpLogicalNot: "!", hclsyntax.OpNegate: "-",
}

// node counts a finished node, and gives it its place.
func (c *compiler) node(e gateway.Expr, rng hclv2.Range) gateway.Expr {
	e.Range = rng
	if c.nodes++; c.nodes > maxProgram {
		if !c.full {
			c.d.error(rng, "Expression too large", fmt.Sprintf("The compiled expression has more than %d parts.", maxProgram))
		}
		c.full = true
		return gateway.Expr{}
	}
	return e
}

// nodeOf compiles the operands of a node. All are compiled, so that all mistakes are found.
func (c *compiler) nodeOf(e gateway.Expr, rng hclv2.Range, ctx *hclv2.EvalContext, parts ...hclsyntax.Expression) gateway.Expr {
	good := true
	for _, p := range parts {
		arg := c.part(p, ctx)
		good = good && !arg.IsZero()
		e.Args = append(e.Args, arg)
	}
	if !good {
		return gateway.Expr{}
	}
	return c.node(e, rng)
}

// inline puts the program of a local in place of its name.
func (c *compiler) inline(name string, rng hclv2.Range) gateway.Expr {
	e := c.d.request[name]
	size, bad := 0, ""
	e.Walk(func(x gateway.Expr) {
		size++
		root := map[gateway.Op]string{gateway.OpRequest: "request", gateway.OpResponse: "response", gateway.OpArg: "arg"}[x.Op]
		if root != "" && !slices.Contains(c.scope, root) {
			bad = root
		}
	})
	if bad != "" {
		c.notHere(rng, bad, fmt.Sprintf("local.%s mentions it", name))
		return gateway.Expr{}
	}
	c.nodes += size
	return c.node(e, rng)
}

func (c *compiler) notHere(rng hclv2.Range, root, why string) {
	where := map[string]string{"request": "where a request is at hand", "response": "in response blocks", "arg": "in function blocks"}[root]
	c.d.error(rng, "Request-time value", fmt.Sprintf("%q has a value only %s; %s.", root, where, why))
}

// call compiles a call of one of the functions that exist at request time.
func (c *compiler) call(e *hclsyntax.FunctionCallExpr, ctx *hclv2.EvalContext) gateway.Expr {
	least, most, ok := gateway.RequestFunction(e.Name)
	if !ok {
		c.unknownFunction(e)
		return gateway.Expr{}
	}
	if e.ExpandFinal {
		c.d.error(e.Range(), "Unsupported expression", "Arguments cannot be expanded with ... for a request.")
		return gateway.Expr{}
	}
	if len(e.Args) < least || most >= 0 && len(e.Args) > most {
		c.d.error(e.Range(), "Wrong number of arguments", fmt.Sprintf("The function %q takes %s here; %d are given.",
			e.Name, countText(least, most), len(e.Args)))
		return gateway.Expr{}
	}
	return c.nodeOf(gateway.Expr{Op: gateway.OpCall, Name: e.Name}, e.Range(), ctx, e.Args...)
}

func countText(least, most int) string {
	switch {
	case most < 0:
		return fmt.Sprintf("%d or more arguments", least)
	case least == most:
		return fmt.Sprintf("%d arguments", least)
	}
	return fmt.Sprintf("%d to %d arguments", least, most)
}

func (c *compiler) unknownFunction(e *hclsyntax.FunctionCallExpr) {
	all := RequestTimeFunctions()
	hint := didYouMean(e.Name, all)
	if _, known := configFunctions[e.Name]; known || e.Name == "kv" || e.Name == "env" || e.Name == "file" {
		if hint == "" {
			hint = " Those that exist there: " + strings.Join(all, ", ") + "."
		}
		c.d.error(e.NameRange, "Function not available for a request", fmt.Sprintf(
			"The function %q exists at configuration time only, but its arguments mention a request.%s", e.Name, hint))
		return
	}
	c.d.error(e.NameRange, "Call to unknown function", fmt.Sprintf("There is no function named %q.%s", e.Name, didYouMean(e.Name, Functions())))
}

// RequestTimeFunctions lists the functions that exist at request time, sorted.
func RequestTimeFunctions() []string { return gateway.RequestFunctions() }
