package translate_test

import (
	"bytes"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	luav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

func of(path ...string) gateway.Expr { return gateway.Expr{Op: gateway.OpRequest, Path: path} }

func text(s string) gateway.Expr { return gateway.Expr{Op: gateway.OpConst, Value: s} }

func joined(parts ...gateway.Expr) gateway.Expr {
	return gateway.Expr{Op: gateway.OpTemplate, Args: parts}
}

// routeOf is the one Envoy route of a destination that calls something.
func routeOf(t *testing.T, m *gateway.Match, c *gateway.Call) (*routev3.Route, []translate.Key) {
	t.Helper()
	in := table(1)
	in.Table[0].Match = m
	in.Table[0].Destinations[0].Call = c
	in.Table[0].Destinations[0].Subset = nil
	r, err := translator(t).Build(in)
	if err != nil {
		t.Fatal(err)
	}
	return r.Message.(*routev3.VirtualHost).Routes[0], r.Needs
}

// What Envoy can do by itself needs no script.
func TestCallsAreLowered(t *testing.T) {
	get := func(path string) *gateway.Match { return &gateway.Match{Method: "GET", Path: path} }
	for name, c := range map[string]struct {
		match *gateway.Match
		call  gateway.Call
		want  string // the substitution; "script"; "" changes nothing
	}{
		"variables":            {get("/a/{x}/{y}"), gateway.Call{Method: "GET", Path: joined(text("/b/"), of("path", "y"), text("/"), of("path", "x"))}, `/b/\2/\1`},
		"the same request":     {get("/a"), gateway.Call{Method: "GET"}, ""},
		"a constant":           {get("/a/{x}"), gateway.Call{Path: text("/b")}, "/b"},
		"the rest":             {get("/a/{x=**}"), gateway.Call{Path: joined(text("/b/"), of("path", "x"))}, `/b/\1`},
		"the rest in between":  {get("/a/{x=**}"), gateway.Call{Path: joined(text("/b/"), of("path", "x"), text("/c"))}, "script"},
		"another method":       {get("/a"), gateway.Call{Method: "POST"}, "script"},
		"any method":           {&gateway.Match{Path: "/a"}, gateway.Call{Method: "GET"}, "script"},
		"a parameter":          {get("/a"), gateway.Call{Query: map[string]gateway.Expr{"q": text("1")}}, "script"},
		"a query in the path":  {get("/a"), gateway.Call{Path: joined(text("/b/"), of("query", "q"))}, "script"},
		"a part of a segment":  {get("/a/{x}.bin"), gateway.Call{Path: joined(text("/b/"), of("path", "x"))}, "script"},
		"text beside it":       {get("/a/{x}.bin"), gateway.Call{Path: joined(text("/b/f-"), of("path", "x"))}, `/b/f-\1`},
		"dots beside it":       {get("/a/{x}"), gateway.Call{Path: joined(text("/b/."), of("path", "x"))}, "script"},
		"no variable of it":    {get("/a/{x}"), gateway.Call{Path: joined(text("/b/"), of("path", "z"))}, "script"},
		"a regular expression": {&gateway.Match{Method: "GET", Regex: "/a/(?P<x>[0-9]+)"}, gateway.Call{Path: joined(text("/b/"), of("path", "x"))}, `/b/\1`},
	} {
		r, needs := routeOf(t, c.match, &c.call)
		got := r.GetRoute().GetRegexRewrite().GetSubstitution() + r.GetRoute().GetPrefixRewrite()
		config := r.TypedPerFilterConfig[gateway.ScriptName]
		if config != nil {
			got = "script"
			lua := &luav3.LuaPerRoute{}
			if err := config.UnmarshalTo(lua); err != nil || lua.FilterContext.Fields["p"].GetStringValue() == "" {
				t.Errorf("%s: %v, %v", name, lua, err)
			}
			if r.GetRoute().GetRegexRewrite() != nil {
				t.Errorf("%s: Envoy rewrites the path that the script makes", name)
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		need := false
		for _, k := range needs {
			need = need || k == translate.Key{TypeURL: translate.ExtensionType, Name: gateway.ScriptName}
		}
		if need != (c.want == "script") {
			t.Errorf("%s: it needs %v", name, needs)
		}
	}
}

// A body that a program reads may be larger than what a connection holds back.
func TestProgramsMayBuffer(t *testing.T) {
	m := &gateway.Match{Path: "/a"}
	r, _ := routeOf(t, m, &gateway.Call{Body: of("body", "x")})
	if n := r.GetRequestBodyBufferLimit().GetValue(); n != 2*gateway.MaxProgramBody {
		t.Errorf("the limit is %d", n)
	}
	if r, _ = routeOf(t, m, &gateway.Call{Headers: map[string]gateway.Expr{"x-a": text("1")}}); r.RequestBodyBufferLimit != nil {
		t.Error("a program that reads no body has a limit")
	}
}

func TestTheScriptIsOneResource(t *testing.T) {
	tr := translator(t)
	in := gateway.Inputs{Unit: gateway.Unit{Type: gateway.UnitScript, Name: gateway.ScriptName}, Gateways: []string{"edge"}}
	r, err := tr.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	if r.Key != (translate.Key{TypeURL: translate.ExtensionType, Name: gateway.ScriptName}) || len(r.Requires) != 1 {
		t.Errorf("%v requires %v", r.Key, r.Requires)
	}
	if again := build(t, tr, in); !bytes.Equal(again, build(t, tr, in)) {
		t.Error("the script was built twice, and differently")
	}
	for generation, want := range map[int]bool{0: true, 1: false, 2: true} {
		l, err := tr.Build(gateway.Inputs{
			Unit: gateway.Unit{Type: gateway.UnitListener, Name: "edge.http"}, Gateways: []string{"edge"},
			Gateway: &gateway.Gateway{Name: "edge"}, Listener: &gateway.Listener{Name: "http", Port: 80}, Generation: generation,
		})
		if err != nil {
			t.Fatal(err)
		}
		if has := strings.Contains(string(build(t, tr, gateway.Inputs{
			Unit: gateway.Unit{Type: gateway.UnitListener, Name: "edge.http"}, Gateways: []string{"edge"},
			Gateway: &gateway.Gateway{Name: "edge"}, Listener: &gateway.Listener{Name: "http", Port: 80}, Generation: generation,
		})), gateway.ScriptName); has != want || (len(l.Needs) == 2) != want {
			t.Errorf("generation %d: the script is in the list: %t; it needs %v", generation, has, l.Needs)
		}
	}
}
