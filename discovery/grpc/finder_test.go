package reflection

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/sourcetest"
	"github.com/sluice-gateway/sluice/internal/testgrpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSuite(t *testing.T) {
	sourcetest.RunFinder(t, sourcetest.FinderSuite{
		Start: func(t *testing.T) (discovery.Finder, sourcetest.Remote) {
			remote := &fake{}
			remote.Set(2)
			f := quick(New(gateway.GRPC{Interval: 50 * time.Millisecond}, remote.start(t)))
			return f, remote
		},
		Patience: 10 * time.Second,
	})
}

func TestBothVersions(t *testing.T) {
	want := []string{
		"users.v1.UserService/Chat", "users.v1.UserService/CreateUser", "users.v1.UserService/Fail", "users.v1.UserService/GetUser",
		"users.v1.UserService/ImportUsers", "users.v1.UserService/ListUsers", "users.v1.UserService/Search",
	}
	for _, version := range []testgrpc.Reflection{testgrpc.Both, testgrpc.Old} {
		f := New(gateway.GRPC{}, at(t, testgrpc.Start(t, version)))
		names, err := once(t, f)
		if err != nil || !slices.Equal(names, want) || len(f.Notes()) > 0 {
			t.Errorf("version %d: %v %q %q", version, err, names, f.Notes())
		}
	}
	_, err := once(t, New(gateway.GRPC{}, at(t, testgrpc.Start(t, testgrpc.None))))
	if err == nil || !strings.Contains(err.Error(), "no reflection service") {
		t.Errorf("without reflection: %v", err)
	}
}

func TestNamedServices(t *testing.T) {
	address := testgrpc.Start(t, testgrpc.Both)
	f := New(gateway.GRPC{Services: []string{"grpc.reflection.v1.ServerReflection", "users.v1.None"}}, at(t, address))
	names, err := once(t, f)
	if err != nil || !slices.Equal(names, []string{"grpc.reflection.v1.ServerReflection/ServerReflectionInfo"}) {
		t.Errorf("%v %q", err, names)
	}
	if notes := f.Notes(); len(notes) != 1 || !strings.Contains(notes[0], "users.v1.None is not described") {
		t.Errorf("%q", notes)
	}
}

// TestLies has a server that describes the services A and C well, and B not.
func TestLies(t *testing.T) {
	endless := 0
	lies := map[string]struct {
		answer func(q *reflectionv1.ServerReflectionRequest) (*reflectionv1.ServerReflectionResponse, error)
		note   string
	}{
		"refused": {func(*reflectionv1.ServerReflectionRequest) (*reflectionv1.ServerReflectionResponse, error) {
			return refuse(codes.NotFound, "no such symbol"), nil
		}, "no such symbol"},
		"of no kind": {func(*reflectionv1.ServerReflectionRequest) (*reflectionv1.ServerReflectionResponse, error) {
			return &reflectionv1.ServerReflectionResponse{}, nil
		}, "not one to the question"},
		"no file": {func(*reflectionv1.ServerReflectionRequest) (*reflectionv1.ServerReflectionResponse, error) {
			return described(), nil
		}, "do not define it"},
		"garbage": {func(*reflectionv1.ServerReflectionRequest) (*reflectionv1.ServerReflectionResponse, error) {
			return described([]byte("\xff\xffgarbage")), nil
		}, "a file of its description is not one"},
		"deep": {func(*reflectionv1.ServerReflectionRequest) (*reflectionv1.ServerReflectionResponse, error) {
			return described(deep(1000)), nil
		}, "a file of its description is not one"},
		"itself": {func(*reflectionv1.ServerReflectionRequest) (*reflectionv1.ServerReflectionResponse, error) {
			return described(file(t, "a.proto", "b.proto"), file(t, "b.proto", "a.proto")), nil
		}, "imports itself"},
		"another one": {func(*reflectionv1.ServerReflectionRequest) (*reflectionv1.ServerReflectionResponse, error) {
			return described(file(t, "other.proto")), nil
		}, "do not define it"},
		"too many files": {func(*reflectionv1.ServerReflectionRequest) (*reflectionv1.ServerReflectionResponse, error) {
			endless++
			return described(file(t, "f"+strings.Repeat("x", endless)+".proto", "f"+strings.Repeat("x", endless+1)+".proto")), nil
		}, "more than 20 files"},
		"broken": {func(*reflectionv1.ServerReflectionRequest) (*reflectionv1.ServerReflectionResponse, error) {
			return nil, status.Error(codes.Internal, "a fault")
		}, "a fault"},
		"too big": {func(*reflectionv1.ServerReflectionRequest) (*reflectionv1.ServerReflectionResponse, error) {
			return described(make([]byte, 1<<20)), nil
		}, "larger than max"},
		"hung": {func(*reflectionv1.ServerReflectionRequest) (*reflectionv1.ServerReflectionResponse, error) {
			<-t.Context().Done()
			return nil, status.Error(codes.Canceled, "over")
		}, "no answer within"},
	}
	for name, lie := range lies {
		t.Run(name, func(t *testing.T) {
			remote := &fake{}
			for _, s := range []string{"C", "B", "A"} {
				remote.define(s, 1, nil)
			}
			over := make(chan struct{})
			defer close(over)
			f := quick(New(gateway.GRPC{}, remote.start(t)))
			f.limits.files, f.limits.message = 20, 100_000
			honest, err := once(t, f)
			if want := []string{"t.A/M0", "t.B/M0", "t.C/M0"}; err != nil || !slices.Equal(honest, want) {
				t.Fatalf("%v %q", err, honest)
			}
			fresh := quick(New(gateway.GRPC{}, f.near))
			fresh.limits = f.limits
			remote.lie(func(q *reflectionv1.ServerReflectionRequest) (*reflectionv1.ServerReflectionResponse, error) {
				if q.GetFileContainingSymbol() != "t.B" && !strings.HasPrefix(q.GetFileByFilename(), "f") {
					return nil, nil
				}
				if name == "hung" {
					<-over
				}
				return lie.answer(q)
			})
			for finder, want := range map[*Finder][]string{f: honest, fresh: {"t.A/M0", "t.C/M0"}} {
				got, err := once(t, finder)
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("%v %q, want %q", err, got, want)
				}
				if notes := finder.Notes(); len(notes) != 1 || !strings.Contains(notes[0], lie.note) || !strings.Contains(notes[0], "t.B") {
					t.Errorf("notes %q, want one of %q", notes, lie.note)
				}
			}
		})
	}
}

func file(t testing.TB, name string, imports ...string) []byte {
	b, err := proto.Marshal(&descriptorpb.FileDescriptorProto{Name: &name, Dependency: imports})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// deep is a file whose only message is defined within n others.
func deep(n int) []byte {
	var b []byte
	for range n {
		b = append(protowire.AppendTag(nil, 3, protowire.BytesType), protowire.AppendBytes(nil, b)...)
	}
	return append(protowire.AppendTag(nil, 4, protowire.BytesType), protowire.AppendBytes(nil, b)...)
}

// TestHalf: an answer that is not whole is an error, and no answer.
func TestHalf(t *testing.T) {
	all := &fake{}
	for _, s := range []string{"A", "B", "C", "D", "E", "F"} {
		all.define(s, 1, nil)
	}
	near := all.start(t)
	for name, answer := range map[string]func(asked int) error{
		"every service breaks": func(int) error { return status.Error(codes.Internal, "a fault") },
		"dies half-way": func(asked int) error {
			if asked > 3 {
				return status.Error(codes.Unavailable, "gone")
			}
			return nil
		},
	} {
		asked := 0
		all.lie(func(q *reflectionv1.ServerReflectionRequest) (*reflectionv1.ServerReflectionResponse, error) {
			asked++
			if _, list := q.MessageRequest.(*reflectionv1.ServerReflectionRequest_ListServices); list && name != "dies half-way" {
				return nil, nil
			}
			return nil, answer(asked)
		})
		if names, err := once(t, quick(New(gateway.GRPC{}, near))); err == nil {
			t.Errorf("%s: %q", name, names)
		}
	}
	all.lie(nil)
	f := quick(New(gateway.GRPC{}, near))
	f.limits.total = 200
	if names, err := once(t, f); !errors.Is(err, errTooMuch) {
		t.Errorf("too much: %v %q", err, names)
	}
	f = quick(New(gateway.GRPC{}, near))
	f.limits.services = 5
	if names, err := once(t, f); err == nil || !strings.Contains(err.Error(), "lists 6 services") {
		t.Errorf("too many services: %v %q", err, names)
	}
	f = quick(New(gateway.GRPC{}, near))
	f.limits.methods = 5
	if names, err := once(t, f); err == nil || !strings.Contains(err.Error(), "has 6 methods") {
		t.Errorf("too many methods: %v %q", err, names)
	}
}

// TestMissingImports: an import that the server does not have costs what needs it, and nothing else. Options that nobody
// knows cost nothing.
func TestMissingImports(t *testing.T) {
	remote := &fake{}
	remote.define("S", 2, func(f *descriptorpb.FileDescriptorProto) {
		f.Dependency = []string{"google/api/annotations.proto", "gone.proto"}
		f.Service[0].Method[1].InputType = proto.String(".gone.Message")
		unknown := protowire.AppendTag(nil, 72295728, protowire.BytesType)
		options := &descriptorpb.MethodOptions{}
		options.ProtoReflect().SetUnknown(protowire.AppendBytes(unknown, []byte("\xff\xff\xff")))
		f.Service[0].Method[0].Options = options
	})
	f := New(gateway.GRPC{}, remote.start(t))
	names, err := once(t, f)
	if err != nil || !slices.Equal(names, []string{"t.S/M0"}) {
		t.Errorf("%v %q", err, names)
	}
	if notes := f.Notes(); len(notes) != 1 || !strings.Contains(notes[0], "t.S/M1 cannot be called: the server does not describe gone.Message") {
		t.Errorf("%q", notes)
	}
}

// TestAnotherEndpointIsAsked after one that is dead, and one that accepts and says nothing.
func TestAnotherEndpointIsAsked(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	good := testgrpc.Start(t, testgrpc.Both)
	f := quick(New(gateway.GRPC{}, at(t, dead.Addr().String(), silent.Addr().String(), good)))
	for _, want := range []string{dead.Addr().String(), silent.Addr().String()} {
		if _, err := once(t, f); err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("%v, want a word of %s", err, want)
		}
	}
	for range 2 {
		if names, err := once(t, f); err != nil || len(names) != 7 {
			t.Fatalf("%v %q", err, names)
		}
	}
}

func TestWaitsForAnEndpoint(t *testing.T) {
	f := New(gateway.GRPC{}, discovery.Surroundings{Endpoints: func() []gateway.Endpoint { return nil }})
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	err := f.Run(ctx, func([]*gateway.Function) { t.Error("an update") }, func() { t.Error("alive") })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestKind(t *testing.T) {
	no := false
	for name, block := range map[string]*gateway.GRPC{"none": nil, "off": {Reflection: &no}} {
		if _, err := Kind(nil).Open(gateway.Finder{GRPC: block}, discovery.Surroundings{}); err == nil {
			t.Errorf("%s is opened", name)
		}
	}
	if f, err := Kind(nil).Open(gateway.Finder{GRPC: &gateway.GRPC{}}, discovery.Surroundings{}); err != nil || f == nil {
		t.Error(err)
	}
}
