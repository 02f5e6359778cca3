package translate_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	transcoderv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/grpc_json_transcoder/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/internal/testgrpc"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// TestGRPCGolden shows what routes that call methods carry: the transcoder's configuration, its rule, and how large its
// descriptor is. -update rewrites the file.
func TestGRPCGolden(t *testing.T) {
	routes := []grpcRoute{
		{"method = \"GET\"\n path = \"/users/{id}\"", "GetUser", fields("id", "id")},
		{`path = "/orgs/{parent}/users"`, "CreateUser", fields("parent", "parent")},
		{"methods = [\"GET\", \"HEAD\", \"PURGE\"]\n path = \"/a/{x}/{rest=**}\"\n query \"beta\" {\n present = true\n }", "Search", fields("rest", "name")},
		{`path = "/near/{city}"`, "Search", fields("city", "near.city")},
		{`path = "/files/{id}.bin"`, "GetUser", fields("id", "id")},
		{`path = "/tags/{tags}"`, "Search", fields("tags", "tags")},
		{`prefix = "/args"`, "GetUser", gateway.GRPCCall{Message: object("id", 7.0)}},
		{`path = "/list"`, "ListUsers", written("sse")},
		{`path = "/import"`, "ImportUsers", written("ndjson")},
		{"method = \"GET\"\n path = \"/members/{id}\"", "GetUser", fields("id", "id")},
	}
	var out bytes.Buffer
	for _, r := range grpcResources(t, testgrpc.Start(t, testgrpc.Both), routes, "") {
		switch m := r.Message.(type) {
		case *routev3.VirtualHost:
			for _, route := range m.Routes {
				showTranscoder(t, &out, route.Name, route.TypedPerFilterConfig)
			}
			showTranscoder(t, &out, m.Name, m.TypedPerFilterConfig)
		case *clusterv3.Cluster:
			for _, options := range m.TypedExtensionProtocolOptions {
				message, err := options.UnmarshalNew()
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&out, "-- cluster --\n%s", featuretest.JSON(t, message))
			}
		}
	}
	const path = "testdata/grpc/calls.golden"
	if f := flag.Lookup("update"); f != nil && f.Value.String() == "true" {
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("-update rewrites %s (-want +got):\n%s", path, diff)
	}
}

const transcoder = "envoy.filters.http.grpc_json_transcoder"

func showTranscoder(t *testing.T, out *bytes.Buffer, name string, configs map[string]*anypb.Any) {
	t.Helper()
	fmt.Fprintf(out, "-- %s --\n", name)
	packed := configs[transcoder]
	if packed == nil {
		fmt.Fprintf(out, "the host's transcoder\n")
		return
	}
	config := &transcoderv3.GrpcJsonTranscoder{}
	if err := packed.UnmarshalTo(config); err != nil {
		t.Fatal(err)
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(config.GetProtoDescriptorBin(), set); err != nil {
		t.Fatal(err)
	}
	size := len(config.GetProtoDescriptorBin())
	config.DescriptorSet = &transcoderv3.GrpcJsonTranscoder_ProtoDescriptorBin{}
	fmt.Fprintf(out, "script %t\n%sdescriptor of %d bytes:\n", configs[gateway.ScriptName] != nil, featuretest.JSON(t, config), size)
	for _, f := range set.File {
		fmt.Fprintf(out, "  %s\n", f.GetName())
		for _, s := range f.Service {
			for _, m := range s.Method {
				fmt.Fprintf(out, "    %s/%s\n", s.GetName(), m.GetName())
				if rule, ok := proto.GetExtension(m.Options, annotations.E_Http).(*annotations.HttpRule); ok && rule != nil {
					out.Write(featuretest.JSON(t, rule))
				}
			}
		}
	}
}

// TestCallsThatCannotBe: what no diagnostic caught does not reach an Envoy, which would take it and refuse every request.
func TestCallsThatCannotBe(t *testing.T) {
	address := testgrpc.Start(t, testgrpc.Both)
	good := grpcResources(t, address, []grpcRoute{{`path = "/get/{id}"`, "GetUser", fields("id", "id")}}, "")
	if len(good) == 0 {
		t.Fatal("nothing is translated")
	}
	described := foundMethod(t, address, "GetUser")
	for name, c := range map[string]struct {
		match gateway.Match
		call  gateway.GRPCCall
	}{
		"no method":       {gateway.Match{Path: "/a"}, gateway.GRPCCall{}},
		"no descriptor":   {gateway.Match{Path: "/a"}, gateway.GRPCCall{Method: &gateway.GRPCMethod{Service: "s", Method: "m"}}},
		"garbage":         {gateway.Match{Path: "/a"}, gateway.GRPCCall{Method: &gateway.GRPCMethod{Service: "s", Method: "m", Descriptor: []byte("\xff")}}},
		"another method":  {gateway.Match{Path: "/a"}, gateway.GRPCCall{Method: &gateway.GRPCMethod{Service: testgrpc.Service, Method: "Chat", Descriptor: described.Descriptor}}},
		"no service":      {gateway.Match{Path: "/a"}, gateway.GRPCCall{Method: &gateway.GRPCMethod{Service: "users.v1", Method: "User", Descriptor: described.Descriptor}}},
		"no field":        {gateway.Match{Path: "/a/{x}"}, gateway.GRPCCall{Method: described, Fields: map[string]string{"x": "nope"}}},
		"no nested field": {gateway.Match{Path: "/a/{x}"}, gateway.GRPCCall{Method: described, Fields: map[string]string{"x": "id.nope"}}},
	} {
		if err := translate.GRPCCallError(&c.match, &c.call); err == nil {
			t.Errorf("%s: it is translated", name)
		}
	}
}

// TestRememberedCalls: a translator that has made many calls makes each as one that has made none.
func TestRememberedCalls(t *testing.T) {
	address := testgrpc.Start(t, testgrpc.Both)
	get, list := foundMethod(t, address, "GetUser"), foundMethod(t, address, "ListUsers")
	path := &gateway.RequestChange{Path: gateway.Expr{Op: gateway.OpConst, Value: "/x"}}
	type call struct {
		match   gateway.Match
		program gateway.Program
	}
	of := func(g gateway.GRPCCall, changes ...*gateway.RequestChange) gateway.Program {
		return gateway.Program{Call: &gateway.Call{GRPC: &g}, Request: changes}
	}
	id := map[string]string{"x": "id"}
	calls := []call{
		{gateway.Match{Path: "/a/{x}"}, of(gateway.GRPCCall{Method: get, Fields: id})},
		{gateway.Match{Path: "/a/{x}"}, of(gateway.GRPCCall{Method: get, Fields: id}, path)},
		{gateway.Match{Path: "/a/{x}"}, of(gateway.GRPCCall{Method: get, Fields: id}, &gateway.RequestChange{})},
		{gateway.Match{Path: "/a/{x}"}, of(gateway.GRPCCall{Method: get, Fields: map[string]string{"x": "parent"}})},
		{gateway.Match{Path: "/a/{x}"}, of(gateway.GRPCCall{Method: get})},
		{gateway.Match{Path: "/a/{x}"}, of(gateway.GRPCCall{Method: get, Message: object("id", 1.0)})},
		{gateway.Match{Path: "/a/{x}"}, of(gateway.GRPCCall{Method: get, Message: object("id", 2.0)})},
		{gateway.Match{Path: "/a/{x}", Method: "GET"}, of(gateway.GRPCCall{Method: get, Fields: id})},
		{gateway.Match{Path: "/a/{x}", Methods: []string{"GET"}}, of(gateway.GRPCCall{Method: get, Fields: id})},
		{gateway.Match{Path: "/a/{x}", Methods: []string{"GET", "POST"}}, of(gateway.GRPCCall{Method: get, Fields: id})},
		{gateway.Match{Path: "/a/{x}", Query: []*gateway.ValueMatch{{Name: "b"}}}, of(gateway.GRPCCall{Method: get, Fields: id})},
		{gateway.Match{Path: "/b/{x}"}, of(gateway.GRPCCall{Method: get, Fields: id})},
		{gateway.Match{Prefix: "/b"}, of(gateway.GRPCCall{Method: get})},
		{gateway.Match{Path: "/a/{x}"}, of(gateway.GRPCCall{Method: list})},
		{gateway.Match{Path: "/a/{x}"}, of(gateway.GRPCCall{Method: list, Stream: "sse"})},
	}
	used, err := translate.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for i, c := range calls {
			p, q := c.program, c.program
			route, rest, err := translate.GRPCRoute(used, &c.match, &p)
			if err != nil {
				t.Fatal(err)
			}
			fresh, freshRest, err := translate.GRPCRoute(&translate.Translator{}, &c.match, &q)
			if err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(route, fresh) || !cmp.Equal(rest, freshRest) {
				t.Errorf("call %d is remembered as another one", i)
			}
		}
	}
}
