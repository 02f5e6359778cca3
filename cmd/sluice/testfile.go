package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	hclv2 "github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/sluice-gateway/sluice/gateway"
)

// testFile is what stands in a *.test.hcl file.
type testFile struct {
	Tests []*testBlock `hcl:"test,block"`
}

// testBlock is one request and what is to become of it.
type testBlock struct {
	Name        string           `hcl:"name,label"`
	Gateway     string           `hcl:"gateway,optional"`     // none: all
	Listener    string           `hcl:"listener,optional"`    // none: those with the port of the URL, else all
	Destination hclv2.Expression `hcl:"destination,optional"` // the function or upstream that gets the request; none: each in turn
	Choose      *float64         `hcl:"choose,optional"`      // the number from 0 to below 1 that decides between weights
	Request     testRequest      `hcl:"request,block"`
	Answers     []*testAnswer    `hcl:"answer,block"`
	Expect      testExpect       `hcl:"expect,block"`
	Range       hclv2.Range      `hcl:",def_range"`

	ctx *hclv2.EvalContext
}

// testRequest is what a client sends.
type testRequest struct {
	Method   string           `hcl:"method,optional"` // none: GET
	URL      string           `hcl:"url"`             // with a host, or a path with the header host
	Headers  hclv2.Expression `hcl:"headers,optional"`
	Body     hclv2.Expression `hcl:"body,optional"` // an object or a list is sent as JSON
	ClientIP string           `hcl:"client_ip,optional"`
	Claims   hclv2.Expression `hcl:"claims,optional"` // of the client's token
	Range    hclv2.Range      `hcl:",def_range"`
}

// testAnswer is what a destination answers: for a Lambda its result, for a gRPC method its message as JSON.
type testAnswer struct {
	Function hclv2.Expression `hcl:"function,optional"` // who answers it; neither: whoever is asked
	Upstream hclv2.Expression `hcl:"upstream,optional"`
	Status   *int             `hcl:"status,optional"` // none: 200
	Headers  hclv2.Expression `hcl:"headers,optional"`
	Body     hclv2.Expression `hcl:"body,optional"`
	Range    hclv2.Range      `hcl:",def_range"`
}

// testExpect is what has to hold. What is left out is not looked at.
type testExpect struct {
	Route    hclv2.Expression `hcl:"route,optional"`
	Function hclv2.Expression `hcl:"function,optional"`
	Upstream hclv2.Expression `hcl:"upstream,optional"`
	Refused  hclv2.Expression `hcl:"refused,optional"` // the reason for which nothing is sent, or no answer is passed on
	Sent     *testSent        `hcl:"sent,block"`
	Response *testResponse    `hcl:"response,block"`
	Range    hclv2.Range      `hcl:",def_range"`
}

// testSent is the request that the upstream gets.
type testSent struct {
	Method  hclv2.Expression `hcl:"method,optional"`
	Path    hclv2.Expression `hcl:"path,optional"`
	Query   hclv2.Expression `hcl:"query,optional"`   // all of it: text, or an object
	Headers hclv2.Expression `hcl:"headers,optional"` // some of them; null must be absent
	Body    hclv2.Expression `hcl:"body,optional"`
	Range   hclv2.Range      `hcl:",def_range"`
}

// testResponse is what the client gets, whoever gives it.
type testResponse struct {
	Status      hclv2.Expression `hcl:"status,optional"`
	Headers     hclv2.Expression `hcl:"headers,optional"`
	ContentType hclv2.Expression `hcl:"content_type,optional"`
	Body        hclv2.Expression `hcl:"body,optional"`
	Range       hclv2.Range      `hcl:",def_range"`
}

// parseTests reads the tests of a file.
func parseTests(f file) ([]*testBlock, hclv2.Diagnostics) {
	parsed, diags := hclsyntax.ParseConfig(f.text, f.name, hclv2.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	var out testFile
	ctx := &hclv2.EvalContext{Functions: testFunctions(path.Dir(f.name))}
	diags = append(diags, gohcl.DecodeBody(parsed.Body, ctx, &out)...)
	seen := map[string]hclv2.Range{}
	for _, t := range out.Tests {
		t.ctx = ctx
		if first, twice := seen[t.Name]; twice {
			diags = append(diags, testProblem(t.Range, "Duplicate test", fmt.Sprintf("A test named %q was defined at %s:%d. Give each a name of its own.", t.Name, first.Filename, first.Start.Line)))
		}
		seen[t.Name] = t.Range
		if t.Choose != nil && written(t.Destination) {
			diags = append(diags, testProblem(t.Range, "Two choices", "destination and choose both say where the request goes. Keep one of them."))
		}
		if t.Choose != nil && (*t.Choose < 0 || *t.Choose >= 1) {
			diags = append(diags, testProblem(t.Range, "Invalid choice", "choose is a number from 0 to below 1, which decides between weights."))
		}
	}
	return out.Tests, diags
}

func testProblem(at hclv2.Range, summary, detail string) *hclv2.Diagnostic {
	return &hclv2.Diagnostic{Severity: hclv2.DiagError, Summary: summary, Detail: detail, Subject: &at}
}

// written says that an optional attribute is there.
func written(e hclv2.Expression) bool {
	_, ok := e.(hclsyntax.Expression)
	return ok
}

// testFunctions are what expressions in tests may call; files are below the test's folder.
func testFunctions(folder string) map[string]function.Function {
	text := func(name string, f func(string) (string, error)) function.Function {
		return function.New(&function.Spec{
			Params: []function.Parameter{{Name: name, Type: cty.String}},
			Type:   function.StaticReturnType(cty.String),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				s, err := f(args[0].AsString())
				return cty.StringVal(s), err
			},
		})
	}
	return map[string]function.Function{
		"base64decode": text("text", func(s string) (string, error) { b, err := base64.StdEncoding.DecodeString(s); return string(b), err }),
		"base64encode": text("text", func(s string) (string, error) { return base64.StdEncoding.EncodeToString([]byte(s)), nil }),
		"concat":       stdlib.ConcatFunc,
		"file":         text("path", func(name string) (string, error) { return readBelow(folder, name) }),
		"format":       stdlib.FormatFunc,
		"join":         stdlib.JoinFunc,
		"jsondecode":   stdlib.JSONDecodeFunc,
		"jsonencode":   stdlib.JSONEncodeFunc,
		"merge":        stdlib.MergeFunc,
		"range":        stdlib.RangeFunc,
		"upper":        stdlib.UpperFunc,
	}
}

// readBelow reads a file that lies below a folder.
func readBelow(folder, name string) (string, error) {
	f, err := os.OpenInRoot(filepath.FromSlash(folder), filepath.FromSlash(name))
	if err != nil {
		return "", plainPathError(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFileBytes))
	return string(text), plainPathError(err)
}

// jsonOf is a value as encoding/json has it.
func jsonOf(v cty.Value) (any, error) {
	if v.IsNull() {
		return nil, nil
	}
	raw, err := ctyjson.Marshal(v, v.Type())
	if err != nil {
		return nil, err
	}
	var out any
	return out, json.Unmarshal(raw, &out)
}

// value evaluates an attribute; nil for null.
func (t *testBlock) value(e hclv2.Expression) (any, hclv2.Diagnostics) {
	v, diags := e.Value(t.ctx)
	if diags.HasErrors() {
		return nil, diags
	}
	out, err := jsonOf(v)
	if err != nil {
		return nil, hclv2.Diagnostics{testProblem(e.Range(), "Invalid value", "The value cannot be written as JSON.")}
	}
	return out, diags
}

// reference is the block that an attribute names: function.UPSTREAM.NAME, upstream.NAME, route.NAME.
func reference(e hclv2.Expression, kinds ...string) (gateway.ID, hclv2.Diagnostics) {
	wrong := func() (gateway.ID, hclv2.Diagnostics) {
		text := "It is written as a reference, like "
		for i, k := range kinds {
			if i > 0 {
				text += " or "
			}
			text += map[string]string{
				gateway.KindFunction: `function.shop.divide, function.shop["GET /pets"]`,
				gateway.KindUpstream: "upstream.shop", gateway.KindRoute: "route.divide",
			}[k]
		}
		return gateway.ID{}, hclv2.Diagnostics{testProblem(e.Range(), "Invalid reference", text+".")}
	}
	steps, diags := hclv2.AbsTraversalForExpr(e)
	if diags.HasErrors() || len(steps) < 2 {
		return wrong()
	}
	kind, names := steps.RootName(), []string{}
	for _, s := range steps[1:] {
		switch s := s.(type) {
		case hclv2.TraverseAttr:
			names = append(names, s.Name)
		case hclv2.TraverseIndex:
			if s.Key.Type() != cty.String {
				return wrong()
			}
			names = append(names, s.Key.AsString())
		default:
			return wrong()
		}
	}
	for _, k := range kinds {
		if k != kind {
			continue
		}
		if id, ok := referenceID(kind, names); ok {
			return id, nil
		}
	}
	return wrong()
}

// referenceID is the block of a reference's names; that of an instance ends in its key.
func referenceID(kind string, names []string) (gateway.ID, bool) {
	instance := func(list []string) string {
		if len(list) == 2 {
			return fmt.Sprintf("%s[%q]", list[0], list[1])
		}
		return list[0]
	}
	last := len(names) - 1
	if kind == gateway.KindFunction {
		if last < 1 || last > 2 {
			return gateway.ID{}, false
		}
		return gateway.FunctionID(instance(names[:last]), names[last]), true
	}
	if last > 1 {
		return gateway.ID{}, false
	}
	return gateway.ID{Kind: kind, Name: instance(names)}, true
}
