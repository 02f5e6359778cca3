package hcl

import (
	"fmt"
	"reflect"

	hclv2 "github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/sluice-gateway/sluice/gateway"
)

// attrDecoder puts the value of an attribute into v.
type attrDecoder func(d *decoder, f *field, expr hclsyntax.Expression, ctx *hclv2.EvalContext, v reflect.Value)

// decoderFor chooses the decoder of a type; nil where there is none.
func decoderFor(t reflect.Type, f *field) attrDecoder {
	switch {
	case t == typRef:
		return decodeRef
	case t == reflect.SliceOf(typRef):
		return decodeRefs
	case t == typExpr:
		return decodeExpr
	case t == reflect.SliceOf(typExpr):
		return decodeExprList
	case t == reflect.MapOf(reflect.TypeFor[string](), typExpr):
		return decodeExprMap
	case t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct:
		f.plan = planLocked(t.Elem())
		return decodeObject
	case t.Kind() == reflect.Struct:
		f.plan = planLocked(t)
		return decodeObject
	case convertible(t):
		return decodeValue
	}
	return nil
}

func (d *decoder) attribute(f *field, expr hclsyntax.Expression, ctx *hclv2.EvalContext, v reflect.Value) {
	f.decode(d, f, expr, ctx, v)
}

// value evaluates expr at configuration time.
func (d *decoder) value(expr hclsyntax.Expression, ctx *hclv2.EvalContext, what string) (cty.Value, bool) {
	if v, ok := literal(expr); ok {
		return v, true
	}
	if !d.configTime(expr, ctx, what) {
		return cty.NilVal, false
	}
	v, diags := expr.Value(ctx)
	d.diags = append(d.diags, explainEval(diags)...)
	if diags.HasErrors() || !v.IsWhollyKnown() {
		return cty.NilVal, false
	}
	if size := sizeOf(v, maxValue); size > maxValue {
		d.error(expr.Range(), "Value too large", fmt.Sprintf("The value takes more than %d bytes.", maxValue))
		return cty.NilVal, false
	}
	return v, true
}

// literal is the value of the simplest expressions, which most are.
func literal(expr hclsyntax.Expression) (cty.Value, bool) {
	switch e := expr.(type) {
	case *hclsyntax.LiteralValueExpr:
		return e.Val, true
	case *hclsyntax.TemplateExpr:
		if e.IsStringLiteral() {
			v, diags := e.Value(nil)
			return v, !diags.HasErrors()
		}
	}
	return cty.NilVal, false
}

func decodeValue(d *decoder, f *field, expr hclsyntax.Expression, ctx *hclv2.EvalContext, v reflect.Value) {
	val, ok := d.value(expr, ctx, "the argument \""+f.name+"\"")
	if !ok || !d.present(f, val, expr, v) {
		return
	}
	if why := setValue(v, val); why != "" {
		d.error(expr.Range(), "Incorrect attribute value type", fmt.Sprintf(
			"Inappropriate value for attribute %q: %s, not %s.", f.name, why, friendlyValue(val)))
		return
	}
	if why := f.check(v); why != "" {
		d.error(expr.Range(), "Invalid value", fmt.Sprintf("The argument %q %s; it is %s.", f.name, why, friendlyValue(val)))
	}
}

// present says whether a value was written; null is the same as nothing.
func (d *decoder) present(f *field, val cty.Value, expr hclsyntax.Expression, v reflect.Value) bool {
	if !val.IsNull() {
		return true
	}
	switch {
	case f.required:
		d.error(expr.Range(), "Missing required argument", fmt.Sprintf("The argument %q is required, but its value is null.", f.name))
	case f.def.IsValid():
		v.Set(f.def)
	}
	return false
}

// decodeObject fills a struct from an object.
func decodeObject(d *decoder, f *field, expr hclsyntax.Expression, ctx *hclv2.EvalContext, v reflect.Value) {
	exprs, keys, ok := d.object(f, expr, ctx)
	if !ok || exprs == nil {
		return
	}
	before := len(d.diags)
	dst := reflect.New(f.plan.typ).Elem()
	places := ranges{"": expr.Range()}
	for _, key := range keys {
		inner := f.plan.attrs[key.name]
		if inner == nil {
			d.error(key.rng, "Unsupported attribute", fmt.Sprintf(
				"The object %q has no attribute %q.%s", f.name, key.name, didYouMean(key.name, f.plan.names)))
			continue
		}
		places[key.name] = exprs[key.name].Range()
		d.attribute(inner, exprs[key.name], ctx, dst.FieldByIndex(inner.index))
	}
	for _, inner := range f.plan.order {
		if exprs[inner.name] != nil {
			continue
		}
		if inner.required {
			d.error(expr.Range(), "Missing required attribute", fmt.Sprintf("The object %q needs the attribute %q.", f.name, inner.name))
		} else if inner.def.IsValid() {
			dst.FieldByIndex(inner.index).Set(inner.def)
		}
	}
	d.finish(f.plan, dst, places, before)
	if v.Kind() == reflect.Pointer {
		v.Set(dst.Addr())
		return
	}
	v.Set(dst)
}

type objectKey struct {
	name string
	rng  hclv2.Range
}

// object takes an expression apart into the expressions of an object's attributes. An object that is not written out is
// evaluated, and its values stand for their expressions. nil without failure is null.
func (d *decoder) object(f *field, expr hclsyntax.Expression, ctx *hclv2.EvalContext) (map[string]hclsyntax.Expression, []objectKey, bool) {
	if p, ok := expr.(*hclsyntax.ParenthesesExpr); ok {
		return d.object(f, p.Expression, ctx)
	}
	out := map[string]hclsyntax.Expression{}
	var keys []objectKey
	what := "the argument \"" + f.name + "\""
	if cons, ok := expr.(*hclsyntax.ObjectConsExpr); ok {
		for _, item := range cons.Items {
			k, ok := d.key(item.KeyExpr, ctx, what)
			if !ok {
				return nil, nil, false
			}
			if out[k] != nil {
				d.error(item.KeyExpr.Range(), "Duplicate key", fmt.Sprintf("The key %q stands twice in %q.", k, f.name))
				return nil, nil, false
			}
			out[k] = item.ValueExpr
			keys = append(keys, objectKey{k, item.KeyExpr.Range()})
		}
		return out, keys, true
	}
	val, ok := d.value(expr, ctx, what)
	if !ok {
		return nil, nil, false
	}
	if val.IsNull() {
		return nil, nil, d.present(f, val, expr, reflect.Value{}) || !f.required
	}
	if !val.Type().IsObjectType() && !val.Type().IsMapType() {
		d.error(expr.Range(), "Incorrect attribute value type", fmt.Sprintf(
			"Inappropriate value for attribute %q: an object is required, not %s.", f.name, friendlyValue(val)))
		return nil, nil, false
	}
	for it := val.ElementIterator(); it.Next(); {
		k, e := it.Element()
		out[k.AsString()] = &hclsyntax.LiteralValueExpr{Val: e, SrcRange: expr.Range()}
		keys = append(keys, objectKey{k.AsString(), expr.Range()})
	}
	return out, keys, true
}

// key evaluates the key of an object.
func (d *decoder) key(expr hclsyntax.Expression, ctx *hclv2.EvalContext, what string) (string, bool) {
	v, ok := d.value(expr, ctx, "a key of "+what)
	if !ok {
		return "", false
	}
	v, err := convert.Convert(v, cty.String)
	if err != nil || v.IsNull() {
		d.error(expr.Range(), "Invalid key", "A key is a string.")
		return "", false
	}
	return v.AsString(), true
}

func decodeExpr(d *decoder, f *field, expr hclsyntax.Expression, ctx *hclv2.EvalContext, v reflect.Value) {
	c := compiler{d: d, scope: f.scope}
	if e, ok := c.compile(expr, ctx); ok {
		if val, isConst := e.Const(); isConst && val == nil {
			d.present(f, cty.NullVal(cty.DynamicPseudoType), expr, v)
			return
		}
		v.Set(reflect.ValueOf(e))
	}
}

func decodeExprMap(d *decoder, f *field, expr hclsyntax.Expression, ctx *hclv2.EvalContext, v reflect.Value) {
	exprs, keys, ok := d.object(f, expr, ctx)
	if !ok || exprs == nil {
		return
	}
	out := make(map[string]gateway.Expr, len(keys))
	for _, key := range keys {
		c := compiler{d: d, scope: f.scope}
		if e, ok := c.compile(exprs[key.name], ctx); ok {
			out[key.name] = e
		}
	}
	v.Set(reflect.ValueOf(out))
}

func decodeExprList(d *decoder, f *field, expr hclsyntax.Expression, ctx *hclv2.EvalContext, v reflect.Value) {
	cons, ok := expr.(*hclsyntax.TupleConsExpr)
	if !ok {
		d.error(expr.Range(), "Incorrect attribute value type", fmt.Sprintf(
			"Inappropriate value for attribute %q: a list in brackets is required.", f.name))
		return
	}
	out := make([]gateway.Expr, 0, len(cons.Exprs))
	for _, item := range cons.Exprs {
		c := compiler{d: d, scope: f.scope}
		if e, ok := c.compile(item, ctx); ok {
			out = append(out, e)
		}
	}
	v.Set(reflect.ValueOf(out))
}
