package hcl

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"weak"

	hclv2 "github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/sluice-gateway/sluice/gateway"
)

// Origin says where a document comes from.
type Origin struct {
	Name   string // a path, or consul:KEY; it stands in every range of the document
	Index  uint64 // CreateIndex of a KV value; 0 for a file
	Modify uint64 // ModifyIndex of a KV value; 0 for a file
	File   bool   // env() and file() are allowed
}

var blockName = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)

// Parse splits a document into its blocks. It is pure, and bounded whatever src is. A document with a syntax error has
// no blocks and is Broken; other mistakes that Parse sees concern what is no block at all, and stand in Diags while the
// good blocks stay. What is wrong inside a block is found by Written.Eval.
func Parse(doc Origin, src []byte, schema *Schema) *gateway.Document {
	out := &gateway.Document{Name: doc.Name, Index: doc.Index, Modify: doc.Modify, Text: string(src)}
	body, diags := parseBody(doc.Name, src, hclv2.InitialPos)
	if diags.HasErrors() {
		out.Broken, out.Diags = true, Dedup(diags)
		return out
	}
	p := &parser{origin: doc, src: src, text: string(src), schema: schema, out: out}
	p.body(body)
	if len(out.Blocks) > maxBlocks {
		out.Blocks, out.Broken = nil, true
		p.diag(fileStart(doc.Name), "Too many blocks", fmt.Sprintf(
			"A document may hold %d blocks. Split it: the blocks of all documents see each other.", maxBlocks))
	}
	p.conflictingDefaults()
	out.Diags = Dedup(append(out.Diags, diags...))
	return out
}

// ParseBlock makes a block again from the text that Written.Text gave, as it stood at start in its document: the ledger
// keeps blocks so. The result equals what Parse of the document made of it.
func ParseBlock(doc Origin, text string, start hclv2.Pos, schema *Schema) (gateway.Written, hclv2.Diagnostics) {
	src := []byte(text)
	parsed := src
	if !strings.HasSuffix(text, "\n") {
		parsed = append(src[:len(src):len(src)], '\n')
	}
	body, diags := parseBody(doc.Name, parsed, start)
	if diags.HasErrors() {
		return nil, diags
	}
	p := &parser{origin: doc, src: src, text: text, base: start.Byte, schema: schema, out: &gateway.Document{Name: doc.Name}}
	if len(body.Blocks) == 0 && len(body.Attributes) == 1 {
		for _, attr := range body.Attributes {
			p.local(attr)
		}
	} else {
		p.body(body)
	}
	if len(p.out.Blocks) != 1 {
		return nil, append(p.out.Diags, &hclv2.Diagnostic{Severity: hclv2.DiagError, Summary: "Invalid block text",
			Detail: "The text is not exactly one block.", Subject: fileStart(doc.Name)})
	}
	return p.out.Blocks[0], nil
}

func parseBody(name string, src []byte, start hclv2.Pos) (*hclsyntax.Body, hclv2.Diagnostics) {
	if diags := checkLimits(name, src, start); diags != nil {
		return nil, diags
	}
	file, diags := hclsyntax.ParseConfig(src, name, start)
	if diags.HasErrors() {
		return nil, explainTraps(diags, src)
	}
	return file.Body.(*hclsyntax.Body), nil
}

type parser struct {
	origin Origin
	src    []byte
	text   string
	base   int // byte offset of src in its document
	schema *Schema
	out    *gateway.Document
}

func (p *parser) diag(subject *hclv2.Range, summary, detail string) {
	p.out.Diags = append(p.out.Diags, &hclv2.Diagnostic{
		Severity: hclv2.DiagError, Summary: summary, Detail: detail, Subject: subject,
	})
}

func (p *parser) body(body *hclsyntax.Body) {
	for _, attr := range sortedAttrs(body) {
		p.diag(attr.NameRange.Ptr(), "Unsupported argument", fmt.Sprintf(
			"An argument named %q is not expected here: a document holds blocks. Values with a name go into a locals block.", attr.Name))
	}
	for _, b := range body.Blocks {
		if b.Type == "locals" {
			p.locals(b)
			continue
		}
		p.block(b)
	}
}

func (p *parser) block(b *hclsyntax.Block) {
	top := p.schema.tops[b.Type]
	if top == nil {
		p.unknown(b)
		return
	}
	if !p.labels(b, top.plan) {
		return
	}
	id, ok := p.name(top, b)
	if !ok {
		return
	}
	w := p.written(id, b.Range(), b.DefRange())
	w.ast, w.top = weak.Make(&tree{block: b}), top
	scanUses(b.Body, &w.uses)
	p.out.Blocks = append(p.out.Blocks, w)
}

func (p *parser) unknown(b *hclsyntax.Block) {
	if b.Type == "test" {
		p.diag(b.TypeRange.Ptr(), "Unsupported block type", "Tests are no part of what is served. Put them into a file of their own, whose name ends in .test.hcl.")
		return
	}
	p.diag(b.TypeRange.Ptr(), "Unsupported block type", fmt.Sprintf(
		"Blocks of type %q are not expected here.%s", b.Type, didYouMean(b.Type, p.schema.topNames)))
}

func (p *parser) labels(b *hclsyntax.Block, pl *plan) bool {
	if diag := labelDiag(b, pl); diag != nil {
		p.out.Diags = append(p.out.Diags, diag)
		return false
	}
	return true
}

func (p *parser) locals(b *hclsyntax.Block) {
	for i := range b.Labels {
		p.diag(b.LabelRanges[i].Ptr(), "Extraneous label for locals", "A locals block has no label.")
	}
	for _, nested := range b.Body.Blocks {
		p.diag(nested.TypeRange.Ptr(), "Unsupported block type", fmt.Sprintf(
			"Blocks of type %q are not expected here: locals holds arguments, NAME = VALUE.", nested.Type))
	}
	for _, attr := range sortedAttrs(b.Body) {
		p.local(attr)
	}
}

func (p *parser) local(attr *hclsyntax.Attribute) {
	w := p.written(gateway.ID{Kind: gateway.KindLocal, Name: attr.Name}, attr.SrcRange, attr.NameRange)
	w.ast = weak.Make(&tree{attr: attr})
	scanUses(attr.Expr, &w.uses)
	p.out.Blocks = append(p.out.Blocks, w)
}

func (p *parser) written(id gateway.ID, whole, header hclv2.Range) *written {
	from, to := whole.Start.Byte-p.base, min(whole.End.Byte-p.base, len(p.text))
	return &written{
		id: id, origin: p.origin, header: header, schema: p.schema,
		text: strings.TrimRight(p.text[from:to], "\n"),
	}
}

// conflictingDefaults reports a key that two kv() calls of the document give different defaults. Across documents it is
// found where they meet.
func (p *parser) conflictingDefaults() {
	first := map[string]kvCall{}
	for _, b := range p.out.Blocks {
		w := b.(*written)
		for _, call := range w.uses.kv {
			was, seen := first[call.key]
			if !seen {
				first[call.key] = call
				continue
			}
			if was.def != call.def {
				w.static = append(w.static, &hclv2.Diagnostic{
					Severity: hclv2.DiagError, Summary: "Conflicting defaults", Subject: call.rng.Ptr(),
					Detail: fmt.Sprintf("The key %q has the default %s at %s and %s here. Give it one default: put the call into a local and use that.",
						call.key, was.def, place(was.rng), call.def),
				})
			}
		}
	}
}

func place(r hclv2.Range) string { return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line) }

func fileStart(name string) *hclv2.Range {
	return &hclv2.Range{Filename: name, Start: hclv2.InitialPos, End: hclv2.InitialPos}
}

// sortedAttrs lists attributes in the order of the document.
func sortedAttrs(body *hclsyntax.Body) []*hclsyntax.Attribute {
	out := make([]*hclsyntax.Attribute, 0, len(body.Attributes))
	for _, a := range body.Attributes {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b *hclsyntax.Attribute) int {
		return cmp.Compare(a.SrcRange.Start.Byte, b.SrcRange.Start.Byte)
	})
	return out
}
