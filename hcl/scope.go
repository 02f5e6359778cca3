package hcl

import (
	"cmp"
	"fmt"
	"slices"

	hclv2 "github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/sluice-gateway/sluice/gateway"
)

// uses is what the expressions of a block mention, found once when the document is parsed.
type uses struct {
	locals  []localUse
	request bool // request, response or arg may be mentioned
	leaves  bool // kv, env or file is called
	kv      []kvCall
	diags   hclv2.Diagnostics
}

type localUse struct {
	name string
	rng  hclv2.Range
}

// kvCall is a kv() whose key and default are literal.
type kvCall struct {
	key, def string
	rng      hclv2.Range
}

// requestNames are the roots that only a request gives a value.
var requestNames = map[string]bool{"request": true, "response": true, "arg": true}

// referenceNames are the roots that name blocks.
var referenceNames = map[string]bool{"gateway": true, "upstream": true, "route": true, "policy": true, "function": true, "secret": true, "team": true}

// scanUses collects what node mentions.
func scanUses(n hclsyntax.Node, out *uses) {
	_ = hclsyntax.Walk(n, &usesWalker{out: out})
	slices.SortFunc(out.locals, func(a, b localUse) int { return cmp.Compare(a.rng.Start.Byte, b.rng.Start.Byte) })
	slices.SortFunc(out.kv, func(a, b kvCall) int { return cmp.Compare(a.rng.Start.Byte, b.rng.Start.Byte) })
}

type usesWalker struct {
	out   *uses
	loops int
}

// Enter looks at one node of the tree.
func (w *usesWalker) Enter(n hclsyntax.Node) hclv2.Diagnostics {
	switch n := n.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		switch root := n.Traversal.RootName(); {
		case root == "local":
			w.local(n)
		case requestNames[root]:
			w.out.request = true
		}
	case *hclsyntax.FunctionCallExpr:
		w.call(n)
	case hclsyntax.ChildScope: // what a for expression repeats
		if w.loops++; w.loops == maxForDepth+1 {
			w.bad(n.Range(), "Nested for expressions", fmt.Sprintf(
				"For expressions may stand %d deep in one another. Part the value with locals.", maxForDepth))
		}
	}
	return nil
}

// Exit leaves a node.
func (w *usesWalker) Exit(n hclsyntax.Node) hclv2.Diagnostics {
	if _, ok := n.(hclsyntax.ChildScope); ok {
		w.loops--
	}
	return nil
}

func (w *usesWalker) bad(rng hclv2.Range, summary, detail string) {
	w.out.diags = append(w.out.diags, &hclv2.Diagnostic{
		Severity: hclv2.DiagError, Summary: summary, Detail: detail, Subject: rng.Ptr(),
	})
}

func (w *usesWalker) local(n *hclsyntax.ScopeTraversalExpr) {
	if len(n.Traversal) > 1 {
		if name, ok := stepName(n.Traversal[1]); ok {
			w.out.locals = append(w.out.locals, localUse{name, n.Range()})
			return
		}
	}
	w.bad(n.Range(), "Invalid reference", `The name of a local follows "local.": local.share.`)
}

func (w *usesWalker) call(n *hclsyntax.FunctionCallExpr) {
	switch n.Name {
	case "env", "file":
		w.out.leaves = true
	case "kv":
		w.out.leaves = true
		if len(n.Args) != 2 {
			return // the call says it
		}
		def, ok := literalText(n.Args[1])
		if !ok {
			w.bad(n.Args[1].Range(), "Invalid default", "The default of kv() gives the value its type, so it is a literal: kv(\"canary/shop\", 10).")
			return
		}
		if key, diags := n.Args[0].Value(nil); !diags.HasErrors() && len(n.Args[0].Variables()) == 0 && key.Type() == cty.String && key.IsKnown() && !key.IsNull() {
			w.out.kv = append(w.out.kv, kvCall{key.AsString(), def, n.Range()})
		}
	}
}

// literalText is the canonical text of an expression that mentions and calls nothing.
func literalText(e hclsyntax.Expression) (string, bool) {
	calls := false
	_ = hclsyntax.VisitAll(e, func(n hclsyntax.Node) hclv2.Diagnostics {
		switch n.(type) {
		case *hclsyntax.FunctionCallExpr, *hclsyntax.ScopeTraversalExpr, *hclsyntax.ForExpr, *hclsyntax.SplatExpr:
			calls = true
		}
		return nil
	})
	if calls {
		return "", false
	}
	v, diags := e.Value(nil)
	if diags.HasErrors() || !v.IsWhollyKnown() {
		return "", false
	}
	text, err := jsonOf(v)
	return text, err == nil
}

// stepName is the name that one step of a traversal gives, as an attribute or as an index by a literal string.
func stepName(step hclv2.Traverser) (string, bool) {
	switch s := step.(type) {
	case hclv2.TraverseAttr:
		return s.Name, true
	case hclv2.TraverseIndex:
		if s.Key.Type() == cty.String {
			return s.Key.AsString(), true
		}
	}
	return "", false
}

// newDecoder prepares an Eval of w: it reads the locals that w mentions.
func newDecoder(w *written, scope gateway.Scope) *decoder {
	d := &decoder{w: w, scope: scope, places: map[any]ranges{}, ctx: baseContext.NewChild()}
	d.diags = append(d.diags, w.uses.diags...)
	if w.uses.leaves {
		d.ctx.Functions = d.leafFunctions()
	}
	if len(w.uses.locals) == 0 {
		return d
	}
	values := map[string]cty.Value{}
	for _, u := range w.uses.locals {
		if _, done := values[u.name]; done && values[u.name] != cty.DynamicVal {
			continue
		}
		values[u.name] = d.readLocal(u)
	}
	d.ctx.Variables = map[string]cty.Value{"local": cty.ObjectVal(values)}
	return d
}

// readLocal is the value of a local; unknown where it has none, or only a request gives it one.
func (d *decoder) readLocal(u localUse) cty.Value {
	v, ok := d.scope.Get(gateway.ID{Kind: gateway.KindLocal, Name: u.name})
	l, isLocal := v.(*local)
	switch {
	case ok && isLocal && l.request:
		if d.request == nil {
			d.request = map[string]gateway.Expr{}
		}
		d.request[u.name] = l.expr
		return cty.DynamicVal
	case ok && isLocal:
		return l.value
	}
	names := d.scope.Names(gateway.KindLocal)
	if slices.Contains(names, u.name) {
		d.error(u.rng, "Invalid local value", fmt.Sprintf(
			"The local %q is declared, but has no value: its own diagnostics say why.", u.name))
		return cty.DynamicVal
	}
	d.error(u.rng, "Reference to undeclared local value", fmt.Sprintf(
		"A local value with the name %q has not been declared.%s", u.name, didYouMean(u.name, names)))
	return cty.DynamicVal
}

// configTime reports what the expression mentions and cannot have at configuration time. what names the reader.
func (d *decoder) configTime(expr hclsyntax.Expression, ctx *hclv2.EvalContext, what string) bool {
	ok := true
	for _, t := range expr.Variables() {
		if d.configName(t, ctx, what) {
			continue
		}
		ok = false
	}
	return ok
}

func (d *decoder) configName(t hclv2.Traversal, ctx *hclv2.EvalContext, what string) bool {
	root := t.RootName()
	switch {
	case root == "local":
		if len(t) < 2 {
			return false // reported when the document was parsed
		}
		name, _ := stepName(t[1])
		if _, late := d.request[name]; !late {
			return true
		}
		d.error(t.SourceRange(), "Request-time value", fmt.Sprintf(
			"%s is evaluated with the configuration, but local.%s mentions a request.", upperFirst(what), name))
	case inContext(ctx, root):
		return true
	case requestNames[root]:
		d.error(t.SourceRange(), "Request-time value", fmt.Sprintf(
			"%s is evaluated with the configuration, when there is no request yet: %q cannot be used here.", upperFirst(what), root))
	case root == "each":
		d.error(t.SourceRange(), "Invalid reference", `"each" has a value only in a block with for_each.`)
	case root == gateway.KindSecret:
		d.error(t.SourceRange(), "Secret in an expression", fmt.Sprintf(
			"A secret has no value that %s could use: it is named as a whole where a secret belongs, such as credentials = secret.aws, or secret = secret.api_key in a credential block, which sends it in a header.", what))
	case referenceNames[root]:
		d.error(t.SourceRange(), "Invalid reference", fmt.Sprintf(
			"A reference names a block; it has no value that %s could use.", what))
	default:
		d.unknownName(t, ctx)
	}
	return false
}

func (d *decoder) unknownName(t hclv2.Traversal, ctx *hclv2.EvalContext) {
	names := []string{"local", "request", "each"}
	for c := ctx; c != nil; c = c.Parent() {
		names = append(names, sortedKeys(c.Variables)...)
	}
	hint := didYouMean(t.RootName(), names)
	if hint == "" {
		hint = " Text stands in quotes."
	}
	d.error(t.SourceRange(), "Unknown name", fmt.Sprintf("There is nothing named %q here.%s", t.RootName(), hint))
}

func inContext(ctx *hclv2.EvalContext, name string) bool {
	for c := ctx; c != nil; c = c.Parent() {
		if _, ok := c.Variables[name]; ok {
			return true
		}
	}
	return false
}
