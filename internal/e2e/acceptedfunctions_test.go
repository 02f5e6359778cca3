package e2e

import (
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/internal/fault"
	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/internal/testgrpc"
)

// versions is a gRPC server with a method GetUser in the services that a test lists, users.v1.UserService and the like.
// It answers the calls of all of them.
type versions struct {
	address string
	files   *protoregistry.Files

	mu     sync.Mutex
	listed []string // "v1", "v2"
	called string   // the method that was called last
}

func startVersions(t testing.TB, listed ...string) *versions {
	t.Helper()
	v := &versions{files: &protoregistry.Files{}, listed: listed}
	for _, name := range []string{"v1", "v2"} {
		file := &descriptorpb.FileDescriptorProto{}
		must(t, prototext.Unmarshal(fmt.Appendf(nil, `
			name: "users/%[1]s.proto" package: "users.%[1]s" syntax: "proto3"
			message_type { name: "Request" field { name: "id" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL } }
			message_type { name: "User" field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL } }
			service { name: "UserService" method { name: "GetUser" input_type: ".users.%[1]s.Request" output_type: ".users.%[1]s.User" } }
		`, name), file))
		built, err := protodesc.NewFile(file, v.files)
		must(t, err)
		must(t, v.files.RegisterFile(built))
	}
	s := grpc.NewServer(grpc.UnknownServiceHandler(v.call))
	reflectionv1.RegisterServerReflectionServer(s, reflection.NewServerV1(reflection.ServerOptions{Services: v, DescriptorResolver: v.files}))
	v.address = testgrpc.Serve(t, s)
	return v
}

// GetServiceInfo implements reflection.ServiceInfoProvider.
func (v *versions) GetServiceInfo() map[string]grpc.ServiceInfo {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := map[string]grpc.ServiceInfo{}
	for _, name := range v.listed {
		out["users."+name+".UserService"] = grpc.ServiceInfo{}
	}
	return out
}

func (v *versions) call(_ any, s grpc.ServerStream) error {
	if err := s.RecvMsg(&emptypb.Empty{}); err != nil {
		return err
	}
	method, _ := grpc.MethodFromServerStream(s)
	v.mu.Lock()
	v.called = method
	v.mu.Unlock()
	return s.SendMsg(&emptypb.Empty{})
}

func (v *versions) list(names ...string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.listed = names
}

// takes returns once a request to an Envoy calls the method of a version.
func (v *versions) takes(t testing.TB, e *edge, version string) {
	t.Helper()
	testenv.Eventually(t, time.Minute, func() error {
		status, body, err := request(e.addr, "users.example.com", "/7")
		v.mu.Lock()
		defer v.mu.Unlock()
		if want := "/users." + version + ".UserService/GetUser"; err != nil || status != http.StatusOK || v.called != want {
			return fmt.Errorf("%s answers %d %s, %w, and calls %s, want %s", e.id, status, body, err, v.called, want)
		}
		return nil
	})
}

// shared returns once what a reference led to, by its key below accepted-functions/, is a function of that name.
func (s *stack) shared(t testing.TB, key, name string) {
	t.Helper()
	testenv.Eventually(t, time.Minute, func() error {
		p, _, err := s.consul.Client().KV().Get("sluice/accepted-functions/"+key, nil)
		if err != nil || p == nil {
			return fmt.Errorf("accepted-functions/%s is %v, %w", key, p, err)
		}
		_, l, err := catalog.DecodeFunction(catalog.Pair{Key: key, Value: p.Value})
		if err != nil || l.Function.Name != name {
			return fmt.Errorf("accepted-functions/%s is %s, %w, want %s", key, p.Value, err, name)
		}
		return nil
	})
}

// keeps returns once the last good state of a replica has a text.
func (p *plane) keeps(t testing.TB, text string) {
	t.Helper()
	testenv.Eventually(t, time.Minute, func() error {
		b, err := os.ReadFile(p.dir + "/state/last-good.json")
		if err != nil {
			return err
		}
		return contains(string(b), text)
	})
}

// TestReplicaStartsWhileServicesAreSilent demands that a replica without any state of its own serves the routes to
// functions whose services do not say what they have: one is cut off, one hides its document, and one has changed it.
func TestReplicaStartsWhileServicesAreSilent(t *testing.T) {
	t.Parallel()
	s := newStack(t, setup{edges: 1, consul: testenv.ConsulOptions{ACL: true}})
	cut, hidden, changed := startShop(t, "cut", pages()), startShop(t, "hidden", pages()), startShop(t, "changed", pages())
	links := []*fault.Proxy{fault.NewProxy(t, cut.address), fault.NewProxy(t, testgrpc.Start(t, testgrpc.Both))}
	cut.address = links[0].Address
	s.put("functions.hcl", cut.block("")+hidden.block("")+changed.block("")+grpcUpstream("users", links[1].Address)+
		callRoute("cut", "cut.ping", "")+callRoute("hidden", "hidden.ping", "")+callRoute("changed", "changed.ping", "")+callRoute("users", "users.GetUser", ""))
	for _, name := range []string{"cut", "hidden", "changed"} {
		s.serve(t, name+".example.com", "/7", name)
		s.shared(t, name+"/ping", "ping")
	}
	s.answer(t, "users.example.com", "/7", http.StatusOK)
	s.shared(t, "users/GetUser", testgrpc.Service+"/GetUser")
	s.says(t, "functions.hcl", "accepted (")
	s.planes[0].waitQuiet(t)

	hidden.set(func() { hidden.document = noDocument })
	changed.set(func() { delete(changed.paths, "ping") })
	s.planes[0].degraded(t, "changed", true)
	for _, l := range links {
		l.Set(fault.Cut)
	}
	second := s.addPlane()
	second.waitServing(t)
	fresh := startEdge(t, "edge", "edge-fresh", s.port, []string{second.xds})
	for _, name := range []string{"hidden", "changed"} {
		fresh.serves(t, name+".example.com", "/7", name)
	}
	second.degraded(t, "changed", true)
	for _, name := range []string{"cut", "users"} {
		fresh.answers(t, name+".example.com", "/7", http.StatusServiceUnavailable) // there is a route, and nobody behind it
	}
	testenv.Eventually(t, 30*time.Second, func() error {
		if one, two := s.edges[0].config(t), fresh.config(t); one != two {
			return fmt.Errorf("the first Envoy has\n%s\nand the fresh one\n%s", one, two)
		}
		return nil
	})
	for _, l := range links {
		l.Set(fault.Pass)
	}
	fresh.serves(t, "cut.example.com", "/7", "cut")
	fresh.answers(t, "users.example.com", "/7", http.StatusOK)

	s.put("functions.hcl", cut.block("")+callRoute("cut", "cut.pong", ""))
	s.shared(t, "cut/pong", "pong")
	testenv.Eventually(t, time.Minute, func() error {
		keys, _, err := s.consul.Client().KV().Keys("sluice/accepted-functions/", "", nil)
		if err != nil || len(keys) != 1 {
			return fmt.Errorf("what nobody names any more is still there: %v, %w", keys, err)
		}
		return nil
	})
}

// TestReplicasAgreeOnAShortName lets two replicas see the methods that a short name means in different order: one lives
// through all of it, the other was away when the name came to mean the second.
func TestReplicasAgreeOnAShortName(t *testing.T) {
	t.Parallel()
	s := newStack(t, setup{planes: 2})
	v := startVersions(t, "v1")
	s.put("users.hcl", grpcUpstream("users", v.address)+callRoute("users", "users.GetUser", ""))
	var edges []*edge
	for i, p := range s.planes {
		e := startEdge(t, "edge", fmt.Sprint("edge-of-", i), s.port, []string{p.xds})
		edges = append(edges, e)
		v.takes(t, e, "v1")
		p.waitQuiet(t)
	}
	s.shared(t, "users/GetUser", "users.v1.UserService/GetUser")
	s.planes[1].keeps(t, "users.v1.UserService/GetUser")
	s.planes[1].kill()
	v.list("v2")
	v.takes(t, edges[0], "v2")
	s.shared(t, "users/GetUser", "users.v2.UserService/GetUser")
	v.list("v1", "v2")
	s.planes[0].waitBlock(t, "route.users", "accepted", "several functions by now")
	v.takes(t, edges[0], "v2")

	s.planes[1].start(t)
	s.planes[1].waitServing(t)
	s.planes[1].waitBlock(t, "route.users", "", "several functions by now")
	v.takes(t, edges[1], "v2")
	third := s.addPlane() // one that sees both at once, and the first by name is the other
	third.waitServing(t)
	e := startEdge(t, "edge", "edge-of-third", s.port, []string{third.xds})
	third.waitBlock(t, "route.users", "", "several functions by now")
	v.takes(t, e, "v2")
}
