package hcl

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	hclv2 "github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
	"pgregory.net/rapid"

	"github.com/sluice-gateway/sluice/gateway"
)

// testRequest is one request, for our evaluator; requestValue is the same for the library's.
var testRequest = gateway.RequestContext{
	Method: "POST", Host: "shop.example.com", ClientIP: "192.0.2.1", ID: "r-1",
	Path:    map[string]string{"id": "42", "name": "ärger"},
	Query:   map[string]string{"page": "3", "empty": ""},
	Headers: map[string]string{"x-who": "Ann", "x-n": "1.5"},
	Body: map[string]any{
		"a": 5.0, "b": 2.0, "big": 12345678901.0, "half": 0.5, "yes": true, "no": false, "text": "Hello, World", "none": nil,
		"items": []any{map[string]any{"id": 1.0, "ok": true, "tag": "x"}, map[string]any{"id": 2.0, "ok": false, "tag": "y"}},
		"words": []any{"pear", "apple", "fig"}, "map": map[string]any{"k1": "v1", "k2": "v2"},
	},
	Auth: map[string]any{"subject": "ann", "claims": map[string]any{"org": "acme"}},
}

func requestValue(t testing.TB) cty.Value {
	r := testRequest
	b, err := json.Marshal(map[string]any{
		"method": r.Method, "host": r.Host, "client_ip": r.ClientIP, "id": r.ID, "path": r.Path, "query": r.Query,
		"headers": r.Headers, "body": r.Body, "auth": r.Auth,
	})
	if err != nil {
		t.Fatal(err)
	}
	typ, err := ctyjson.ImpliedType(b)
	if err != nil {
		t.Fatal(err)
	}
	v, err := ctyjson.Unmarshal(b, typ)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// libraryEval is what HCL makes of an expression; ok is false where it refuses.
func libraryEval(t testing.TB, src string) (any, bool) {
	expr, diags := hclsyntax.ParseExpression([]byte(src), "x", hclv2.InitialPos)
	if diags.HasErrors() {
		t.Fatalf("%s: %s", src, diags.Error())
	}
	ctx := baseContext.NewChild()
	ctx.Variables = map[string]cty.Value{"request": requestValue(t)}
	v, diags := expr.Value(ctx)
	if diags.HasErrors() {
		return nil, false
	}
	return withoutNulls(plain(v)), true
}

// withoutNulls drops keys whose value is null, as requests do.
func withoutNulls(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			if e == nil {
				delete(x, k)
				continue
			}
			x[k] = withoutNulls(e)
		}
	case []any:
		for i := range x {
			x[i] = withoutNulls(x[i])
		}
	}
	return v
}

func ourEval(t testing.TB, src string) (any, error) {
	e, diags := CompileExpr(Origin{Name: "x"}, src, scopeOf())
	if diags.HasErrors() {
		return nil, diags
	}
	// What Envoy gets went through JSON.
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var again gateway.Expr
	if err := json.Unmarshal(b, &again); err != nil {
		t.Fatal(err)
	}
	v, err := again.Eval(testRequest)
	return withoutNulls(v), err
}

func compareEval(t testing.TB, src string) {
	want, ok := libraryEval(t, src)
	got, err := ourEval(t, src)
	if !ok {
		return // null where HCL refuses, and the like
	}
	if err != nil {
		t.Errorf("%s: HCL has %v, we refuse: %v", src, want, err)
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (HCL -, ours +):\n%s", src, diff)
	}
}

func TestEvalEqualsHCL(t *testing.T) {
	for _, src := range []string{
		`request.method`, `request.path.id + 1`, `"${request.path.id}"`, `"a ${request.body.a} b ${request.body.half}"`,
		`request.body.a / request.body.b`, `request.body.a % 3`, `-request.body.a % 3`, `request.body.big * 10`, `1 / request.body.a`,
		`request.body.yes && !request.body.no`, `request.body.no || request.body.yes`, `request.body.a == 5`, `request.body.a != "5"`,
		`request.body.a > 3 ? "more" : "less"`, `request.method == "GET" ? 1 : 2`,
		`[for i in request.body.items : i.id]`, `[for i in request.body.items : i.id if i.ok]`, `[for k, v in request.body.map : "${k}=${v}"]`,
		`{ for i in request.body.items : i.tag => i.id }`, `{ for i in request.body.items : "all" => i.id... }`, `[for i, w in request.body.words : i]`,
		`request.body.items[*].id`, `request.body.items[1].tag`, `request.body["text"]`, `request.body.items.0.id`, `request.body.map["k1"]`,
		`{ a = request.body.a, "b c" = upper(request.host), (request.method) = 1 }`, `[request.method, 1, true, null]`,
		`upper(request.host)`, `lower(request.headers["x-who"])`, `trim(request.body.text, "Hd")`, `trimspace(" ${request.host} ")`,
		`trimprefix(request.host, "shop.")`, `trimsuffix(request.host, ".com")`, `startswith(request.host, "shop")`, `endswith(request.host, ".org")`,
		`strcontains(request.host, "example")`, `replace(request.host, ".", "-")`, `substr(request.body.text, 7, 5)`, `substr(request.body.text, -5, -1)`,
		`split(".", request.host)`, `join("-", request.body.words)`, `length(request.path.name)`, `length(request.body.items)`, `length(request.body.map)`,
		`contains(request.body.words, "fig")`, `lookup(request.body.map, "k3", "none")`, `keys(request.body.map)`, `values(request.body.map)`,
		`merge(request.body.map, { k2 = "w" })`, `concat(request.body.words, ["x"])`, `tostring(request.body.a)`, `tonumber(request.query.page) + 1`,
		`tobool(request.body.yes)`, `jsonencode(request.body)`, `jsondecode("{\"a\":${request.body.a}}").a`, `urlencode(request.body.text)`,
		`htmlencode("<${request.host}>")`, `base64encode(request.host)`, `base64decode(base64encode(request.host))`,
		`coalesce(request.query.empty, "x")`, `max(request.body.a, 7)`, `min(request.body.a, "3")`, `floor(request.body.half)`, `ceil(request.body.half)`, `abs(-request.body.a)`,
		`can(tonumber(request.host))`, `"%{ for w in request.body.words ~}${w},%{ endfor ~}"`,
		`"%{ if request.body.yes }yes%{ else }no%{ endif }"`, `"a${request.body.half}${true}${1.50}"`, `sha256("x") == request.method`,
		`upper("${request.method}x") == "POSTX"`, `[for w in request.body.words : upper(w)]`, `(request.body.a + request.body.b) * 2`,
		`[for i in request.body.items : [for w in request.body.words : "${i.id}${w}"]]`, `request.headers["X-Who"] == null ? 1 : 2`,
		`[for w in ["a", "b"] : "${w}${request.method}"]`, `request.body.items[*]`, `request.body.a[*]`, `{ x = request.body.none }`,
	} {
		compareEval(t, src)
	}
}

// TestClosedList is where requests differ from the configuration.
func TestClosedList(t *testing.T) {
	for src, want := range map[string]any{
		`request.headers["none"]`:                  nil,
		`"a${request.query.none}b"`:                "ab",
		`[for x in request.body.none : x]`:         []any{},
		`{ a = request.query.none, b = 1 }`:        map[string]any{"b": 1.0},
		`request.body.words[9]`:                    nil,
		`request.body.none.deeper`:                 nil,
		`lookup(request.body.none, "x", 1)`:        1.0,
		`"x${1 / 3 + 0 * request.body.a}"`:         "x0.3333333333333333",
		`"x${request.body.big * 100000000000000}"`: "x1.2345678901e+24",
		`request.headers["X-WHO"]`:                 "Ann",
	} {
		got, err := ourEval(t, src)
		if err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("%s: %v, %v; want %v", src, got, err, want)
		}
	}
	for _, src := range []string{
		`request.query.none + 1`, `request.host * 2`, `1 / (request.body.a - 5)`, `request.query.none ? 1 : 2`, `"x${request.body.items}"`,
		`upper(request.query.none)`, `[for x in request.host : x]`, `{ for i in request.body.items : "k" => i }`,
	} {
		if v, err := ourEval(t, src); err == nil {
			t.Errorf("%s: %v, want an error", src, v)
		}
	}
}

func TestEvalEqualsHCLGenerated(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		src := genExpr(t, rapid.SampledFrom([]string{"n", "s", "b", "l"}).Draw(t, "type"), 4)
		want, ok := libraryEval(silent{T: t}, src)
		got, err := ourEval(silent{T: t}, src)
		if !ok {
			return
		}
		if err != nil && strings.Contains(err.Error(), "Nested for") {
			return
		}
		if err != nil {
			t.Fatalf("%s: HCL has %v, we refuse: %v", src, want, err)
		}
		if !near(want, got) {
			t.Fatalf("%s: HCL has %v, we have %v", src, want, got)
		}
	})
}

// silent lets helpers of testing.TB run under rapid.
type silent struct {
	testing.TB
	T *rapid.T
}

func (s silent) Fatal(args ...any)            { s.T.Fatal(args...) }
func (s silent) Fatalf(f string, args ...any) { s.T.Fatalf(f, args...) }

// near allows what doubles lose against HCL's longer numbers.
func near(a, b any) bool {
	x, okx := a.(float64)
	y, oky := b.(float64)
	if okx && oky {
		d := x - y
		return d*d <= 1e-18*(1+x*x)
	}
	return cmp.Equal(a, b)
}

var exprForms = map[string][]string{
	"n": {"(n + n)", "(n - n)", "(n * n)", "length(s)", "length(l)", "max(n, n)", "(b ? n : n)", "-n"},
	"s": {"upper(s)", "lower(s)", `"${s}-${b}"`, `join(",", l)`, "substr(s, 1, 2)", `replace(s, "a", "b")`, "(b ? s : s)",
		`"%{ if b }${s}%{ endif }"`, `"%{ for v in l }${v};%{ endfor }"`, "urlencode(s)"},
	"b":  {"(n < n)", "(s == s)", "(b && b)", "(b || b)", "!b", "contains(l, s)", "startswith(s, s)", "(n != n)"},
	"l":  {"[for v in l : upper(v)]", "[for v in l : v if v != s]", "concat(l, l)", "[s, s]", `split(".", s)`, "values({ a = s })"},
	"n0": {"1", "2", "0", "10", "request.body.a", "request.body.b", "request.body.big", "request.path.id"},
	"s0": {`"x"`, `""`, `"a.b"`, "request.method", "request.host", "request.path.name", "request.body.text"},
	"b0": {"true", "false", "request.body.yes", "request.body.no"},
	"l0": {"request.body.words", `["a", "b"]`, `split(".", request.host)`},
}

var hole = regexp.MustCompile(`\b[nsbl]\b`)

// genExpr draws an expression of a type: a form, whose single letters n, s, b and l are expressions again.
func genExpr(t *rapid.T, typ string, depth int) string {
	if depth == 0 {
		return rapid.SampledFrom(exprForms[typ+"0"]).Draw(t, "leaf")
	}
	form := rapid.SampledFrom(exprForms[typ]).Draw(t, "form")
	return hole.ReplaceAllStringFunc(form, func(inner string) string {
		if strings.Contains(form, `"`+inner+`"`) {
			return inner
		}
		return genExpr(t, inner, depth-1)
	})
}

// FuzzExpr compiles and runs any text.
func FuzzExpr(f *testing.F) {
	for _, s := range []string{`request.host`, `[for a in request.body.x : a...]`, `"${request.path.a}%{if true}x%{endif}"`, `a.b[*].c`, `{(request.id)=1}`, `try(1,request.id)`, "<<E\n${request.id}\nE\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		e, diags := CompileExpr(Origin{Name: "x", File: true}, src, scopeOf(), "request", "response", "arg")
		if diags.HasErrors() {
			return
		}
		_, _ = e.Eval(testRequest)
		if _, err := json.Marshal(e); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzParse parses and evaluates any document.
func FuzzParse(f *testing.F) {
	f.Add(fmt.Sprintf(oneRoute, 1, 1))
	f.Add("locals {\n a = request.id\n b = \"${local.a}\"\n}\nupstream \"a\" {\n for_each = toset([\"x\"])\n static { addresses = [each.key] }\n}\n")
	f.Fuzz(func(t *testing.T, src string) {
		doc := Parse(Origin{Name: "x.hcl", File: true}, []byte(src), testSchema)
		allDiags(doc, nil)
		for _, w := range doc.Blocks {
			if !strings.Contains(src, w.Text()) {
				t.Fatalf("the text of %s is not in the document", w.ID())
			}
			again, diags := ParseBlock(Origin{Name: "x.hcl", File: true}, w.Text(), w.Range().Start, testSchema)
			if diags.HasErrors() || again.ID() != w.ID() || again.Range() != w.Range() || again.Text() != w.Text() {
				t.Fatalf("%s is not parsed again: %v", w.ID(), diags)
			}
		}
		if out, diags := Format("x.hcl", []byte(src)); !diags.HasErrors() {
			if twice, _ := Format("x.hcl", out); string(twice) != string(out) {
				t.Fatalf("formatted twice: %q, %q", out, twice)
			}
		}
	})
}
