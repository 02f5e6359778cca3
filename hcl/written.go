package hcl

import (
	"fmt"
	"reflect"
	"strconv"
	"weak"

	hclv2 "github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/sluice-gateway/sluice/gateway"
)

// written is a block, or one attribute of a locals block, as it stands in its document. It never changes.
type written struct {
	id     gateway.ID
	origin Origin
	header hclv2.Range
	text   string
	schema *Schema
	top    *topEntry // nil for a local
	ast    weak.Pointer[tree]
	uses   uses
	static hclv2.Diagnostics // what was seen when the document was parsed
}

var _ gateway.Written = (*written)(nil)

// tree is the parsed form of a block. It takes some twenty times the memory of the text and is needed for evaluation
// alone, so it is held weakly and parsed again when it is gone.
type tree struct {
	block *hclsyntax.Block
	attr  *hclsyntax.Attribute // of a locals block
}

func (w *written) tree() *tree {
	if s := w.ast.Value(); s != nil {
		return s
	}
	s := &tree{}
	body, diags := parseBody(w.origin.Name, []byte(w.text+"\n"), w.header.Start)
	if diags.HasErrors() {
		return s // the same text was parsed before
	}
	for _, a := range body.Attributes {
		s.attr = a
	}
	for _, b := range body.Blocks {
		s.block = b
	}
	return s
}

// ID names the block.
func (w *written) ID() gateway.ID { return w.id }

// Document is the name of the document.
func (w *written) Document() string { return w.origin.Name }

// Range is the place of the block's header.
func (w *written) Range() hclv2.Range { return w.header }

// Text is the block's own bytes.
func (w *written) Text() string { return w.text }

// Defaults implements gateway.Written.
func (w *written) Defaults() map[gateway.ID]string {
	var out map[gateway.ID]string
	for _, call := range w.uses.kv {
		if out == nil {
			out = make(map[gateway.ID]string, len(w.uses.kv))
		}
		out[gateway.ID{Kind: gateway.KindValue, Name: call.key}] = call.def
	}
	return out
}

// Eval decodes the block. All diagnostics come at once, in the order of the document.
func (w *written) Eval(scope gateway.Scope) (gateway.Value, hclv2.Diagnostics) {
	d := newDecoder(w, scope)
	value := gateway.Value{Instances: map[string]any{}}
	switch s := w.tree(); {
	case s.attr != nil:
		if l := d.local(s.attr); l != nil {
			value.Instances[w.id.Name] = l
		}
	case s.block != nil:
		d.instances(s.block, &value)
	}
	value.Refs = d.refs
	return value, Dedup(inOrder(append(d.diags, w.static...)))
}

// instances decodes a plain block once, and a block with for_each once a key.
func (d *decoder) instances(block *hclsyntax.Block, value *gateway.Value) {
	w := d.w
	attr := block.Body.Attributes["for_each"]
	if attr == nil || !w.top.forEach {
		value.Instances[w.id.Name] = d.instance(block, d.ctx, w.id.Name)
		return
	}
	items, ok := d.forEach(attr, d.ctx)
	if !ok {
		return
	}
	for _, item := range items {
		ctx := d.ctx.NewChild()
		ctx.Variables = map[string]cty.Value{
			"each": cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(item.key), "value": item.value}),
		}
		name := instanceName(w.id.Name, item.key)
		value.Instances[name] = d.instance(block, ctx, name)
	}
}

func instanceName(name, key string) string { return name + "[" + strconv.Quote(key) + "]" }

func (d *decoder) instance(block *hclsyntax.Block, ctx *hclv2.EvalContext, name string) any {
	w := d.w
	v := reflect.New(w.top.typ)
	d.structBlock(node{block: block, labels: labelsOf(w, name), ctx: ctx, top: w.top.forEach}, w.top.plan, v.Elem())
	return v.Interface()
}

type forEachItem struct {
	key   string
	value cty.Value
}

// forEach evaluates what a block or a dynamic block is repeated over.
func (d *decoder) forEach(attr *hclsyntax.Attribute, ctx *hclv2.EvalContext) ([]forEachItem, bool) {
	v, ok := d.value(attr.Expr, ctx, "for_each")
	if !ok {
		return nil, false
	}
	t := v.Type()
	fail := func(detail string) ([]forEachItem, bool) {
		d.error(attr.Expr.Range(), "Invalid for_each argument", detail)
		return nil, false
	}
	switch {
	case v.IsNull():
		return fail("The value is null. Give a map, an object or a set of strings; an empty one makes no block.")
	case t.IsMapType() || t.IsObjectType():
	case t.IsSetType() && (t.ElementType() == cty.String || v.LengthInt() == 0):
	default:
		return fail(fmt.Sprintf("The value is %s. Give a map, an object or a set of strings; toset() makes a set of a list.", friendly(t)))
	}
	if n := v.LengthInt(); n > maxInstances {
		return fail(fmt.Sprintf("The value has %d elements; %d are allowed.", n, maxInstances))
	}
	items := make([]forEachItem, 0, v.LengthInt())
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		if t.IsSetType() {
			k = e
		}
		if k.IsNull() || !k.IsKnown() {
			return fail("A key is null.")
		}
		items = append(items, forEachItem{k.AsString(), e})
	}
	return items, true
}
