package e2e

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	hclv2 "github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// jobBlock is a block of a job file with its values, as Nomad reads it: variables are put in, dynamic blocks are written
// out, and what only the client of a node knows ("${NOMAD_PORT_xds}") stands as it stood.
type jobBlock struct {
	kind   string
	labels []string
	attrs  map[string]cty.Value
	blocks []*jobBlock
	at     hclv2.Range
}

// readJob reads a job file. It finds what Nomad finds before it looks at names: syntax, variables, functions.
func readJob(path string, vars map[string]string) (*jobBlock, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parseJob(path, text, vars)
}

func parseJob(path string, text []byte, vars map[string]string) (*jobBlock, error) {
	f, diags := hclsyntax.ParseConfig(text, path, hclv2.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	body := f.Body.(*hclsyntax.Body)
	r := &jobReader{values: map[string]cty.Value{}}
	given := maps.Clone(vars)
	var job *jobBlock
	for _, b := range body.Blocks {
		var err error
		switch {
		case b.Type == "variable" && len(b.Labels) == 1:
			err = r.variable(b, given)
		case b.Type == "job" && len(b.Labels) == 1 && job == nil:
			job, err = r.block(b.Type, b.Labels, b.Body, nil)
		default:
			err = fmt.Errorf("%s: what is a block %q here", b.TypeRange, b.Type)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(given) > 0 || len(body.Attributes) > 0 || job == nil {
		return nil, fmt.Errorf("%s: no job, an attribute outside of it, or no variables %v", path, slices.Sorted(maps.Keys(given)))
	}
	return job, nil
}

type jobReader struct{ values map[string]cty.Value }

func (r *jobReader) variable(b *hclsyntax.Block, given map[string]string) error {
	kind := cty.DynamicPseudoType
	for name, a := range b.Body.Attributes {
		switch name {
		case "type":
			var diags hclv2.Diagnostics
			if kind, diags = typeexpr.TypeConstraint(a.Expr); diags.HasErrors() {
				return diags
			}
		case "default", "description":
		default:
			return fmt.Errorf("%s: a variable has no %q", a.NameRange, name)
		}
	}
	name := b.Labels[0]
	expr := hclsyntax.Expression(nil)
	if text, ok := given[name]; ok {
		delete(given, name)
		var diags hclv2.Diagnostics
		if kind == cty.String {
			r.values[name] = cty.StringVal(text)
			return nil
		}
		if expr, diags = hclsyntax.ParseExpression([]byte(text), "-var "+name, hclv2.InitialPos); diags.HasErrors() {
			return diags
		}
	} else if a := b.Body.Attributes["default"]; a != nil {
		expr = a.Expr
	} else {
		return fmt.Errorf("%s: the variable %s has no default and no value", b.TypeRange, name)
	}
	v, diags := expr.Value(nil)
	if diags.HasErrors() {
		return diags
	}
	v, err := convert.Convert(v, kind)
	if err != nil {
		return fmt.Errorf("variable %s: %w", name, err)
	}
	r.values[name] = v
	return nil
}

func (r *jobReader) block(kind string, labels []string, body *hclsyntax.Body, scope map[string]cty.Value) (*jobBlock, error) {
	out := &jobBlock{kind: kind, labels: labels, attrs: map[string]cty.Value{}, at: body.SrcRange}
	for name, a := range body.Attributes {
		v, err := r.value(a.Expr, scope)
		if err != nil {
			return nil, err
		}
		out.attrs[name] = v
	}
	for _, b := range body.Blocks {
		if b.Type != "dynamic" {
			one, err := r.block(b.Type, b.Labels, b.Body, scope)
			if err != nil {
				return nil, err
			}
			out.blocks = append(out.blocks, one)
			continue
		}
		all, err := r.dynamic(b, scope)
		if err != nil {
			return nil, err
		}
		out.blocks = append(out.blocks, all...)
	}
	return out, nil
}

// dynamic writes out a dynamic block.
func (r *jobReader) dynamic(b *hclsyntax.Block, scope map[string]cty.Value) (out []*jobBlock, err error) {
	each := b.Body.Attributes["for_each"]
	if len(b.Labels) != 1 || each == nil || len(b.Body.Attributes) != 1 || len(b.Body.Blocks) != 1 || b.Body.Blocks[0].Type != "content" {
		return nil, fmt.Errorf("%s: a dynamic block has a label, for_each and content", b.TypeRange)
	}
	list, err := r.value(each.Expr, scope)
	if err != nil {
		return nil, err
	}
	for it := list.ElementIterator(); it.Next(); {
		key, value := it.Element()
		inner := maps.Clone(scope)
		if inner == nil {
			inner = map[string]cty.Value{}
		}
		inner[b.Labels[0]] = cty.ObjectVal(map[string]cty.Value{"key": key, "value": value})
		one, err := r.block(b.Labels[0], nil, b.Body.Blocks[0].Body, inner)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// value evaluates an expression. References that the client resolves become their own text.
func (r *jobReader) value(expr hclsyntax.Expression, scope map[string]cty.Value) (cty.Value, error) {
	ctx := &hclv2.EvalContext{Variables: map[string]cty.Value{"var": cty.ObjectVal(r.values)}, Functions: map[string]function.Function{
		"concat": stdlib.ConcatFunc, "floor": stdlib.FloorFunc, "format": stdlib.FormatFunc, "join": stdlib.JoinFunc,
	}}
	maps.Copy(ctx.Variables, scope)
	later := map[string]map[string]cty.Value{}
	for _, ref := range expr.Variables() {
		root := ref.RootName()
		if _, known := ctx.Variables[root]; known && later[root] == nil {
			continue
		}
		var steps []string
		for _, step := range ref {
			switch s := step.(type) {
			case hclv2.TraverseRoot:
			case hclv2.TraverseAttr:
				steps = append(steps, s.Name)
			default:
				return cty.NilVal, fmt.Errorf("%s: an index in what the client resolves", ref.SourceRange())
			}
		}
		switch {
		case strings.HasPrefix(root, "NOMAD_") && len(steps) == 0:
			ctx.Variables[root] = cty.StringVal("${" + root + "}")
		case slices.Contains([]string{"attr", "node", "meta", "env"}, root) && len(steps) > 0:
			if later[root] == nil {
				later[root] = map[string]cty.Value{}
			}
			whole := "${" + root + "." + strings.Join(steps, ".") + "}"
			v := cty.StringVal(whole)
			for _, name := range slices.Backward(steps[1:]) {
				v = cty.ObjectVal(map[string]cty.Value{name: v})
			}
			later[root][steps[0]] = v
			ctx.Variables[root] = cty.ObjectVal(later[root])
		default:
			return cty.NilVal, fmt.Errorf("%s: nobody knows %q", ref.SourceRange(), root)
		}
	}
	v, diags := expr.Value(ctx)
	if diags.HasErrors() {
		return cty.NilVal, diags
	}
	return v, nil
}

// all are the blocks of a kind below this one, at any depth.
func (b *jobBlock) all(kind string) (out []*jobBlock) {
	for _, one := range b.blocks {
		if one.kind == kind {
			out = append(out, one)
		}
		out = append(out, one.all(kind)...)
	}
	return out
}

// text is an attribute as text; "" where there is none.
func (b *jobBlock) text(name string) string {
	v, ok := b.attrs[name]
	if !ok || v.IsNull() {
		return ""
	}
	s, err := convert.Convert(v, cty.String)
	if err != nil {
		return ""
	}
	return s.AsString()
}

// list is an attribute that is a list of texts.
func (b *jobBlock) list(name string) (out []string) {
	v, ok := b.attrs[name]
	if !ok {
		return nil
	}
	for it := v.ElementIterator(); it.Next(); {
		_, one := it.Element()
		out = append(out, one.AsString())
	}
	return out
}
