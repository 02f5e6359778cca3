package hcl

import (
	"fmt"
	"slices"

	hclv2 "github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// expand lists the blocks inside n, with dynamic blocks unrolled:
//
//	dynamic "to" {
//	  for_each = local.regions
//	  iterator = region           # optional: the block type otherwise
//	  labels   = [region.key]     # optional
//	  content { upstream = upstream.svc[region.key] }
//	}
func (d *decoder) expand(n node) []node {
	blocks := n.block.Body.Blocks
	out := make([]node, 0, len(blocks))
	for _, b := range blocks {
		if b.Type == "dynamic" {
			out = append(out, d.unroll(n, b)...)
			continue
		}
		out = append(out, node{block: b, labels: b.Labels, ctx: n.ctx})
	}
	return out
}

func (d *decoder) unroll(n node, b *hclsyntax.Block) []node {
	content, ok := d.dynamicParts(b)
	if !ok {
		return nil
	}
	iterator := b.Labels[0]
	if attr := b.Body.Attributes["iterator"]; attr != nil {
		if iterator = hclv2.ExprAsKeyword(attr.Expr); iterator == "" {
			d.error(attr.Expr.Range(), "Invalid iterator", "The iterator is a name, without quotes.")
			return nil
		}
	}
	items, ok := d.dynamicItems(b.Body.Attributes["for_each"], n.ctx)
	if !ok {
		return nil
	}
	made := *content
	made.Type, made.TypeRange = b.Labels[0], b.LabelRanges[0]
	var out []node
	for _, item := range items {
		if d.blocks++; d.blocks > maxNested {
			d.error(b.DefRange(), "Too many blocks", fmt.Sprintf("The dynamic blocks of one block may make %d blocks.", maxNested))
			return nil
		}
		ctx := n.ctx.NewChild()
		ctx.Variables = map[string]cty.Value{iterator: cty.ObjectVal(map[string]cty.Value{"key": item.k, "value": item.v})}
		labels, ranges, ok := d.dynamicLabels(b, ctx)
		if !ok {
			return nil
		}
		block := made
		block.Labels, block.LabelRanges = labels, ranges
		out = append(out, node{block: &block, labels: labels, ctx: ctx})
	}
	return out
}

// dynamicParts checks the form of a dynamic block and returns its content.
func (d *decoder) dynamicParts(b *hclsyntax.Block) (*hclsyntax.Block, bool) {
	if len(b.Labels) != 1 {
		d.error(b.DefRange(), "Invalid dynamic block", `A dynamic block has one label, the type of the blocks that it makes: dynamic "to".`)
		return nil, false
	}
	ok := true
	for _, attr := range sortedAttrs(b.Body) {
		if !slices.Contains([]string{"for_each", "iterator", "labels"}, attr.Name) {
			d.error(attr.NameRange, "Unsupported argument", fmt.Sprintf(
				"An argument named %q is not expected in a dynamic block; arguments of the blocks that it makes stand in its content block.", attr.Name))
			ok = false
		}
	}
	if b.Body.Attributes["for_each"] == nil {
		d.error(b.DefRange(), "Missing required argument", `The argument "for_each" is required, but no definition was found.`)
		ok = false
	}
	if len(b.Body.Blocks) != 1 || b.Body.Blocks[0].Type != "content" || len(b.Body.Blocks[0].Labels) > 0 {
		d.error(b.DefRange(), "Invalid dynamic block", "A dynamic block holds exactly one block: content, without a label.")
		return nil, false
	}
	return b.Body.Blocks[0], ok
}

type dynamicItem struct{ k, v cty.Value }

// dynamicItems evaluates for_each of a dynamic block, which may be a list as well.
func (d *decoder) dynamicItems(attr *hclsyntax.Attribute, ctx *hclv2.EvalContext) ([]dynamicItem, bool) {
	v, ok := d.value(attr.Expr, ctx, "for_each")
	if !ok {
		return nil, false
	}
	if v.IsNull() || !v.CanIterateElements() {
		d.error(attr.Expr.Range(), "Invalid for_each argument", fmt.Sprintf("The value is %s. Give a list, a set, a map or an object.", friendlyValue(v)))
		return nil, false
	}
	if n := v.LengthInt(); n > maxInstances {
		d.error(attr.Expr.Range(), "Invalid for_each argument", fmt.Sprintf("The value has %d elements; %d are allowed.", n, maxInstances))
		return nil, false
	}
	var items []dynamicItem
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		items = append(items, dynamicItem{k, e})
	}
	return items, true
}

func (d *decoder) dynamicLabels(b *hclsyntax.Block, ctx *hclv2.EvalContext) ([]string, []hclv2.Range, bool) {
	attr := b.Body.Attributes["labels"]
	if attr == nil {
		return nil, nil, true
	}
	v, ok := d.value(attr.Expr, ctx, `the argument "labels"`)
	if !ok {
		return nil, nil, false
	}
	t := v.Type()
	if v.IsNull() || !t.IsTupleType() && !t.IsListType() {
		d.error(attr.Expr.Range(), "Invalid labels", "The labels of a dynamic block are a list of strings.")
		return nil, nil, false
	}
	var labels []string
	var ranges []hclv2.Range
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if e.IsNull() || e.Type() != cty.String {
			d.error(attr.Expr.Range(), "Invalid labels", "The labels of a dynamic block are a list of strings.")
			return nil, nil, false
		}
		labels, ranges = append(labels, e.AsString()), append(ranges, attr.Expr.Range())
	}
	return labels, ranges, true
}
