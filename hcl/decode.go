package hcl

import (
	"fmt"
	"reflect"

	hclv2 "github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/sluice-gateway/sluice/gateway"
)

// decoder is the state of one Eval.
type decoder struct {
	w       *written
	scope   gateway.Scope
	ctx     *hclv2.EvalContext
	request map[string]gateway.Expr // the locals that are known at request time only
	diags   hclv2.Diagnostics
	refs    []gateway.Ref
	seen    map[gateway.Ref]bool
	places  map[any]ranges // of the structs that semantic checks look at
	blocks  int            // made by dynamic blocks
}

// ranges is where the values of a block's attributes stand; "" is the block's header.
type ranges map[string]hclv2.Range

// of is the range of an attribute's value, or the block's where it was left out.
func (r ranges) of(name string) hclv2.Range {
	if rng, ok := r[name]; ok {
		return rng
	}
	return r[""]
}

// node is one nested block, from the document or made by a dynamic block.
type node struct {
	block  *hclsyntax.Block
	labels []string
	ctx    *hclv2.EvalContext
	top    bool // for_each may stand in it
}

// target is one struct that attributes and blocks of a body go to.
type target struct {
	plan *plan
	val  reflect.Value
}

func (d *decoder) error(subject hclv2.Range, summary, detail string) {
	d.diags = append(d.diags, &hclv2.Diagnostic{
		Severity: hclv2.DiagError, Summary: summary, Detail: detail, Subject: subject.Ptr(),
	})
}

// structBlock decodes a block into the struct v.
func (d *decoder) structBlock(n node, p *plan, v reflect.Value) {
	before := len(d.diags)
	for i, f := range p.labels {
		if i < len(n.labels) {
			v.FieldByIndex(f.index).SetString(n.labels[i])
		}
	}
	places := d.body(n, target{p, v})
	d.finish(p, v, places, before)
}

// finish sets the block's place, and checks what only the whole block shows.
func (d *decoder) finish(p *plan, v reflect.Value, places ranges, before int) {
	if p.defRange != nil {
		v.FieldByIndex(p.defRange).Set(reflect.ValueOf(places[""]))
	}
	check := semanticChecks[p.typ]
	if check == nil && !p.checked {
		return
	}
	ptr := v.Addr().Interface()
	if check != nil {
		d.places[ptr] = places
	}
	if d.diags[before:].HasErrors() {
		return
	}
	if check != nil {
		check(d, ptr, places)
	}
	if p.checked {
		d.diags = append(d.diags, ptr.(gateway.Checker).Check(places)...)
	}
}

// body decodes the attributes and blocks of n into the targets, whose names are different.
func (d *decoder) body(n node, targets ...target) ranges {
	body := n.block.Body
	places := ranges{"": n.block.DefRange()}
	found := 0
	for _, t := range targets {
		for _, f := range t.plan.order {
			if attr := body.Attributes[f.name]; attr != nil {
				found++
				places[f.name] = attr.Expr.Range()
				d.attribute(f, attr.Expr, n.ctx, t.val.FieldByIndex(f.index))
				continue
			}
			d.absent(f, n, t.val.FieldByIndex(f.index))
		}
	}
	if n.top && body.Attributes["for_each"] != nil {
		found++
	}
	if found != len(body.Attributes) {
		d.unknownAttributes(n, targets)
	}
	d.nested(n, targets)
	return places
}

func (d *decoder) absent(f *field, n node, v reflect.Value) {
	if f.required {
		d.error(n.block.DefRange(), "Missing required argument",
			fmt.Sprintf("The argument %q is required, but no definition was found.", f.name))
		return
	}
	if f.def.IsValid() {
		v.Set(f.def)
	}
}

func (d *decoder) unknownAttributes(n node, targets []target) {
	var names []string
	for _, attr := range sortedAttrs(n.block.Body) {
		if attr.Name == "for_each" && n.top || planAttr(targets, attr.Name) {
			continue
		}
		if names == nil {
			for _, t := range targets {
				for _, f := range t.plan.order {
					names = append(names, f.name)
				}
			}
		}
		hint := didYouMean(attr.Name, names)
		if d.isBlock(targets, attr.Name) {
			hint = fmt.Sprintf(" Did you mean to define a block of type %q?", attr.Name)
		}
		d.error(attr.NameRange, "Unsupported argument", fmt.Sprintf("An argument named %q is not expected here.%s", attr.Name, hint))
	}
}

func planAttr(targets []target, name string) bool {
	for _, t := range targets {
		if t.plan.attrs[name] != nil {
			return true
		}
	}
	return false
}

func (d *decoder) isBlock(targets []target, name string) bool {
	for _, t := range targets {
		if t.plan.blocks[name] != nil || t.plan.features != nil && d.w.schema.features[name] != nil ||
			t.plan.sources != nil && d.w.schema.sources[name] != nil {
			return true
		}
	}
	return false
}

// nested decodes the blocks inside a body.
func (d *decoder) nested(n node, targets []target) {
	counts := map[string]hclv2.Range{}
	for _, b := range d.expand(n) {
		if !d.nestedBlock(n, b, targets, counts) {
			d.unknownBlock(b, targets)
		}
	}
}

// nestedBlock hands one block to the struct that knows it.
func (d *decoder) nestedBlock(n, b node, targets []target, counts map[string]hclv2.Range) bool {
	name := b.block.Type
	for _, t := range targets {
		if f := t.plan.blocks[name]; f != nil {
			if d.fits(b, f.plan) && (f.many || d.once(b, counts)) {
				d.into(f, b, t.val.FieldByIndex(f.index))
			}
			return true
		}
		if entry := d.w.schema.features[name]; entry != nil && t.plan.features != nil {
			d.feature(n, b, entry, t.val.FieldByIndex(t.plan.features), counts)
			return true
		}
		if entry := d.w.schema.sources[name]; entry != nil && t.plan.sources != nil {
			d.source(b, entry, t.val.FieldByIndex(t.plan.sources))
			return true
		}
	}
	return false
}

func (d *decoder) unknownBlock(b node, targets []target) {
	name := b.block.Type
	if planAttr(targets, name) {
		d.error(b.block.TypeRange, "Unsupported block type", fmt.Sprintf(
			"Blocks of type %q are not expected here. Did you mean to define argument %q? If so, use the equals sign to assign it a value.", name, name))
		return
	}
	if entry := d.w.schema.features[name]; entry != nil {
		d.error(b.block.TypeRange, "Unsupported block type", fmt.Sprintf(
			"Blocks of type %q are not expected here. They may stand in: %s.", name, levels(entry.Levels)))
		return
	}
	var names []string
	for _, t := range targets {
		for _, f := range t.plan.blockSeq {
			names = append(names, f.name)
		}
		if t.plan.features != nil {
			names = append(names, sortedKeys(d.w.schema.features)...)
		}
		if t.plan.sources != nil {
			names = append(names, sortedKeys(d.w.schema.sources)...)
		}
	}
	d.error(b.block.TypeRange, "Unsupported block type",
		fmt.Sprintf("Blocks of type %q are not expected here.%s", name, didYouMean(name, names)))
}

// fits checks the labels of a nested block.
func (d *decoder) fits(b node, p *plan) bool {
	if len(b.labels) == len(p.labels) {
		return true
	}
	if diag := labelDiag(b.block, p); diag != nil {
		d.diags = append(d.diags, diag)
	}
	return false
}

// once reports the second block of a type that may stand once.
func (d *decoder) once(b node, counts map[string]hclv2.Range) bool {
	key := b.block.Type
	for _, l := range b.labels {
		key += "\x00" + l
	}
	first, again := counts[key]
	if !again {
		counts[key] = b.block.DefRange()
		return true
	}
	what := b.block.Type
	for _, l := range b.labels {
		what += fmt.Sprintf(" %q", l)
	}
	d.error(b.block.DefRange(), fmt.Sprintf("Duplicate %s block", b.block.Type),
		fmt.Sprintf("Only one %s block is allowed here. Another was defined at %s.", what, place(first)))
	return false
}

func (d *decoder) into(f *field, b node, v reflect.Value) {
	ptr := reflect.New(f.plan.typ)
	d.structBlock(b, f.plan, ptr.Elem())
	if f.many {
		v.Set(reflect.Append(v, ptr))
		return
	}
	v.Set(ptr)
}

func (d *decoder) feature(n, b node, entry *featureEntry, v reflect.Value, counts map[string]hclv2.Range) {
	if level := levelOf(n.block.Type); entry.Levels&level == 0 {
		d.error(b.block.TypeRange, "Unsupported block type", fmt.Sprintf(
			"Blocks of type %q are not expected in %s. They may stand in: %s.", b.block.Type, n.block.Type, levels(entry.Levels)))
		return
	}
	if !d.fits(b, entry.plan) {
		return
	}
	if (entry.Combine == gateway.Nearest || len(entry.plan.labels) > 0) && !d.once(b, counts) {
		return
	}
	f := entry.New()
	d.structBlock(b, entry.plan, reflect.ValueOf(f).Elem())
	for _, ref := range f.Refs() {
		d.addRef(ref)
	}
	v.Set(reflect.Append(v, reflect.ValueOf(f)))
}

func (d *decoder) source(b node, entry *sourceEntry, v reflect.Value) {
	if !d.fits(b, entry.plan) {
		return
	}
	src := &gateway.Source{Kind: entry.Name, Spec: entry.New(), Range: b.block.DefRange()}
	spec := reflect.ValueOf(src.Spec).Elem()
	for i, f := range entry.plan.labels {
		spec.FieldByIndex(f.index).SetString(b.labels[i])
	}
	before := len(d.diags)
	common := reflect.ValueOf(src).Elem()
	places := d.body(b, target{sourcePlan, common}, target{entry.plan, spec})
	d.finish(sourcePlan, common, places, before)
	d.finish(entry.plan, spec, places, before)
	for _, s := range src.Expand() {
		v.Set(reflect.Append(v, reflect.ValueOf(s)))
	}
}

func (d *decoder) addRef(ref gateway.Ref) {
	if ref.IsZero() || d.seen[ref] {
		return
	}
	if d.seen == nil {
		d.seen = map[gateway.Ref]bool{}
	}
	d.seen[ref] = true
	d.refs = append(d.refs, ref)
}
