// Package testgrpc is a gRPC service for tests: users.v1.UserService, with reflection and without annotations.
//
//   - files.go: its descriptors, from the .txtpb files beside it.
//   - server.go: starts it.
//   - answer.go: what its methods answer.
package testgrpc

import (
	_ "embed"
	"fmt"
	"sync"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	// The descriptors import these.
	_ "google.golang.org/protobuf/types/known/anypb"
	_ "google.golang.org/protobuf/types/known/durationpb"
	_ "google.golang.org/protobuf/types/known/emptypb"
	_ "google.golang.org/protobuf/types/known/fieldmaskpb"
	_ "google.golang.org/protobuf/types/known/structpb"
	_ "google.golang.org/protobuf/types/known/timestamppb"
	_ "google.golang.org/protobuf/types/known/wrapperspb"
)

// Service is the full name of the service.
const Service = "users.v1.UserService"

//go:embed common.txtpb
var commonText []byte

//go:embed users.txtpb
var usersText []byte

var files = sync.OnceValue(func() *protoregistry.Files {
	all := &protoregistry.Files{}
	for _, text := range [][]byte{commonText, usersText} {
		raw := &descriptorpb.FileDescriptorProto{}
		if err := prototext.Unmarshal(text, raw); err != nil {
			panic(fmt.Sprintf("the test service's descriptor: %v", err))
		}
		f, err := protodesc.NewFile(raw, &Resolver{Files: all})
		if err == nil {
			err = all.RegisterFile(f)
		}
		if err != nil {
			panic(fmt.Sprintf("the test service's descriptor: %v", err))
		}
	}
	return all
})

// Files are the service's own descriptors, without those of Google's types.
func Files() *protoregistry.Files { return files() }

// Resolver looks into Files, then among the descriptors that are linked into the program.
type Resolver struct{ Files *protoregistry.Files }

// FindFileByPath implements protodesc.Resolver.
func (r *Resolver) FindFileByPath(path string) (protoreflect.FileDescriptor, error) {
	if f, err := r.Files.FindFileByPath(path); err == nil {
		return f, nil
	}
	return protoregistry.GlobalFiles.FindFileByPath(path)
}

// FindDescriptorByName implements protodesc.Resolver.
func (r *Resolver) FindDescriptorByName(name protoreflect.FullName) (protoreflect.Descriptor, error) {
	if d, err := r.Files.FindDescriptorByName(name); err == nil {
		return d, nil
	}
	return protoregistry.GlobalFiles.FindDescriptorByName(name)
}

// Method is the descriptor of one of the service's methods.
func Method(name string) protoreflect.MethodDescriptor {
	d, err := files().FindDescriptorByName(protoreflect.FullName(Service + "." + name))
	if err != nil {
		panic(fmt.Sprintf("the test service has no method %s", name))
	}
	return d.(protoreflect.MethodDescriptor)
}

// New makes a message of a type of the service, "User", and fills it from text as protobuf writes it.
func New(name, text string) proto.Message {
	d, err := files().FindDescriptorByName(protoreflect.FullName("users.v1." + name))
	if err != nil {
		panic(fmt.Sprintf("the test service has no message %s", name))
	}
	m := dynamicpb.NewMessage(d.(protoreflect.MessageDescriptor))
	if err := prototext.Unmarshal([]byte(text), m); err != nil {
		panic(fmt.Sprintf("message %s: %v", name, err))
	}
	return m
}
