package translate_test

import (
	"fmt"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/internal/testgrpc"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// sharing are routes of one host, and whether each is to have the host's transcoder.
var sharing = []struct {
	grpcRoute
	shares bool
}{
	{grpcRoute{"method = \"GET\"\n path = \"/users/{id}\"", "GetUser", fields("id", "id")}, true},
	{grpcRoute{"method = \"GET\"\n path = \"/people/{parent}\"", "GetUser", fields("parent", "parent")}, false}, // other settings
	{grpcRoute{"method = \"GET\"\n path = \"/orgs/x/users/{id}\"", "GetUser", fields("id", "id")}, true},
	{grpcRoute{"method = \"GET\"\n path = \"/{any}/y/users/{id}\"", "GetUser", fields("id", "id")}, true},
	{grpcRoute{"method = \"GET\"\n path = \"/orgs/{any}/users/{id}\"", "GetUser", fields("id", "id")}, false}, // comes to two others
	{grpcRoute{"method = \"DELETE\"\n path = \"/users/{id}\"", "GetUser", fields("id", "id")}, true},
	{grpcRoute{"method = \"GET\"\n path = \"/variant/{id}\"\n header \"beta\" {\n present = true\n }", "GetUser", fields("id", "id")}, true},
	{grpcRoute{"method = \"GET\"\n path = \"/variant/{id}\"", "GetUser", fields("id", "id")}, true},
	{grpcRoute{`path = "/search"`, "Search", gateway.GRPCCall{}}, false},
	{grpcRoute{"method = \"GET\"\n path = \"/list\"", "ListUsers", written("ndjson")}, false},
}

// more are routes that call no method, some on paths of the others.
const more = `
upstream "plain" {
  static { endpoints = ["127.0.0.1:9"] }
}
route "answered" {
  match { path = "/answered" }
  respond { status = 418 }
}
route "moved" {
  match { path = "/moved/{id}" }
  redirect { path = "/users/7" }
}
route "native" {
  match { path = "/users.v1.UserService/GetUser" }
  to { upstream = upstream.users }
}
route "posted" {
  match {
    method = "POST"
    path   = "/users/{id}"
  }
  to { upstream = upstream.plain }
}
`

// TestSharedTranscoder: routes share one where clients see no difference, and all answer as they would with their own.
func TestSharedTranscoder(t *testing.T) {
	var routes []grpcRoute
	for _, r := range sharing {
		routes = append(routes, r.grpcRoute)
	}
	resources := grpcResources(t, testgrpc.Start(t, testgrpc.Both), routes, more)
	hosts := 0
	for _, r := range resources {
		h, ok := r.Message.(*routev3.VirtualHost)
		if !ok {
			continue
		}
		hosts++
		if h.TypedPerFilterConfig[transcoder] == nil {
			t.Error("the host has no transcoder")
		}
		for _, route := range h.Routes {
			var n int
			if _, err := fmt.Sscanf(route.Name, "r%d", &n); err != nil {
				off := &routev3.FilterConfig{}
				if err := route.TypedPerFilterConfig[transcoder].UnmarshalTo(off); err != nil || !off.Disabled {
					t.Errorf("the transcoder is not turned off on %s: %v", route.Name, err)
				}
			} else if shares := route.TypedPerFilterConfig[transcoder] == nil; shares != sharing[n].shares {
				t.Errorf("%s shares: %t", route.Name, shares)
			}
		}
	}
	if hosts != 1 {
		t.Fatalf("there are %d hosts", hosts)
	}
	e := featuretest.ServeResources(t, resources)
	for request, want := range map[string]string{
		"GET /users/7":            `200 "displayName":"user 7 of "`,
		"GET /users/7?id=8":       `200 "displayName":"user 7 of "`,
		"GET /users/7?parent=a":   `200 "displayName":"user 7 of a"`,
		"GET /users/7?nope=a":     `400 {"code":3`,
		"GET /users/404":          `404 {"code":5,"details":[],"message":"there is no user 404"}`,
		"DELETE /users/7":         `200 "displayName":"user 7 of "`,
		"POST /users/7":           `503`,
		"GET /orgs/x/users/7":     `200 "displayName":"user 7 of "`,
		"GET /orgs/y/users/7":     `200 "displayName":"user 7 of "`,
		"GET /orgs/z/users/7":     `200 "displayName":"user 7 of "`,
		"GET /variant/7":          `200 "displayName":"user 7 of "`,
		"GET /search?name=n&id=1": `400 {"code":3`,
		"GET /search?name=n":      `200 "name":"n"`,
		"GET /list?count=2":       `200 {`,
		"GET /answered":           `418`,
		"GET /moved/7":            `301`,
		"GET /nowhere":            `404`,
	} {
		method, target, _ := strings.Cut(request, " ")
		a := e.Send(t, method, "shop.test", target, "")
		got := fmt.Sprintf("%d %s", a.Status, compact(a.Body))
		status, part, _ := strings.Cut(want, " ")
		if !strings.HasPrefix(got, status) || !strings.Contains(got, part) {
			t.Errorf("%s is answered with %.300s, want %s", request, got, want)
		}
	}
}

// TestFewCallsShareNothing: turning the transcoder off on many routes would cost more than it saves.
func TestFewCallsShareNothing(t *testing.T) {
	var b strings.Builder
	for i := range 50 {
		fmt.Fprintf(&b, "route \"p%d\" {\n match {\n path = \"/p/%d\"\n }\n respond { status = 200 }\n}\n", i, i)
	}
	routes := []grpcRoute{sharing[0].grpcRoute, sharing[2].grpcRoute}
	for _, r := range grpcResources(t, testgrpc.Start(t, testgrpc.Both), routes, b.String()) {
		if h, ok := r.Message.(*routev3.VirtualHost); ok && h.TypedPerFilterConfig != nil {
			t.Error("two calls among fifty other routes share a transcoder")
		}
	}
}

func TestPathsOfOneTranscoder(t *testing.T) {
	for _, c := range []struct {
		one, other string
		meet       bool
	}{
		{"GET /a", "GET /a", true},
		{"GET /a", "GET /b", false},
		{"GET /a", "POST /a", false},
		{"GET /a", "PURGE /a", true},
		{"GET /a/{x=*}", "GET /a/b", true},
		{"GET /a/{x=*}", "POST /a/{y.z=*}", false},
		{"GET /a/*", "GET /a/{x=*}", true},
		{"GET /a/{x=*}/c", "GET /a/b/{y=*}", true},
		{"GET /a/{x=*}/c", "GET /a/b/d", false},
		{"GET /a/{x=*}/c", "GET /a/b", false},
		{"GET /a", "GET /a/b", false},
		{"GET /a", "GET /a/{x=*}", true}, // by an empty segment
		{"GET /a", "GET /a/{x=*}/{y=*}", false},
		{"GET /a", "GET /a/**", true},
		{"GET /a", "GET /a/{x=*}/**", true},
		{"GET /a/b/c/d", "GET /a/{x=**}", true},
		{"GET /{x=**}", "GET /a/{y=*}/b", true},
		{"GET /b/**", "GET /a/{y=*}/b", false},
		{"GET /", "GET /{x=*}", true},
		{"GET /", "GET /a", false},
	} {
		v, p, _ := strings.Cut(c.one, " ")
		w, q, _ := strings.Cut(c.other, " ")
		if got := translate.PathsMeet(v, p, w, q); got != c.meet {
			t.Errorf("%s and %s meet: %t", c.one, c.other, got)
		}
		if got := translate.PathsMeet(w, q, v, p); got != c.meet {
			t.Errorf("%s and %s meet: %t", c.other, c.one, got)
		}
	}
}

func message(name string, fields ...string) *descriptorpb.DescriptorProto {
	out := &descriptorpb.DescriptorProto{Name: proto.String(name)}
	for i, f := range fields {
		out.Field = append(out.Field, &descriptorpb.FieldDescriptorProto{Name: proto.String(f), Number: proto.Int32(int32(i + 1))})
	}
	return out
}

func TestMergedDescriptors(t *testing.T) {
	file := func(messages ...*descriptorpb.DescriptorProto) *descriptorpb.FileDescriptorProto {
		return &descriptorpb.FileDescriptorProto{Name: proto.String("f"), Package: proto.String("p"), MessageType: messages}
	}
	nest := func(m *descriptorpb.DescriptorProto, inner ...*descriptorpb.DescriptorProto) *descriptorpb.DescriptorProto {
		m.NestedType = inner
		return m
	}
	for name, c := range map[string]struct {
		one, other, want *descriptorpb.FileDescriptorProto
	}{
		"apart":    {file(message("A", "x")), file(message("B", "y")), file(message("A", "x"), message("B", "y"))},
		"the same": {file(message("A", "x")), file(message("A", "x")), file(message("A", "x"))},
		"a shell": {
			file(nest(message("A"), message("C", "z"))), file(nest(message("A", "x"), message("D", "z"))),
			file(nest(message("A", "x"), message("C", "z"), message("D", "z"))),
		},
		"another field":   {file(message("A", "x")), file(message("A", "y")), nil},
		"another within":  {file(nest(message("A"), message("C", "x"))), file(nest(message("A"), message("C", "y"))), nil},
		"another package": {file(message("A", "x")), &descriptorpb.FileDescriptorProto{Name: proto.String("f"), Package: proto.String("q")}, nil},
	} {
		got := translate.MergedFiles(c.one, c.other)
		if (got == nil) != (c.want == nil) || got != nil && !proto.Equal(got, c.want) {
			t.Errorf("%s: the files are merged to %v, want %v", name, got, c.want)
		}
	}
}

// TestMemoIsBounded: by bytes, however large its values are.
func TestMemoIsBounded(t *testing.T) {
	for _, size := range []int{1 << 10, 256 << 10, translate.MemoLimit} {
		if most := translate.Remembered(4*translate.MemoLimit/size, size); most > translate.MemoLimit {
			t.Errorf("values of %d bytes take %d bytes", size, most)
		}
	}
}
