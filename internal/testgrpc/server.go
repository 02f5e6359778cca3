package testgrpc

import (
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
)

// Reflection says which versions of the reflection service are there.
type Reflection uint8

// Both is what servers have today, Old what those of some years ago have.
const (
	Both Reflection = iota
	Old
	None
)

// Start serves until the end of the test and returns the address.
func Start(t testing.TB, r Reflection, o ...grpc.ServerOption) (address string) {
	t.Helper()
	s := grpc.NewServer(o...)
	s.RegisterService(serviceDesc(), nil)
	options := reflection.ServerOptions{Services: s, DescriptorResolver: &Resolver{Files: Files()}}
	if r == Both {
		reflectionv1.RegisterServerReflectionServer(s, reflection.NewServerV1(options))
	}
	if r != None {
		reflectionv1alpha.RegisterServerReflectionServer(s, reflection.NewServer(options))
	}
	return Serve(t, s)
}

// Serve runs a server on a free port of loopback until the end of the test.
func Serve(t testing.TB, s *grpc.Server) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Serve(l); err != nil {
			t.Errorf("serve: %v", err)
		}
	}()
	t.Cleanup(func() {
		s.Stop()
		<-done
	})
	return l.Addr().String()
}

func serviceDesc() *grpc.ServiceDesc {
	d := &grpc.ServiceDesc{ServiceName: Service, HandlerType: (*any)(nil), Metadata: "users/v1/users.proto"}
	for name, handler := range handlers {
		d.Streams = append(d.Streams, grpc.StreamDesc{
			StreamName:    name,
			Handler:       func(_ any, s grpc.ServerStream) error { return handler(s) },
			ServerStreams: true, ClientStreams: true,
		})
	}
	return d
}
