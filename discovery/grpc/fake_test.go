package reflection

import (
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testgrpc"
)

// fake is a reflection server that can lie. It describes services by the files it holds, unless answer says otherwise.
type fake struct {
	reflectionv1.UnimplementedServerReflectionServer

	mu     sync.Mutex
	listed []string
	files  map[string]*descriptorpb.FileDescriptorProto // by file name
	symbol map[string]string                            // service → file name
	answer func(*reflectionv1.ServerReflectionRequest) (*reflectionv1.ServerReflectionResponse, error)
	gate   chan struct{} // not nil: every question waits for it to be closed
	broken bool
	asked  int
}

func (f *fake) ServerReflectionInfo(s reflectionv1.ServerReflection_ServerReflectionInfoServer) error {
	for {
		q, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		f.mu.Lock()
		f.asked++
		gate, broken, answer := f.gate, f.broken, f.answer
		f.mu.Unlock()
		if gate != nil {
			select {
			case <-gate:
			case <-s.Context().Done():
				return s.Context().Err()
			}
		}
		if broken {
			return status.Error(codes.Internal, "out of order")
		}
		var a *reflectionv1.ServerReflectionResponse
		if answer != nil {
			if a, err = answer(q); err != nil {
				return err
			}
		}
		if a == nil {
			a = f.honest(q)
		}
		if err := s.Send(a); err != nil {
			return err
		}
	}
}

func (f *fake) honest(q *reflectionv1.ServerReflectionRequest) *reflectionv1.ServerReflectionResponse {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := q.MessageRequest.(*reflectionv1.ServerReflectionRequest_ListServices); ok {
		list := &reflectionv1.ListServiceResponse{}
		for _, name := range f.listed {
			list.Service = append(list.Service, &reflectionv1.ServiceResponse{Name: name})
		}
		return &reflectionv1.ServerReflectionResponse{MessageResponse: &reflectionv1.ServerReflectionResponse_ListServicesResponse{ListServicesResponse: list}}
	}
	name := q.GetFileByFilename()
	if s := q.GetFileContainingSymbol(); s != "" {
		name = f.symbol[s]
	}
	file := f.files[name]
	if file == nil {
		return refuse(codes.NotFound, "it is not here")
	}
	b, err := proto.Marshal(file)
	if err != nil {
		return refuse(codes.Internal, err.Error())
	}
	return described(b)
}

func refuse(c codes.Code, message string) *reflectionv1.ServerReflectionResponse {
	return &reflectionv1.ServerReflectionResponse{MessageResponse: &reflectionv1.ServerReflectionResponse_ErrorResponse{
		ErrorResponse: &reflectionv1.ErrorResponse{ErrorCode: int32(c), ErrorMessage: message},
	}}
}

func described(files ...[]byte) *reflectionv1.ServerReflectionResponse {
	return &reflectionv1.ServerReflectionResponse{MessageResponse: &reflectionv1.ServerReflectionResponse_FileDescriptorResponse{
		FileDescriptorResponse: &reflectionv1.FileDescriptorResponse{FileDescriptorProto: files},
	}}
}

// define lists a service of n methods in a file of its own, and changes the file.
func (f *fake) define(service string, n int, change func(*descriptorpb.FileDescriptorProto)) {
	file := &descriptorpb.FileDescriptorProto{
		Name: proto.String(service + ".proto"), Package: proto.String("t"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{
			Name: proto.String(service + "Message"),
			Field: []*descriptorpb.FieldDescriptorProto{{
				Name: proto.String("text"), Number: proto.Int32(1),
				Type:  descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(),
				Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
			}},
		}},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String(service)}},
	}
	for i := range n {
		file.Service[0].Method = append(file.Service[0].Method, &descriptorpb.MethodDescriptorProto{
			Name:      proto.String("M" + strconv.Itoa(i)),
			InputType: proto.String(".t." + service + "Message"), OutputType: proto.String(".t." + service + "Message"),
		})
	}
	if change != nil {
		change(file)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.files == nil {
		f.files, f.symbol = map[string]*descriptorpb.FileDescriptorProto{}, map[string]string{}
	}
	if f.files[file.GetName()] == nil {
		f.listed = append(f.listed, "t."+service)
	}
	f.files[file.GetName()], f.symbol["t."+service] = file, file.GetName()
}

// Set, Fail and Hang implement sourcetest.Remote.
func (f *fake) Set(n int) {
	f.define("S", n, nil)
	f.thaw(nil, false)
}

func (f *fake) Fail() { f.thaw(nil, true) }
func (f *fake) Hang() { f.thaw(make(chan struct{}), false) }

func (f *fake) thaw(gate chan struct{}, broken bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gate != nil {
		close(f.gate)
	}
	f.gate, f.broken = gate, broken
}

func (f *fake) lie(answer func(*reflectionv1.ServerReflectionRequest) (*reflectionv1.ServerReflectionResponse, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

// start serves a fake and returns what finds it.
func (f *fake) start(t testing.TB) discovery.Surroundings {
	t.Helper()
	s := grpc.NewServer()
	reflectionv1.RegisterServerReflectionServer(s, f)
	near := at(t, testgrpc.Serve(t, s))
	t.Cleanup(func() { f.thaw(nil, false) })
	return near
}

// at is surroundings with these endpoints.
func at(t testing.TB, addresses ...string) discovery.Surroundings {
	t.Helper()
	var list []gateway.Endpoint
	for _, a := range addresses {
		host, port, err := net.SplitHostPort(a)
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, gateway.Endpoint{ID: a, Address: host, Port: uint16(n)})
	}
	return discovery.Surroundings{Endpoints: func() []gateway.Endpoint { return list }}
}

// once is one round of questions.
func once(t testing.TB, f *Finder) ([]string, error) {
	t.Helper()
	functions, _, err := f.round(t.Context(), true)
	var names []string
	for _, fn := range functions {
		names = append(names, fn.Name)
	}
	return names, err
}

// quick makes a finder give up soon.
func quick(f *Finder) *Finder {
	f.limits.question, f.limits.round = 300*time.Millisecond, 3*time.Second
	return f
}
