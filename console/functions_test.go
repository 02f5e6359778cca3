package console_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/gateway"
)

const callsDoc = "consul:calls.hcl"

var shopFinder = gateway.FinderKey{Upstream: "pets", Kind: "openapi", Query: `path="/openapi.json"`}

// calls is an upstream that finds its functions, and a route that calls one of them.
func calls(doc string) []*block {
	u := &gateway.Upstream{Name: "pets", Range: at(doc, 20), OpenAPI: &gateway.OpenAPI{Path: "/openapi.json"},
		Sources: []*gateway.Source{{Kind: "fake", Spec: &spec{"pets"}, Range: at(doc, 20)}}}
	ref := gateway.Ref{ID: gateway.FunctionID("pets", "getPet"), Range: at(doc, 23)}
	r := &gateway.Route{
		Name: "pet", Hosts: []string{"pets.example.com"}, Range: at(doc, 22),
		Matches: []*gateway.Match{{Path: "/pet/{id}", Method: "GET", Range: at(doc, 22)}},
		To: []*gateway.Destination{{Function: ref, Range: at(doc, 23), Args: map[string]gateway.Expr{
			"verbose": {Op: gateway.OpRequest, Path: []string{"headers", "x-verbose"}, Range: at(doc, 24)},
		}}},
	}
	return []*block{
		{id: gateway.ID{Kind: gateway.KindUpstream, Name: "pets"}, doc: doc, line: 20, text: "upstream \"pets\" {\n}", value: u},
		{id: gateway.ID{Kind: gateway.KindRoute, Name: "pet"}, doc: doc, line: 22, text: "route \"pet\" {\n}", value: r, refs: []gateway.Ref{ref}},
	}
}

func getPet() *gateway.Function {
	return &gateway.Function{
		Name: "getPet", Kind: gateway.FunctionREST, REST: &gateway.RESTOperation{Method: "GET", Path: "/pets/{id}"},
		Signature: gateway.Signature{Known: true, Args: []gateway.Argument{
			{Name: "id", In: gateway.InPath, Type: gateway.Type{Kind: gateway.TypeInteger}, Required: true},
			{Name: "page", In: gateway.InQuery, Type: gateway.Type{Kind: gateway.TypeInteger}},
			{Name: "verbose", In: gateway.InQuery, Type: gateway.Type{Kind: gateway.TypeString}},
		}},
	}
}

// callsWorld is the world with these blocks, and what the finder says; nil says nothing yet.
func callsWorld(lists ...[]*gateway.Function) *gateway.World {
	w, _ := gateway.Apply(world(), gateway.Input{Documents: map[string]*gateway.Document{callsDoc: document(callsDoc, calls(callsDoc)...)}})
	for _, list := range lists {
		w, _ = gateway.Apply(w, gateway.Input{Functions: map[gateway.FinderKey][]*gateway.Function{shopFinder: list}})
	}
	return w
}

// A plan of an upstream and the routes that call its functions is no mistake, though nobody has asked it yet.
func TestPlanWaitsForFunctions(t *testing.T) {
	text := "anything"
	parse := func(name, _ string) *gateway.Document { return document(name, calls(name)...) }
	p, err := console.MakePlan(world(), console.PlanRequest{Documents: []console.PlanDocument{{Name: callsDoc, Text: &text}}}, parse)
	if err != nil || p.Errors || !p.Changes {
		t.Fatalf("%v %+v", err, p)
	}
	i := slices.IndexFunc(p.Blocks, func(b console.BlockChange) bool { return b.Name == "pet" })
	if i < 0 || p.Blocks[i].State != "waiting" {
		t.Errorf("%+v", p.Blocks)
	}
	if len(p.Diagnostics) != 1 || !p.Diagnostics[0].Waits || p.Diagnostics[0].Severity != "warning" {
		t.Errorf("%+v", p.Diagnostics)
	}
}

// A plan is made on what the finders of the live world have found.
func TestPlanKnowsTheLiveFunctions(t *testing.T) {
	text := "anything"
	parse := func(name, _ string) *gateway.Document {
		list := calls(name)
		list[1].text = "route \"pet\" { # again\n}"
		return document(name, list...)
	}
	req := console.PlanRequest{Documents: []console.PlanDocument{{Name: callsDoc, Text: &text}}}
	if p, err := console.MakePlan(callsWorld([]*gateway.Function{getPet()}), req, parse); err != nil || p.Errors || len(p.Diagnostics) > 0 {
		t.Errorf("%v %+v", err, p)
	}
	other := getPet()
	other.Name = "getPets"
	p, err := console.MakePlan(callsWorld([]*gateway.Function{other}), req, parse)
	if err != nil || !p.Errors || !strings.Contains(p.Diagnostics[0].Detail, "getPets") {
		t.Errorf("%v %+v", err, p)
	}
	p, err = console.MakePlan(callsWorld([]*gateway.Function{getPet()}, []*gateway.Function{other}), req, parse)
	i := slices.IndexFunc(p.Blocks, func(b console.BlockChange) bool { return b.Name == "pet" })
	if err != nil || p.Errors || i < 0 || len(p.Blocks[i].Degraded) != 1 {
		t.Errorf("degraded: %v %+v", err, p)
	}
}

func TestStatusShowsDegradedRoutesAndWhereFunctionsComeFrom(t *testing.T) {
	f := newFake()
	f.w = callsWorld([]*gateway.Function{getPet()}, []*gateway.Function{})
	s := decode[console.Status](t, ask(f.server(nil).Handler(), "GET", "/v1/status", ""))
	i := slices.IndexFunc(s.Problems, func(b console.Block) bool { return b.Name == "pet" })
	if i < 0 || len(s.Problems[i].Degraded) != 1 || !strings.Contains(s.Problems[i].Degraded[0], "getPet") {
		t.Errorf("%+v", s.Problems)
	}
	if s.Finders == nil || s.Secrets == nil {
		t.Error("lists are missing")
	}
}

func TestExplainShowsTheCall(t *testing.T) {
	f := newFake()
	f.w = callsWorld([]*gateway.Function{getPet()})
	w := ask(f.server(nil).Handler(), "POST", "/v1/explain", `{"url":"http://pets.example.com/pet/7?page=2","headers":{"X-Verbose":["a b"]}}`)
	if w.Code != http.StatusOK {
		t.Fatal(w.Body)
	}
	d := decode[console.Explanation](t, w).Listeners[0].Destinations[0]
	if d.Function != "pets.getPet" || d.Path != "/pets/7" || d.Sent == nil || d.Sent.Query != "page=2&verbose=a%20b" || d.Sent.Method != "GET" {
		t.Errorf("%+v %+v", d, d.Sent)
	}
	var got []string
	for _, a := range d.Arguments {
		got = append(got, a.Name+" "+a.From+" "+a.Value)
	}
	want := []string{"id path request.path.id", "page client request.query.page", `verbose args request.headers["x-verbose"]`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(d.RequestChanges) != 1 || d.RequestChanges[0].By != "call" || d.RequestChanges[0].Sets[0].Value != `"/pets/${request.path.id}"` {
		t.Errorf("%+v", d.RequestChanges)
	}
}

func TestExpressionsAreWrittenAsInDocuments(t *testing.T) {
	req := func(path ...string) gateway.Expr { return gateway.Expr{Op: gateway.OpRequest, Path: path} }
	text := func(v any) gateway.Expr { return gateway.Expr{Op: gateway.OpConst, Value: v} }
	is := gateway.Expr{Op: gateway.OpBinary, Name: "==", Args: []gateway.Expr{req("method"), text("GET")}}
	for want, e := range map[string]gateway.Expr{
		"":                           {},
		`"a <b>"`:                    text("a <b>"),
		"null":                       text(nil),
		"request.body.a.b":           req("body", "a", "b"),
		`request.body["a b"]`:        req("body", "a b"),
		`"x$${y}${request.path.id}"`: {Op: gateway.OpTemplate, Args: []gateway.Expr{text("x${y}"), req("path", "id")}},
		`(request.method == "GET") ? 1 : [true, -request.body.n]`: {Op: gateway.OpCond, Args: []gateway.Expr{
			is, text(1.0), {Op: gateway.OpTuple, Args: []gateway.Expr{text(true), {Op: gateway.OpUnary, Name: "-", Args: []gateway.Expr{req("body", "n")}}}},
		}},
		`{ a = upper(request.query.a), "b c" = {} }`: {Op: gateway.OpObject, Args: []gateway.Expr{
			text("a"), {Op: gateway.OpCall, Name: "upper", Args: []gateway.Expr{req("query", "a")}}, text("b c"), {Op: gateway.OpObject},
		}},
		`{for k, v in request.body : k => v.x... if v[0]}`: {Op: gateway.OpFor, Vars: [2]string{"k", "v"}, Group: true, Args: []gateway.Expr{
			req("body"), {Op: gateway.OpVar, Name: "k"}, {Op: gateway.OpAttr, Name: "x", Args: []gateway.Expr{{Op: gateway.OpVar, Name: "v"}}},
			{Op: gateway.OpIndex, Args: []gateway.Expr{{Op: gateway.OpVar, Name: "v"}, text(0.0)}},
		}},
		"response.body[*].name": {Op: gateway.OpSplat, Args: []gateway.Expr{
			{Op: gateway.OpResponse, Path: []string{"body"}}, {Op: gateway.OpAttr, Name: "name", Args: []gateway.Expr{{Op: gateway.OpVar, Name: "splat"}}},
		}},
	} {
		if got := console.ExprText(e); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
