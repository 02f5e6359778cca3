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

// requestAttrs are the attributes of request and response, and whether names must follow.
var requestAttrs = map[string]map[string]string{
	"request": {"method": "leaf", "host": "leaf", "client_ip": "leaf", "id": "leaf", "path": "name", "query": "name",
		"headers": "name", "body": "tree", "auth": "tree"},
	"response": {"status": "leaf", "headers": "name", "body": "tree"},
}

var rootOps = map[string]gateway.Op{"request": gateway.OpRequest, "response": gateway.OpResponse, "arg": gateway.OpArg}

func (c *compiler) traversal(t hclv2.Traversal, rng hclv2.Range) gateway.Expr {
	root := t.RootName()
	switch {
	case slices.Contains(c.bound, root):
		return c.steps(c.node(gateway.Expr{Op: gateway.OpVar, Name: root}, rng), t[1:], rng)
	case root == "local":
		name, _ := stepName(t[1])
		return c.steps(c.inline(name, rng), t[2:], rng)
	case !slices.Contains(c.scope, root):
		c.notHere(rng, root, "it cannot be used here")
		return gateway.Expr{}
	}
	e := gateway.Expr{Op: rootOps[root]}
	rest := t[1:]
	if root == "arg" {
		name, ok := first(rest)
		if !ok {
			c.d.error(rng, "Invalid reference", "The name of an argument follows arg: arg.id.")
			return gateway.Expr{}
		}
		e.Path = []string{name}
		return c.tree(e, rest[1:], rng)
	}
	name, ok := first(rest)
	form := requestAttrs[root][name]
	if !ok || form == "" {
		c.d.error(rng, "Unsupported attribute", fmt.Sprintf("%s has no attribute %q.%s It has: %s.", root, name,
			didYouMean(name, sortedKeys(requestAttrs[root])), strings.Join(sortedKeys(requestAttrs[root]), ", ")))
		return gateway.Expr{}
	}
	e.Path = []string{name}
	rest = rest[1:]
	switch form {
	case "leaf":
		return c.steps(c.node(e, rng), rest, rng)
	case "tree":
		if name == "auth" && !c.auth(rest, rng) {
			return gateway.Expr{}
		}
		return c.tree(e, rest, rng)
	}
	key, ok := first(rest)
	if !ok {
		c.nameMissing(root, name, rng)
		return gateway.Expr{}
	}
	e.Path = append(e.Path, canonicalName(name, key))
	return c.steps(c.node(e, rng), rest[1:], rng)
}

func (c *compiler) nameMissing(root, attr string, rng hclv2.Range) {
	c.d.error(rng, "Invalid reference", fmt.Sprintf(`A name follows %s.%s, such as %s.%s["x"].`, root, attr, root, attr))
}

func (c *compiler) auth(rest hclv2.Traversal, rng hclv2.Range) bool {
	name, ok := first(rest)
	if known := []string{"claims", "client", "subject"}; !ok || !slices.Contains(known, name) {
		c.d.error(rng, "Unsupported attribute", fmt.Sprintf("request.auth has no attribute %q.%s It has: claims, client, subject.",
			name, didYouMean(name, known)))
		return false
	}
	return true
}

// canonicalName lowers header names: they have no case.
func canonicalName(attr, name string) string {
	if attr == "headers" {
		return strings.ToLower(name)
	}
	return name
}

func first(t hclv2.Traversal) (string, bool) {
	if len(t) == 0 {
		return "", false
	}
	return stepName(t[0])
}

// tree extends the path of a body, of claims or of an argument by the names that follow.
func (c *compiler) tree(e gateway.Expr, rest hclv2.Traversal, rng hclv2.Range) gateway.Expr {
	for len(rest) > 0 {
		name, ok := stepName(rest[0])
		if !ok {
			break
		}
		e.Path = append(e.Path, name)
		rest = rest[1:]
	}
	return c.steps(c.node(e, rng), rest, rng)
}

// steps applies attributes and indexes to a compiled part.
func (c *compiler) steps(e gateway.Expr, t hclv2.Traversal, rng hclv2.Range) gateway.Expr {
	for _, step := range t {
		if e.IsZero() {
			return e
		}
		switch s := step.(type) {
		case hclv2.TraverseAttr:
			e = c.node(gateway.Expr{Op: gateway.OpAttr, Name: s.Name, Args: []gateway.Expr{e}}, rng)
		case hclv2.TraverseIndex:
			key := c.node(gateway.Expr{Op: gateway.OpConst, Value: plain(s.Key)}, rng)
			e = c.node(gateway.Expr{Op: gateway.OpIndex, Args: []gateway.Expr{e, key}}, rng)
		default:
			c.d.error(rng, "Unsupported expression", "Expressions of this kind cannot be evaluated for a request.")
			return gateway.Expr{}
		}
	}
	return e
}

// index compiles a[b]; request.headers[NAME] with a name known now is the same as a literal one.
func (c *compiler) index(e *hclsyntax.IndexExpr, ctx *hclv2.EvalContext) gateway.Expr {
	if t, ok := e.Collection.(*hclsyntax.ScopeTraversalExpr); ok && requestNames[t.Traversal.RootName()] && c.constant(e.Key, ctx) {
		key, ok := c.d.value(e.Key, ctx, "this expression")
		if !ok {
			return gateway.Expr{}
		}
		if key.Type() == cty.String && !key.IsNull() {
			step := hclv2.TraverseIndex{Key: key, SrcRange: e.BracketRange}
			return c.traversal(append(t.Traversal[:len(t.Traversal):len(t.Traversal)], step), e.Range())
		}
	}
	return c.nodeOf(gateway.Expr{Op: gateway.OpIndex}, e.Range(), ctx, e.Collection, e.Key)
}

func (c *compiler) object(e *hclsyntax.ObjectConsExpr, ctx *hclv2.EvalContext) gateway.Expr {
	var parts []hclsyntax.Expression
	for _, item := range e.Items {
		key := item.KeyExpr
		if k, ok := key.(*hclsyntax.ObjectConsKeyExpr); ok {
			if name := hclv2.ExprAsKeyword(k.Wrapped); name != "" && !k.ForceNonLiteral {
				key = &hclsyntax.LiteralValueExpr{Val: cty.StringVal(name), SrcRange: k.Range()}
			} else {
				key = k.Wrapped
			}
		}
		parts = append(parts, key, item.ValueExpr)
	}
	return c.nodeOf(gateway.Expr{Op: gateway.OpObject}, e.Range(), ctx, parts...)
}

// conditional compiles c ? a : b; where c is known now, one side remains.
func (c *compiler) conditional(e *hclsyntax.ConditionalExpr, ctx *hclv2.EvalContext) gateway.Expr {
	if !c.constant(e.Condition, ctx) {
		return c.nodeOf(gateway.Expr{Op: gateway.OpCond}, e.Range(), ctx, e.Condition, e.TrueResult, e.FalseResult)
	}
	cond := c.part(e.Condition, ctx)
	if cond.IsZero() {
		return cond
	}
	b, isBool := cond.Value.(bool)
	switch {
	case !isBool:
		c.d.error(e.Condition.Range(), "Incorrect condition type", "The condition must be true or false.")
		return gateway.Expr{}
	case b:
		return c.part(e.TrueResult, ctx)
	}
	return c.part(e.FalseResult, ctx)
}

func (c *compiler) forExpr(e *hclsyntax.ForExpr, ctx *hclv2.EvalContext) gateway.Expr {
	coll := c.part(e.CollExpr, ctx)
	saved := c.bound
	c.bound = append(saved[:len(saved):len(saved)], e.ValVar)
	if e.KeyVar != "" {
		c.bound = append(c.bound, e.KeyVar)
	}
	none := gateway.Expr{}
	key, cond := none, none
	good := !coll.IsZero()
	if e.KeyExpr != nil {
		key = c.part(e.KeyExpr, ctx)
		good = good && !key.IsZero()
	}
	val := c.part(e.ValExpr, ctx)
	good = good && !val.IsZero()
	if e.CondExpr != nil {
		cond = c.part(e.CondExpr, ctx)
		good = good && !cond.IsZero()
	}
	c.bound = saved
	if !good {
		return none
	}
	return c.node(gateway.Expr{Op: gateway.OpFor, Vars: [2]string{e.KeyVar, e.ValVar}, Group: e.Group,
		Args: []gateway.Expr{coll, key, val, cond}}, e.Range())
}

func (c *compiler) splatExpr(e *hclsyntax.SplatExpr, ctx *hclv2.EvalContext) gateway.Expr {
	source := c.part(e.Source, ctx)
	c.splat++
	each := c.part(e.Each, ctx)
	c.splat--
	if source.IsZero() || each.IsZero() {
		return gateway.Expr{}
	}
	return c.node(gateway.Expr{Op: gateway.OpSplat, Args: []gateway.Expr{source, each}}, e.Range())
}
