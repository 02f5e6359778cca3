package found_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/discovery/static"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/hcl"
	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/internal/testgrpc"
	"github.com/sluice-gateway/sluice/internal/testgrpc/found"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// world is what documents become with the functions that reflection finds.
func world(t *testing.T, address, document string) (*gateway.World, []*translate.Resource) {
	t.Helper()
	tr, err := translate.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	kind := static.Kind()
	schema := hcl.NewSchema(nil, []hcl.SourceType{{Name: kind.Name, New: kind.New}})
	doc := hcl.Parse(hcl.Origin{Name: "a.hcl", File: true}, []byte(document), schema)
	for _, d := range doc.Diags {
		t.Fatal(d)
	}
	w, _ := gateway.Apply(gateway.New(&gateway.Rules{Features: tr.Rules()}), gateway.Input{
		Documents: map[string]*gateway.Document{"a.hcl": doc}, Settled: true,
	})
	in := gateway.Input{Settled: true, Functions: map[gateway.FinderKey][]*gateway.Function{}, Endpoints: map[gateway.SourceKey][]gateway.Endpoint{}}
	for key := range w.Sources() {
		in.Endpoints[key] = []gateway.Endpoint{found.Endpoint(t, address)}
	}
	for key := range w.Finders() {
		for _, fn := range found.Functions(t, address) {
			in.Functions[key] = append(in.Functions[key], fn)
		}
	}
	w, _ = gateway.Apply(w, in)
	var out []*translate.Resource
	for _, u := range w.AllUnits() {
		r, err := tr.Build(w.Inputs(u))
		if err != nil {
			t.Fatal(err)
		}
		if r != nil {
			out = append(out, r)
		}
	}
	return w, out
}

const document = `
gateway "edge" {
  listener "http" {
    port = 8080
  }
}
upstream "users" {
  static {
    endpoints = ["10.0.0.1:1"]
  }
  grpc {}
}
route "get" {
  match {
    method = "GET"
    path   = "/users/{id}"
  }
  to { function = function.users.GetUser }
}
route "args" {
  match { path = "/by/{n}" }
  to {
    function = function.users["users.v1.UserService/GetUser"]
    args = {
      id     = request.path.n
      parent = "${request.query.a}/${request.query.b}"
    }
  }
}
route "search" {
  match { prefix = "/search" }
  to {
    function = function.users.Search
    args = {
      name   = request.body.who
      min_id = 7
      active = true
      tags   = [for t in request.body.tags : upper(t)]
      near   = { city = request.query.city }
    }
  }
}
route "list" {
  match { path = "/list" }
  to {
    function = function.users.ListUsers
    stream   = "ndjson"
  }
}
`

// TestDocumentsCallMethods goes all the way: reflection, documents, Envoy, the service.
func TestDocumentsCallMethods(t *testing.T) {
	address := testgrpc.Start(t, testgrpc.Both)
	w, resources := world(t, address, document)
	for _, b := range w.Blocks() {
		for _, d := range b.Diags {
			t.Error(d)
		}
	}
	e := featuretest.ServeResources(t, resources)
	for _, c := range []struct{ request, body, want string }{
		{"GET /users/7?parent=p", "", `200 "displayName":"user 7 of p"`},
		{"GET /users/404", "", `404 "code":5`},
		{"GET /by/7?a=x&b=y", "", `200 "displayName":"user 7 of x/y"`},
		{"POST /by/7?a=x", `{"id":8}`, `200 "displayName":"user 7 of x/"`},
		{"POST /search/x?city=c", `{"who":"w","tags":["a","b"]}`, `200 "name":"w","tags":["A","B"],"ids":[],"near":{"street":"","city":"c"`},
		{"POST /search", `{"who":"w"}`, `200 "minId":"7"`},
		{"GET /list?count=2", ``, `200 {"id":"1"`},
	} {
		method, target, _ := strings.Cut(c.request, " ")
		a := e.Send(t, method, "shop.test", target, c.body)
		status, part, _ := strings.Cut(c.want, " ")
		if fmt.Sprint(a.Status) != status || !strings.Contains(a.Body, part) {
			t.Errorf("%s %s is answered with %d %s, want %s", c.request, c.body, a.Status, a.Body, c.want)
		}
	}
}

// TestArgumentsOfMethodsAreChecked: fields have the names of the .proto.
func TestArgumentsOfMethodsAreChecked(t *testing.T) {
	address := testgrpc.Start(t, testgrpc.Both)
	w, _ := world(t, address, strings.Replace(document, "min_id = 7", "minid = 7", 1))
	var said []string
	for _, b := range w.Blocks() {
		for _, d := range b.Diags {
			said = append(said, d.Error())
		}
	}
	if len(said) != 1 || !strings.Contains(said[0], "min_id") {
		t.Errorf("a misspelt argument is %q", said)
	}
}
