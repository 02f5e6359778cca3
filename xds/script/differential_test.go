package script_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluice-gateway/sluice/gateway"
)

// drawn is a random program and what it is asked.
type drawn struct {
	program  *gateway.Program
	requests []gateway.RawRequest
	answers  []gateway.RawResponse
}

func bin(op string, a, b gateway.Expr) gateway.Expr {
	return gateway.Expr{Op: gateway.OpBinary, Name: op, Args: []gateway.Expr{a, b}}
}

var texts = []string{"", "a", "Äpfel straße ǅ", "a,b,,c", "<b>&\"'", "true", "12", "-0.5e3", "1e999", " x\u00a0", "日本語", "a\x00b\x1f\u2028", "/x/../y", "%41+ ", ".", "..", "0x10", "5.", "1_0", "9007199254740993", "-00012345678901234567890"}

var numbers = []float64{0, 1, -1, 2.5, 1e21, 1e-7, 123456789012345678, 0.1, 3, 5e-324, 1.7976931348623157e308, 5.684341886080802e-14, 9007199254740993}

// forms are the expressions of a kind: n a number, s a text, b a truth value, l a list, o an object, x anything. A call
// is the function, then the kinds of its arguments.
var forms = map[byte][]string{
	'n': {"+ nn", "- nn", "* nn", "/ nn", "% nn", "neg n", "abs n", "ceil n", "floor n", "max nnn", "min nn", "length s", "length l", "length o", "tonumber s", "tonumber n"},
	's': {"template sxs", "template snb", "upper s", "lower s", "trim ss", "trimspace s", "trimprefix ss", "trimsuffix ss", "replace sss", "substr snn",
		"urlencode s", "htmlencode s", "base64encode s", "base64decode s", "jsonencode x", "tostring n", "join sl", "join sll", "raw s", "coalesce ss"},
	'b': {"== xx", "!= xx", "< nn", "<= nn", "> nn", ">= nn", "&& bb", "|| bb", "! b", "startswith ss", "endswith ss", "strcontains ss", "contains lx", "can x", "tobool b"},
	'l': {"tuple xx", "splat l", "for l", "for o", "concat ll", "split ss", "keys o", "values o"},
	'o': {"object", "map l", "map o", "group l", "merge oo"},
	'x': {"cond bxx", "index ln", "index os", "attr o", "lookup osx", "lookup os", "coalesce xx", "try xx", "jsondecode s"},
}

// expression draws an expression of a kind, of depth levels; one of ten is of another kind.
func expression(t *rapid.T, kind byte, depth int, vars []string, response bool) gateway.Expr {
	if kind == 'x' || rapid.IntRange(0, 9).Draw(t, "stray") == 0 {
		kind = rapid.SampledFrom([]byte("nsblox")).Draw(t, "kind")
	}
	if depth == 0 {
		return leaf(t, kind, vars, response)
	}
	name, kinds, _ := strings.Cut(rapid.SampledFrom(forms[kind]).Draw(t, "form"), " ")
	sub := func(k byte) gateway.Expr { return expression(t, k, depth-1, vars, response) }
	switch name {
	case "for", "map", "group":
		return loop(t, name, kinds[0], depth, vars, response)
	case "splat":
		inner := append(vars[:len(vars):len(vars)], "splat")
		return gateway.Expr{Op: gateway.OpSplat, Args: []gateway.Expr{sub('l'), expression(t, 'x', depth-1, inner, response)}}
	case "object":
		return obj(con("k"), sub('x'), sub('s'), sub('x'))
	case "attr":
		return gateway.Expr{Op: gateway.OpAttr, Name: rapid.SampledFrom([]string{"k", "a", "0"}).Draw(t, "attr"), Args: []gateway.Expr{sub('o')}}
	}
	var args []gateway.Expr
	for i := range len(kinds) {
		args = append(args, sub(kinds[i]))
	}
	switch name {
	case "template", "tuple", "cond", "index":
		return gateway.Expr{Op: gateway.Op(name), Args: args}
	case "neg", "!":
		return gateway.Expr{Op: gateway.OpUnary, Name: strings.Replace(name, "neg", "-", 1), Args: args}
	}
	if _, _, ok := gateway.RequestFunction(name); ok {
		return call(name, args...)
	}
	return bin(name, args[0], args[1])
}

func loop(t *rapid.T, name string, of byte, depth int, vars []string, response bool) gateway.Expr {
	key := rapid.SampledFrom([]string{"", "k"}).Draw(t, "key")
	inner := append(vars[:len(vars):len(vars)], "v")
	if key != "" {
		inner = append(inner, key)
	}
	sub := func(k byte) gateway.Expr { return expression(t, k, depth-1, inner, response) }
	e := gateway.Expr{Op: gateway.OpFor, Vars: [2]string{key, "v"}, Args: []gateway.Expr{
		expression(t, of, depth-1, vars, response), {}, sub('x'), {},
	}}
	if name != "for" {
		e.Args[1] = sub('s')
		e.Group = name == "group"
	}
	if rapid.IntRange(0, 3).Draw(t, "condition") == 0 {
		e.Args[3] = sub('b')
	}
	return e
}

func leaf(t *rapid.T, kind byte, vars []string, response bool) gateway.Expr {
	if len(vars) > 0 && rapid.Bool().Draw(t, "variable") {
		return vari(rapid.SampledFrom(vars).Draw(t, "name"))
	}
	if response && rapid.Bool().Draw(t, "of the response") {
		paths := map[byte]string{'n': "status", 's': "headers x-r", 'l': "body list", 'o': "body obj", 'b': "body yes"}[kind]
		if paths == "" {
			paths = rapid.SampledFrom([]string{"headers none", "body", "body a", "body obj x", "body list"}).Draw(t, "path")
		}
		return res(strings.Fields(paths)...)
	}
	at := func(paths ...string) gateway.Expr {
		return req(strings.Fields(rapid.SampledFrom(paths).Draw(t, "path"))...)
	}
	constant := rapid.Bool().Draw(t, "constant")
	switch {
	case kind == 'n' && constant:
		return con(rapid.SampledFrom(numbers).Draw(t, "number"))
	case kind == 'n':
		return at("body n", "body big", "query q")
	case kind == 's' && constant:
		return con(rapid.SampledFrom(texts).Draw(t, "text"))
	case kind == 's':
		return at("method", "path a", "path b", "query q", "headers x-a", "body s")
	case kind == 'b' && constant:
		return con(rapid.Bool().Draw(t, "truth"))
	case kind == 'b':
		return at("body yes", "body yes")
	case kind == 'l' && constant:
		return con(rapid.SampledFrom([]any{[]any{}, []any{1.0, "x", nil}, []any{"b", "a"}, []any{map[string]any{"k": 1.0}}}).Draw(t, "list"))
	case kind == 'l':
		return at("body list")
	case kind == 'o' && constant:
		return con(rapid.SampledFrom([]any{map[string]any{}, map[string]any{"b": "1", "a": 2.5}, map[string]any{"k": nil, "é": []any{}}}).Draw(t, "object"))
	case kind == 'o':
		return at("body obj", "body")
	case constant:
		return con(nil)
	}
	return at("body a", "query none", "headers x-none", "body none x")
}

// value draws a JSON value.
func value(t *rapid.T, depth int) any {
	switch rapid.IntRange(0, 5).Draw(t, "json") {
	case 0:
		return rapid.SampledFrom(texts).Draw(t, "text")
	case 1:
		return json.Number(rapid.SampledFrom([]string{"0", "-0", "1", "1.0", "1.50", "1e999", "-1e-999", "12345678901234567890", "1E+2", "123456789012345", "-7", "0.1"}).Draw(t, "number"))
	case 2:
		return rapid.SampledFrom([]any{nil, true, false}).Draw(t, "word")
	}
	if depth == 0 {
		return "x"
	}
	n := rapid.IntRange(0, 3).Draw(t, "size")
	if rapid.Bool().Draw(t, "object") {
		out := map[string]any{}
		for range n {
			out[rapid.SampledFrom([]string{"k", "a", "x", "", "é"}).Draw(t, "key")] = value(t, depth-1)
		}
		return out
	}
	out := make([]any, n)
	for i := range out {
		out[i] = value(t, depth-1)
	}
	return out
}

func body(t *rapid.T) string {
	fields := map[string]any{
		"n": rapid.SampledFrom(numbers).Draw(t, "n"), "s": rapid.SampledFrom(texts).Draw(t, "s"), "yes": rapid.Bool().Draw(t, "yes"),
		"big":  json.Number(rapid.SampledFrom([]string{"1e999", "12345678901234567890", "1.50", "-0", "7", "1e2"}).Draw(t, "big")),
		"list": []any{value(t, 2), value(t, 1), value(t, 0)}, "obj": map[string]any{"k": value(t, 1), "x": value(t, 2)}, "a": value(t, 2),
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if rapid.IntRange(0, 9).Draw(t, "absent") == 0 {
			fields[name] = value(t, 1)
		}
	}
	b, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func request(t *rapid.T, i int) gateway.RawRequest {
	text := rapid.SampledFrom(texts)
	h := http.Header{"content-type": {"application/json"}}
	if v := strings.TrimSpace(text.Draw(t, "header")); !strings.ContainsFunc(v, func(r rune) bool { return r < ' ' }) {
		h["x-a"] = []string{v}
	}
	part := func() string {
		s := url.PathEscape(text.Draw(t, "segment"))
		if s == "" || s == "." || s == ".." || strings.Contains(s, "%00") {
			return "x"
		}
		return s
	}
	q := "q=" + url.QueryEscape(text.Draw(t, "query")) + "&z=%zz&&=e&q=2"
	return gateway.RawRequest{
		Method: "POST", Host: fmt.Sprintf("c%d.test", i), Target: "/p/" + part() + "/" + part() + "?" + q, Headers: h, Body: []byte(body(t)),
	}
}

func draw(t *rapid.T, i int) drawn {
	e := func(response bool) gateway.Expr {
		e := expression(t, 'x', rapid.IntRange(1, 4).Draw(t, "depth"), nil, response)
		if rapid.IntRange(0, 9).Draw(t, "bare") == 0 {
			return e
		}
		return call("try", e, con("failed"))
	}
	d := drawn{program: &gateway.Program{Path: "/p/{a}/{b}"}}
	out := &gateway.RequestChange{
		Body: obj(con("v"), call("try", e(false), con("failed")), con("w"), e(false)), ContentType: "application/json",
		Headers: map[string]gateway.Expr{"x-c": call("try", call("jsonencode", e(false)), con("none"))},
		Query:   map[string]gateway.Expr{"q": call("try", call("tostring", e(false)), con(nil))},
	}
	if rapid.IntRange(0, 3).Draw(t, "call") == 0 {
		kind := rapid.SampledFrom([]gateway.TypeKind{gateway.TypeInteger, gateway.TypeNumber, gateway.TypeBoolean}).Draw(t, "type")
		value := req(rapid.SampledFrom([]string{"path", "query"}).Draw(t, "from"), rapid.SampledFrom([]string{"a", "q"}).Draw(t, "named"))
		if rapid.Bool().Draw(t, "computed") {
			value = e(false)
		}
		d.program.Call = &gateway.Call{Headers: map[string]gateway.Expr{"x-b": {Op: gateway.OpConvert, Name: string(kind), Path: []string{`an "n"`}, Args: []gateway.Expr{value}}}}
	}
	if rapid.IntRange(0, 4).Draw(t, "path") == 0 {
		out.Path = tmpl(con("/to/"), e(false), con("/x"))
	}
	d.program.Request = []*gateway.RequestChange{out}
	back := &gateway.ResponseChange{
		Headers: map[string]gateway.Expr{"x-s": call("try", call("jsonencode", e(true)), con("none"))},
	}
	if rapid.Bool().Draw(t, "html") {
		back.Body, back.ContentType = tmpl(con("<p>"), call("try", e(true), con("failed")), list("i", res("body", "list"), con("<i>"), e(true)), call("raw", con("&"))), "text/html"
	} else {
		back.Body = obj(con("v"), e(true))
	}
	d.program.Response = []*gateway.ResponseChange{back}
	for range 3 {
		d.requests = append(d.requests, request(t, i))
		d.answers = append(d.answers, gateway.RawResponse{
			Status: rapid.SampledFrom([]int{200, 201, 404, 500}).Draw(t, "status"), Body: []byte(body(t)),
			Headers: http.Header{"content-type": {"application/json"}, "x-r": {"r"}},
		})
	}
	return d
}

// TestTheScriptDoesWhatTheReferenceDoes runs random programs in a real Envoy and in Go, and wants one outcome.
func TestTheScriptDoesWhatTheReferenceDoes(t *testing.T) {
	const programs = 800
	gen := rapid.Custom(func(t *rapid.T) func(int) drawn {
		seed := draw(t, 0)
		return func(i int) drawn {
			for j := range seed.requests {
				seed.requests[j].Host = fmt.Sprintf("c%d.test", i)
			}
			return seed
		}
	})
	all := make([]drawn, programs)
	list := make([]*gateway.Program, programs)
	for i := range all {
		all[i] = gen.Example(i)(i)
		list[i] = all[i].program
	}
	e := startEngine(t, list)
	sent, refused, differ := 0, 0, 0
	for i, d := range all {
		for j, in := range d.requests {
			s, r := e.compare(t, i, d.program, in, d.answers[j])
			sent, refused = sent+s, refused+r
			if s+r == 0 {
				differ++
			}
		}
		if differ > 8 {
			break
		}
	}
	t.Logf("%d requests were answered by the upstream, %d by the engine", sent, refused)
	if sent < programs/2 || refused < programs/20 {
		t.Errorf("only %d requests were sent and %d refused", sent, refused)
	}
}

// compare sends one request through Envoy and through the reference: what was sent, and what came back, are one. It
// returns 1 and 0 for a request that came back, 0 and 1 for one that was refused, and zeros for one that differs.
func (e *engine) compare(t *testing.T, i int, p *gateway.Program, in gateway.RawRequest, answer gateway.RawResponse) (sent, refused int) {
	t.Helper()
	e.answer(i, func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), canonical(answer.Headers))
		w.WriteHeader(answer.Status)
		_, _ = w.Write(answer.Body)
	})
	e.forget(i)
	var headers []string
	for name, values := range in.Headers {
		for _, v := range values {
			headers = append(headers, name+": "+v)
		}
	}
	got := e.do(t, i, in.Method, in.Target, string(in.Body), headers...)
	program, _ := json.Marshal(p)
	complain := func(format string, args ...any) {
		t.Errorf("%s\nprogram %s\nrequest %s %q %s\nanswer %d %s", fmt.Sprintf(format, args...), program, in.Target, in.Headers, in.Body, answer.Status, answer.Body)
	}
	want, err := p.Send(in)
	var refusal *gateway.Refusal
	if errors.As(err, &refusal) {
		if got.status != refusal.Status || got.header.Get("x-sluice-error") != refusal.Reason || got.body != string(refusal.Body()) || e.upstream(i) != nil {
			complain("the request is answered with %d %v %s; the reference says %v", got.status, got.header, got.body, err)
			return 0, 0
		}
		return 0, 1
	}
	if err != nil {
		t.Fatal(err)
	}
	up := e.upstream(i)
	if up == nil {
		complain("the request is answered with %d %v %s; the reference sends %s %s", got.status, got.header, got.body, want.Target, want.Body)
		return 0, 0
	}
	if up.method != want.Method || up.target != want.Target || up.body != string(want.Body) {
		complain("the upstream got %s %s %s\nthe reference %s %s %s", up.method, up.target, up.body, want.Method, want.Target, want.Body)
		return 0, 0
	}
	for _, name := range []string{"x-b", "x-c"} {
		if a, b := joined(up.header, name), joined(want.Headers, name); a != b {
			complain("the upstream got %s %q, the reference %q", name, a, b)
			return 0, 0
		}
	}
	back, err := p.Receive(in, answer)
	if errors.As(err, &refusal) {
		if got.status != refusal.Status || got.header.Get("x-sluice-error") != refusal.Reason {
			complain("the response is %d %v %s; the reference says %v", got.status, got.header, got.body, err)
			return 0, 0
		}
		return 0, 1
	}
	if err != nil {
		t.Fatal(err)
	}
	if got.status != back.Status || got.body != string(back.Body) {
		complain("the response is %d %s %s\nthe reference %d %s", got.status, got.header.Get("x-sluice-error"), got.body, back.Status, back.Body)
		return 0, 0
	}
	for _, name := range []string{"x-s", "content-type", "x-r"} {
		if a, b := joined(got.header, name), joined(back.Headers, name); a != b {
			complain("the response has %s %q, the reference %q", name, a, b)
			return 0, 0
		}
	}
	return 1, 0
}

func (e *engine) forget(i int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.seen, fmt.Sprintf("c%d.test", i))
}

func canonical(h http.Header) http.Header {
	out := http.Header{}
	for name, values := range h {
		out[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	return out
}

func joined(h http.Header, name string) string {
	values := append(slices.Clone(h[name]), h[http.CanonicalHeaderKey(name)]...)
	return strings.TrimSpace(strings.Join(values, ","))
}
