package translate_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/internal/testgrpc"
	"github.com/sluice-gateway/sluice/internal/testgrpc/found"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// grpcRoute is a route that calls a method of the test service.
type grpcRoute struct {
	match  string // the attributes of its match block
	method string
	call   gateway.GRPCCall
}

// grpcResources translates routes r0, r1… that call methods of a server. Other documents are added.
func grpcResources(t testing.TB, address string, routes []grpcRoute, more string) []*translate.Resource {
	t.Helper()
	docs := edge + fmt.Sprintf(`
		upstream "users" {
		  grpc { reflection = false }
		  static { endpoints = [%q] }
		}
		`, address) + more
	for i, r := range routes {
		docs += fmt.Sprintf("route \"r%d\" {\n  match {\n    %s\n  }\n  to { upstream = upstream.users }\n}\n", i, r.match)
	}
	world := featuretest.Translate(t, nil, featuretest.Documents{"a.hcl": docs}).Must(t).World
	tr, err := translate.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	functions := found.Functions(t, address)
	var out []*translate.Resource
	for _, u := range world.AllUnits() {
		in := world.Inputs(u)
		for _, e := range in.Table {
			var n int
			if _, err := fmt.Sscanf(e.Route.Name, "r%d", &n); err != nil {
				continue
			}
			call := routes[n].call
			call.Method = functions[routes[n].method].GRPC
			e.Destinations[0].Call = &gateway.Call{GRPC: &call}
		}
		r, err := tr.Build(in)
		if err != nil {
			t.Fatal(err)
		}
		if r != nil {
			out = append(out, r)
		}
	}
	return out
}

func fields(pairs ...string) (c gateway.GRPCCall) {
	c.Fields = map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		c.Fields[pairs[i]] = pairs[i+1]
	}
	return c
}

func written(stream string) gateway.GRPCCall { return gateway.GRPCCall{Stream: stream} }

var grpcRoutes = []grpcRoute{
	{`path = "/get/{id}"`, "GetUser", fields("id", "id")},
	{`path = "/of/{parent}/users/{id}"`, "GetUser", fields("id", "id", "parent", "parent")},
	{`path = "/rest/{id}/{parent=**}"`, "GetUser", fields("id", "id", "parent", "parent")},
	{`path = "/any/{other}/{id}/end"`, "GetUser", fields("id", "id")},
	{"method = \"GET\"\n path = \"/search\"", "Search", gateway.GRPCCall{}},
	{"methods = [\"POST\", \"PUT\"]\n path = \"/search\"", "Search", gateway.GRPCCall{}},
	{"method = \"PATCH\"\n path = \"/since/{since}/{role}/{page_size}\"", "Search", fields("since", "since", "role", "role", "page_size", "page_size")},
	{"method = \"POST\"\n path = \"/users/{parent}\"", "CreateUser", fields("parent", "parent")},
	{`path = "/fail/{code}"`, "Fail", fields("code", "code")},
	{`path = "/list"`, "ListUsers", written("array")},
	{`path = "/list.ndjson"`, "ListUsers", written("ndjson")},
	{`path = "/list.sse"`, "ListUsers", written("sse")},
	{"path = \"/variant/{id}\"\n query \"beta\" {\n present = true\n }", "GetUser", fields("id", "id")},
	{`path = "/"`, "GetUser", gateway.GRPCCall{}},
	{`path = "/create"`, "CreateUser", gateway.GRPCCall{}},
	{"method = \"HEAD\"\n path = \"/head/{id}\"", "GetUser", fields("id", "id")},
	{`path = "/nested/{city}"`, "Search", fields("city", "near.city")},
	{`regex = "/deep/(?P<city>[a-z]+)"`, "Search", fields("city", "near.city")},
}

func compact(s string) string {
	s = strings.TrimSpace(s)
	var v any
	if json.Unmarshal([]byte(s), &v) != nil {
		return s
	}
	b, _ := json.Marshal(v) // it was JSON
	return string(b)
}

func TestTranscoding(t *testing.T) {
	e := featuretest.ServeResources(t, grpcResources(t, testgrpc.Start(t, testgrpc.Both), grpcRoutes, ""))
	for _, c := range []struct{ request, body, want string }{
		{"GET /get/7", "", `200 "displayName":"user 7 of "`},
		{"GET /get/7?parent=a%20b+c", "", `200 "displayName":"user 7 of a b c"`},
		{"DELETE /get/7?parent=x", "", `200 "displayName":"user 7 of x"`},
		{"POST /get/7", `{"parent": "body"}`, `200 "displayName":"user 7 of body"`},
		{"GET /get/7?id=8", "", `200 "displayName":"user 7 of "`},
		{"GET /of/p/users/7?id=8&parent=q", "", `200 "displayName":"user 7 of p"`},
		{"POST /get/7", `{"id": 8, "parent": "body"}`, `400 {"code":3,`},
		{"POST /get/7", `{"id": "7", "parent": "body"}`, `200 "displayName":"user 7 of body"`},
		{"POST /get/7?parent=q", `{"parent": "body"}`, `400 {"code":3,`},
		{"POST /get/7", `{"parent": "a", "parent": "b"}`, `200 "displayName":"user 7 of b"`},
		{"GET /get/7?parent=a&parent=b", ``, `200 "displayName":"user 7 of b"`},
		{"GET /since/2026-01-02T03:04:05Z/ADMIN/9?pageSize=8", ``, `404`},
		{"PATCH /since/2026-01-02T03:04:05Z/ADMIN/9?pageSize=8", `{}`, `200 "pageSize":9`},
		{"POST /get/7", `{"unknown": 1}`, `200 "displayName":"user 7 of "`},
		{"POST /get/7", ``, `200 "displayName":"user 7 of "`},
		{"POST /get/7", `{"parent": `, `400 {"code":3,`},
		{"POST /get/7", `[]`, `400 {"code":3,`},
		{"POST /get/7", strings.Repeat(`{"user":`, 5000), `400 {"code":3,`},
		{"POST /create", strings.Repeat(`{"user":{"manager":`, 5000), `400 {"code":3,`},
		{"GET /of/a%20b%3Fc/users/7", "", `200 "displayName":"user 7 of a b?c"`},
		{"GET /of/%C3%A9;v=1/users/7", "", `200 "displayName":"user 7 of é;v=1"`},
		{"GET /of/4%2F2/users/7", "", `307`},
		{"GET /rest/7/a/b%20c", "", `200 "displayName":"user 7 of a/b c"`},
		{"GET /rest/7/", "", `200 "displayName":"user 7 of "`},
		{"GET /any/x/7/end", "", `200 "displayName":"user 7 of "`},
		{"GET /get/seven", "", `400 {"code":3,`},
		{"GET /get/7?nope=1", "", `400 {"code":3,`},
		{"GET /get/404", "", `404 {"code":5,"details":[],"message":"there is no user 404"}`},
		{"GET /search?name=n&tags=a&tags=b&ids=1&ids=9007199254740993", "", `200 "ids":["1","9007199254740993"]`},
		{"GET /search?near.city=x&near.zip_code=1", "", `200 "near":{"city":"x","street":"","zipCode":"1"}`},
		{"GET /search?near.zipCode=2&minId=5", "", `200 "minId":"5"`},
		{"GET /search?role=ADMIN&since=2026-01-02T03:04:05Z&within=1.5s&min_id=-3&ratio=0.5&active=true&page_size=7", "", `200 "since":"2026-01-02T03:04:05Z"`},
		{"GET /search?role=2", "", `200 "role":"ADMIN"`},
		{"GET /search?role=KING", "", `400 {"code":3,`},
		{"GET /search?extra.a=1", "", `400 {"code":3,`},
		{"GET /search?mask=a,b.c&raw=YWJj", "", `200 "raw":"YWJj"`},
		{"POST /search", `{"near":{"city":"x"},"tags":["a"],"role":2,"minId":"5","extra":{"a":[1,null]},"email":"e"}`, `200 "extra":{"a":[1,null]}`},
		{"PUT /search", `{"min_id":5}`, `200 "minId":"5"`},
		{"PATCH /search", `{}`, `404`},
		{"PATCH /since/2026-01-02T03:04:05Z/ADMIN/9", `{}`, `200 "pageSize":9`},
		{"POST /users/p", `{"user":{"displayName":"d","labels":{"k":"v"},"manager":{"manager":{"id":"1"}}},"dry_run":true}`, `200 "tags":["parent=p","dry"]`},
		{"GET /fail/0", "", `200 {}`},
		{"GET /list?count=2", "", `200 [{`},
		{"GET /list.ndjson?count=2", "", `200 {`},
		{"GET /list.sse?count=2", "", `200 data: {`},
		{"GET /list?count=0", "", `200 []`},
		{"GET /list?count=3&fail_after=2", "", `200 [{`},
		{"GET /list?count=3&fail_after=0&nope=1", "", `400 {"code":3,`},
		{"GET /variant/7?beta=1", "", `200 "displayName":"user 7 of "`},
		{"HEAD /head/7", "", `404 `},
		{"GET /nested/berlin?near.city=x", "", `200 "city":"berlin"`},
		{"GET /deep/berlin", "", `200 "near":{"city":"berlin","street":"","zipCode":""}`},
		{"POST /deep/berlin", `{"near":{"city":"x","zipCode":"1"},"name":"n"}`, `200 "near":{"city":"berlin","street":"","zipCode":"1"}`},
		{"HEAD /get/7", "", `404 `},
		{"GET /?id=7", "", `200 "displayName":"user 7 of "`},
		{"OPTIONS /get/7", "", `404 {"code":5,`},
		{"POST /create", `{"user":{"displayName":"` + strings.Repeat("x", 1<<20) + `"}}`, `200 "displayName":"xxx`},
		{"POST /create", `{"user":{"displayName":"` + strings.Repeat("x", 5<<20) + `"}}`, `413`},
		{"POST /create", `{"user":{"displayName":"` + strings.Repeat("x", 64<<20) + `"}}`, `413`},
		{"GET /list?count=3&padding=300000", "", `200 [{`},
	} {
		method, target, _ := strings.Cut(c.request, " ")
		a := e.Send(t, method, "shop.test", target, c.body)
		got := fmt.Sprintf("%d %s", a.Status, compact(a.Body))
		status, part, _ := strings.Cut(c.want, " ")
		if c.want == "?" || !strings.HasPrefix(got, status) || !strings.Contains(got, part) {
			t.Errorf("%s %.100s is answered with %.300s (%s), want %s", c.request, c.body, got, a.Header.Get("content-type"), c.want)
		}
	}
}

func request(path ...string) gateway.Expr { return gateway.Expr{Op: gateway.OpRequest, Path: path} }

func object(pairs ...any) gateway.Expr {
	out := gateway.Expr{Op: gateway.OpObject}
	for _, p := range pairs {
		e, ok := p.(gateway.Expr)
		if !ok {
			e = gateway.Expr{Op: gateway.OpConst, Value: p}
		}
		out.Args = append(out.Args, e)
	}
	return out
}

// TestMessagesOfTheScript: args, and matches that no rule can say.
func TestMessagesOfTheScript(t *testing.T) {
	routes := []grpcRoute{
		{`prefix = "/below"`, "GetUser", gateway.GRPCCall{}},
		{`path = "/file/{id}.bin"`, "GetUser", fields("id", "id")},
		{`path = "/args/{n}"`, "Search", gateway.GRPCCall{Message: object("name", request("path", "n"),
			"tags", gateway.Expr{Op: gateway.OpTuple, Args: []gateway.Expr{request("headers", "x-tag"), {Op: gateway.OpConst, Value: "b"}}},
			"near", object("city", request("body", "where", "town"), "zip_code", request("query", "zip")), "role", "ADMIN")}},
		{`path = "/import"`, "ImportUsers", gateway.GRPCCall{}},
		{`path = "/lines"`, "ListUsers", gateway.GRPCCall{Stream: "ndjson", Message: object("count", 2.0)}},
		{`prefix = "/search"`, "Search", gateway.GRPCCall{}},
		{`prefix = "/fail"`, "Fail", gateway.GRPCCall{}},
		{`path = "/moved"`, "GetUser", gateway.GRPCCall{}},
	}
	e := featuretest.ServeResources(t, grpcResources(t, testgrpc.Start(t, testgrpc.Both), routes, ""))
	for _, c := range []struct{ request, body, want string }{
		{"GET /below/x?id=7&parent=a%20b", "", `200 "displayName":"user 7 of a b"`},
		{"POST /below?id=7", `{"parent":"p","id":8}`, `200 "displayName":"user 7 of p"`},
		{"GET /below?id=404", "", `404 {"code":5,"details":[],"message":"there is no user 404"}`},
		{"GET /below?id=seven", "", `400 {"code":3,`},
		{"GET /below?id=7&nope=1", "", `200 "displayName":"user 7 of "`},
		{"GET /file/7.bin?id=8", "", `200 "displayName":"user 7 of "`},
		{"POST /args/%C3%A9%20x?zip=9&nope=1", `{"where":{"town":"t"}}`, `200 "near":{"city":"t","street":"","zipCode":"9"}`},
		{"POST /args/%C3%A9%20x?zip=9", `{"where":{"town":"t"}}`, `200 "tags":["a","b"]`},
		{"POST /args/%C3%A9%20x?zip=9", `{"where":{"town":"t"}}`, `200 "name":"é x"`},
		{"POST /args/x", `{"where":`, `400`},
		{"POST /import", `{"display_name":"a"}`, `200 {"count":1,"names":["a"]}`},
		{"GET /lines", ``, "200 {"},
		{"GET /search?tags=a&name=n&since=2026-01-02T03:04:05Z", ``, `200 "tags":["a"]`},
		{"POST /search", `{"tags":["a","b"],"near":{"city":"c"},"role":2}`, `200 "tags":["a","b"]`},
		{"POST /fail", `{"code":7,"message":"no"}`, `403 {"code":7,"details":[],"message":"no"}`},
		{"HEAD /below?id=7", ``, `404 `},
		{"DELETE /below?id=7", ``, `200 "displayName":"user 7 of "`},
		{"POST /moved?id=7", `{"parent":"p"}`, `200 "displayName":"user 7 of p"`},
	} {
		method, target, _ := strings.Cut(c.request, " ")
		a := e.Send(t, method, "shop.test", target, c.body, "x-tag: a")
		got := fmt.Sprintf("%d %s", a.Status, compact(a.Body))
		status, part, _ := strings.Cut(c.want, " ")
		if !strings.HasPrefix(got, status) || !strings.Contains(got, part) {
			t.Errorf("%s %s is answered with %.300s, want %s", c.request, c.body, got, c.want)
		}
	}
}

// TestStatuses: every status of gRPC is a status of HTTP, and an object that says which.
func TestStatuses(t *testing.T) {
	e := featuretest.ServeResources(t, grpcResources(t, testgrpc.Start(t, testgrpc.Both), grpcRoutes, ""))
	for code, want := range map[int]int{
		1: 499, 2: 500, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 11: 400, 12: 501, 13: 500, 14: 503, 15: 500, 16: 401, 17: 500,
	} {
		a := e.Do(t, "GET", "shop.test", fmt.Sprintf("/fail/%d?message=it%%20is%%20%%22so%%22", code))
		body := fmt.Sprintf(`{"code":%d,"details":[],"message":"it is \"so\""}`, code)
		if a.Status != want || compact(a.Body) != body || a.Header.Get("content-type") != "application/json" {
			t.Errorf("status %d is %d %s %v", code, a.Status, a.Body, a.Header)
		}
	}
	// A detail that nobody knows cannot be written: the status is all that is left.
	if a := e.Do(t, "GET", "shop.test", "/fail/5?message=private"); a.Status != 404 || a.Body != "" || a.Header.Get("grpc-message") != "private" {
		t.Errorf("an error with a detail that nobody knows is %d %s %v", a.Status, a.Body, a.Header)
	}
	for detail, want := range map[string]string{
		`{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"R","metadata":{"k":"v"}}`: `"reason":"R"`,
		`{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"2s"}`:                 `"retryDelay":"2s"`,
	} {
		a := e.Send(t, "POST", "shop.test", "/fail/9", `{"message":"m","details":[`+detail+`]}`)
		if a.Status != 400 || !strings.Contains(compact(a.Body), want) || !strings.Contains(a.Body, `"message":"m"`) {
			t.Errorf("%s is answered with %d %s", detail, a.Status, a.Body)
		}
	}
}

// TestStreams: the shape of a stream of answers, and what becomes of one that fails half-way.
func TestStreams(t *testing.T) {
	e := featuretest.ServeResources(t, grpcResources(t, testgrpc.Start(t, testgrpc.Both), grpcRoutes, ""))
	for _, c := range []struct{ target, contentType, body string }{
		{"/list?count=2", "application/json", "[{U1},{U2}]"},
		{"/list.ndjson?count=2", "application/json", "{U1}\n{U2}\n"},
		{"/list.sse?count=2", "text/event-stream", "data: {U1}\n\ndata: {U2}\n\n"},
		{"/list?count=3&fail_after=1", "application/json", "[{U1}]"},
		{"/list.ndjson?count=3&fail_after=1", "application/json", "{U1}\n"},
		{"/list.sse?count=3&fail_after=1", "text/event-stream", "data: {U1}\n\n"},
	} {
		a := e.Do(t, "GET", "shop.test", c.target)
		want := c.body
		for i := range 3 {
			want = strings.ReplaceAll(want, fmt.Sprintf("U%d", i), fmt.Sprintf(`"id":"%d","displayName":"u","role":"ROLE_UNSPECIFIED","tags":[],"labels":{}`, i))
		}
		if a.Status != 200 || a.Header.Get("content-type") != c.contentType || a.Body != want {
			t.Errorf("%s is %d %s %q, want %q", c.target, a.Status, a.Header.Get("content-type"), a.Body, want)
		}
	}
}

func foundMethod(t testing.TB, address, method string) *gateway.GRPCMethod {
	t.Helper()
	return found.Functions(t, address)[method].GRPC
}
