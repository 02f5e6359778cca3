package gateway

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func constant(v any) Expr              { return Expr{Op: OpConst, Value: v} }
func ofRequest(path ...string) Expr    { return Expr{Op: OpRequest, Path: path} }
func call(name string, a ...Expr) Expr { return Expr{Op: OpCall, Name: name, Args: a} }

func TestEval(t *testing.T) {
	in := RequestContext{
		Method: "GET", Headers: map[string]string{"x-who": "Ann"}, Path: map[string]string{"id": "7"},
		Body: map[string]any{"list": []any{1.0, 2.0}}, Args: map[string]any{"a": map[string]any{"b": true}},
		Response: &ResponseContext{Status: 201, Body: []any{"x"}},
	}
	for name, c := range map[string]struct {
		e    Expr
		want any
	}{
		"header":   {ofRequest("headers", "x-who"), "Ann"},
		"absent":   {ofRequest("headers", "x-none"), nil},
		"argument": {Expr{Op: OpArg, Path: []string{"a", "b"}}, true},
		"status":   {Expr{Op: OpResponse, Path: []string{"status"}}, 201.0},
		"template": {Expr{Op: OpTemplate, Args: []Expr{constant("a"), ofRequest("query", "q"), ofRequest("path", "id")}}, "a7"},
		"sum":      {Expr{Op: OpBinary, Name: "+", Args: []Expr{ofRequest("path", "id"), constant(1.5)}}, 8.5},
		"loop": {Expr{Op: OpFor, Vars: [2]string{"", "v"}, Args: []Expr{ofRequest("body", "list"), {},
			{Op: OpUnary, Name: "-", Args: []Expr{{Op: OpVar, Name: "v"}}}, {}}}, []any{-1.0, -2.0}},
		"try": {call("try", call("upper", ofRequest("query", "q")), constant("d")), "d"},
	} {
		got, err := c.e.Eval(in)
		if err != nil || cmp.Diff(c.want, got) != "" {
			t.Errorf("%s: %v, %v; want %v", name, got, err, c.want)
		}
	}
}

// Programs come from a ledger as well: one that makes no sense is an error.
func TestEvalOfNonsense(t *testing.T) {
	for _, e := range []Expr{
		{}, {Op: "x"}, {Op: OpCond}, {Op: OpFor}, {Op: OpBinary, Name: "+"}, {Op: OpBinary, Name: "^", Args: []Expr{constant(1.0), constant(1.0)}},
		{Op: OpSplat}, {Op: OpUnary}, {Op: OpIndex}, {Op: OpAttr}, call("none"), call("upper"), call("try"), {Op: OpVar, Args: []Expr{{}}},
	} {
		v, err := e.Eval(RequestContext{})
		if err == nil && e.Op != OpVar {
			t.Errorf("%+v: %v", e, v)
		}
	}
}

// Loops inside loops end.
func TestEvalIsBounded(t *testing.T) {
	long := make([]any, 2000)
	loop := func(inner Expr) Expr {
		return Expr{Op: OpFor, Vars: [2]string{"", "v"}, Args: []Expr{constant(long), {}, inner, {}}}
	}
	if _, err := loop(loop(constant(1.0))).Eval(RequestContext{}); err == nil {
		t.Error("four million rounds were allowed")
	}
}
