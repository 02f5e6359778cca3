package hcl

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	hclv2 "github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/sluice-gateway/sluice/gateway"
)

func decodeRef(d *decoder, f *field, expr hclsyntax.Expression, ctx *hclv2.EvalContext, v reflect.Value) {
	ref, ok := d.ref(f, expr, ctx)
	if !ok {
		return
	}
	if ref.IsZero() && f.required {
		d.present(f, cty.NullVal(cty.DynamicPseudoType), expr, v)
		return
	}
	v.Set(reflect.ValueOf(ref))
	d.addRef(ref)
}

func decodeRefs(d *decoder, f *field, expr hclsyntax.Expression, ctx *hclv2.EvalContext, v reflect.Value) {
	if p, ok := expr.(*hclsyntax.ParenthesesExpr); ok {
		decodeRefs(d, f, p.Expression, ctx, v)
		return
	}
	if val, ok := literal(expr); ok && val.IsNull() {
		d.present(f, val, expr, v)
		return
	}
	if c, ok := expr.(*hclsyntax.ConditionalExpr); ok {
		if branch := d.branch(c, ctx, f); branch != nil {
			decodeRefs(d, f, branch, ctx, v)
		}
		return
	}
	cons, ok := expr.(*hclsyntax.TupleConsExpr)
	if !ok {
		d.error(expr.Range(), "Invalid reference", fmt.Sprintf(
			"The argument %q is a list of references: %s = [%s].", f.name, f.name, f.example()))
		return
	}
	refs := make([]gateway.Ref, 0, len(cons.Exprs))
	for _, item := range cons.Exprs {
		ref, ok := d.ref(f, item, ctx)
		if !ok || ref.IsZero() {
			continue
		}
		if i := slices.IndexFunc(refs, func(r gateway.Ref) bool { return r.ID == ref.ID && r.Part == ref.Part }); i >= 0 {
			d.error(ref.Range, "Duplicate reference", fmt.Sprintf("%s stands in %q twice.", refText(ref), f.name))
			continue
		}
		refs = append(refs, ref)
		d.addRef(ref)
	}
	v.Set(reflect.ValueOf(refs))
}

// ref reads one reference. A zero one without failure is null.
func (d *decoder) ref(f *field, expr hclsyntax.Expression, ctx *hclv2.EvalContext) (gateway.Ref, bool) {
	switch e := expr.(type) {
	case *hclsyntax.ParenthesesExpr:
		return d.ref(f, e.Expression, ctx)
	case *hclsyntax.ConditionalExpr:
		if branch := d.branch(e, ctx, f); branch != nil {
			return d.ref(f, branch, ctx)
		}
		return gateway.Ref{}, false
	case *hclsyntax.IndexExpr: // upstream.svc[each.key]
		base, diags := hclv2.AbsTraversalForExpr(e.Collection)
		if diags.HasErrors() {
			break
		}
		key, ok := d.key(e.Key, ctx, "a reference")
		if !ok {
			return gateway.Ref{}, false
		}
		step := hclv2.TraverseIndex{Key: cty.StringVal(key), SrcRange: e.BracketRange}
		return d.refOf(f, append(base[:len(base):len(base)], step), e.Range())
	case *hclsyntax.ScopeTraversalExpr:
		return d.refOf(f, e.Traversal, e.Range())
	}
	if v, ok := literal(expr); ok {
		if v.IsNull() {
			return gateway.Ref{}, true
		}
		if v.Type() == cty.String {
			d.error(expr.Range(), "Invalid reference", fmt.Sprintf(
				"References are written without quotes: %s.", f.unquoted(v.AsString())))
			return gateway.Ref{}, false
		}
	}
	d.error(expr.Range(), "Invalid reference", fmt.Sprintf(
		"The argument %q names a block, such as %s; it cannot be computed.", f.name, f.example()))
	return gateway.Ref{}, false
}

// branch chooses the side of a condition that is known with the configuration.
func (d *decoder) branch(c *hclsyntax.ConditionalExpr, ctx *hclv2.EvalContext, f *field) hclsyntax.Expression {
	v, ok := d.value(c.Condition, ctx, "the condition of \""+f.name+"\"")
	if !ok {
		return nil
	}
	b, err := convert.Convert(v, cty.Bool)
	switch {
	case err != nil || b.IsNull():
		d.error(c.Condition.Range(), "Incorrect condition type", "The condition must be true or false.")
		return nil
	case b.True():
		return c.TrueResult
	}
	return c.FalseResult
}

func (d *decoder) refOf(f *field, t hclv2.Traversal, rng hclv2.Range) (gateway.Ref, bool) {
	kind := t.RootName()
	if !slices.Contains(f.ref, kind) {
		detail := fmt.Sprintf("%q cannot stand in %q: it names %s, such as %s.", kind, f.name, orList(f.ref), f.example())
		if kind == "local" || kind == "each" {
			detail = fmt.Sprintf("A reference cannot come from %q: write it out, such as %s.", kind, f.example())
		}
		d.error(rng, "Invalid reference", detail)
		return gateway.Ref{}, false
	}
	var names []string
	for _, step := range t[1:] {
		name, ok := refStep(step)
		if !ok || name == "" {
			names = nil
			break
		}
		names = append(names, name)
	}
	ref, ok := makeRef(kind, names, t)
	if !ok {
		d.error(rng, "Invalid reference", fmt.Sprintf("A reference to %s %s has the form %s.", article(kind), kind, refForm[kind]))
		return gateway.Ref{}, false
	}
	ref.Range = rng
	return ref, true
}

func refStep(step hclv2.Traverser) (string, bool) {
	if idx, ok := step.(hclv2.TraverseIndex); ok && idx.Key.Type() == cty.Number {
		return idx.Key.AsBigFloat().Text('f', -1), true
	}
	return stepName(step)
}

// refForm is how a reference to each kind is written.
var refForm = map[string]string{
	"gateway": "gateway.NAME or gateway.NAME.LISTENER", "upstream": `upstream.NAME or upstream.NAME["KEY"]`,
	"route": `route.NAME or route.NAME["KEY"]`, "policy": "policy.NAME", "secret": "secret.NAME", "team": "team.NAME",
	"function": `function.UPSTREAM.NAME or function.UPSTREAM["any name"]`,
}

func makeRef(kind string, names []string, t hclv2.Traversal) (gateway.Ref, bool) {
	if len(names) == 0 {
		return gateway.Ref{}, false
	}
	ref := gateway.Ref{ID: gateway.ID{Kind: kind, Name: names[0]}}
	if kind == gateway.KindFunction {
		return functionRef(names, t)
	}
	if len(names) == 1 {
		return ref, true
	}
	if len(names) > 2 {
		return ref, false
	}
	_, indexed := t[2].(hclv2.TraverseIndex)
	switch {
	case kind == gateway.KindGateway && !indexed:
		ref.Part = names[1]
	case (kind == gateway.KindUpstream || kind == gateway.KindRoute) && indexed:
		ref.Name = instanceName(names[0], names[1])
	default:
		return ref, false
	}
	return ref, true
}

// refText is a reference as it is written.
func refText(r gateway.Ref) string {
	if r.Part != "" {
		return r.String() + "." + r.Part
	}
	return r.Text()
}

// example is a reference that would do.
func (f *field) example() string { return refExamples[f.ref[0]] }

var refExamples = map[string]string{
	"gateway": "gateway.edge", "upstream": "upstream.shop", "route": "route.shop", "policy": "policy.standard",
	"secret": "secret.aws", "team": "team.orders", "function": "function.shop.getPet",
}

// unquoted is what the author of a quoted reference meant.
func (f *field) unquoted(text string) string {
	for _, kind := range f.ref {
		if strings.HasPrefix(text, kind+".") {
			return text
		}
	}
	if f.ref[0] == gateway.KindFunction {
		if up, name, ok := strings.Cut(text, "."); ok && hclsyntax.ValidIdentifier(up) && hclsyntax.ValidIdentifier(name) {
			return gateway.KindFunction + "." + text
		}
		return f.example()
	}
	if !hclsyntax.ValidIdentifier(text) {
		return f.example()
	}
	return f.ref[0] + "." + text
}

func article(word string) string {
	if strings.ContainsRune("aeiou", rune(word[0])) {
		return "an"
	}
	return "a"
}
