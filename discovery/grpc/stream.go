package reflection

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
)

// limits bound what a server can make a finder do.
type limits struct {
	round    time.Duration // of all questions together
	question time.Duration // of one
	message  int           // bytes of one answer
	total    int           // bytes of all answers of a round
	services int           // listed
	files    int           // that one service needs
	methods  int           // of all services together
	breaks   int           // services that may cost the stream, in one round
}

var defaults = limits{
	round: 30 * time.Second, question: 5 * time.Second, message: 8 << 20, total: 64 << 20,
	services: 1000, files: 1000, methods: 10_000, breaks: 3,
}

// The two versions of the service have equal messages.
const (
	methodV1      = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
	methodV1Alpha = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
)

// refusal is what a server says instead of an answer. The stream goes on.
type refusal struct{ message string }

func (r *refusal) Error() string { return r.message }

// errTooMuch ends a round: the server says more than anyone should read.
var errTooMuch = errors.New("the server sends more than is read")

// dial makes a connection in the clear. It does no I/O by itself.
func dial(at string, l limits) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+at,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDisableServiceConfig(), grpc.WithNoProxy(),
		grpc.WithUserAgent("sluice"),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(l.message)))
}

// stream asks one question after the other. Its answers are counted against one budget with those of the streams
// before it.
type stream struct {
	limits limits
	read   *int // bytes so far
	cancel context.CancelFunc
	inner  grpc.ClientStream
}

// open starts a stream of the newest version that the server has, and asks for the services: a stream that has not
// answered yet may be of a version that is not there.
func open(ctx context.Context, conn *grpc.ClientConn, l limits, read *int) (s *stream, services []string, err error) {
	for _, method := range []string{methodV1, methodV1Alpha} {
		s, services, err = openVersion(ctx, conn, method, l, read)
		if c := status.Code(err); err == nil || c != codes.Unimplemented && c != codes.Unavailable {
			break
		}
	}
	if status.Code(err) == codes.Unimplemented {
		err = errors.New("the server has no reflection service: register it there, or write reflection = false")
	}
	return s, services, err
}

func openVersion(ctx context.Context, conn *grpc.ClientConn, method string, l limits, read *int) (*stream, []string, error) {
	ctx, cancel := context.WithCancel(ctx)
	s := &stream{limits: l, read: read, cancel: cancel}
	late := time.AfterFunc(l.question, cancel)
	inner, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
	if !late.Stop() && err != nil {
		err = fmt.Errorf("no connection within %s: %w", l.question, err)
	}
	if err != nil {
		cancel()
		return nil, nil, err
	}
	s.inner = inner
	answer, err := s.ask(&reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{ListServices: "*"},
	})
	if err == nil && answer.GetListServicesResponse() == nil {
		err = errors.New("the server does not answer what it was asked: a list of services")
	}
	if err != nil {
		s.close()
		return nil, nil, err
	}
	var names []string
	for _, service := range answer.GetListServicesResponse().GetService() {
		names = append(names, service.GetName())
	}
	return s, names, nil
}

// close ends the stream and what waits for it.
func (s *stream) close() { s.cancel() }

// ask sends a question and waits for its answer. A *refusal leaves the stream intact; after any other error it is to be
// closed.
func (s *stream) ask(q *reflectionv1.ServerReflectionRequest) (*reflectionv1.ServerReflectionResponse, error) {
	late := time.AfterFunc(s.limits.question, s.cancel)
	answer := &reflectionv1.ServerReflectionResponse{}
	err := s.inner.SendMsg(q)
	if err == nil || errors.Is(err, io.EOF) { // the reason of an EOF is what receiving says
		err = s.inner.RecvMsg(answer)
	}
	switch {
	case !late.Stop() && err != nil:
		return nil, fmt.Errorf("no answer within %s", s.limits.question)
	case errors.Is(err, io.EOF):
		return nil, errors.New("the server ended the stream without an answer")
	case err != nil:
		return nil, err
	}
	for _, file := range answer.GetFileDescriptorResponse().GetFileDescriptorProto() {
		*s.read += len(file)
	}
	if *s.read > s.limits.total {
		return nil, fmt.Errorf("%w: %d bytes", errTooMuch, s.limits.total)
	}
	if e := answer.GetErrorResponse(); e != nil {
		return nil, &refusal{fmt.Sprintf("%s: %.200q", codes.Code(e.GetErrorCode()), e.GetErrorMessage())}
	}
	return answer, nil
}

// files asks for descriptors.
func (s *stream) files(q *reflectionv1.ServerReflectionRequest) ([][]byte, error) {
	answer, err := s.ask(q)
	if err != nil {
		return nil, err
	}
	if answer.GetFileDescriptorResponse() == nil {
		return nil, &refusal{"the answer is not one to the question"}
	}
	return answer.GetFileDescriptorResponse().GetFileDescriptorProto(), nil
}

func (s *stream) ofSymbol(name string) ([][]byte, error) {
	return s.files(&reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: name},
	})
}

func (s *stream) ofFile(name string) ([][]byte, error) {
	return s.files(&reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_FileByFilename{FileByFilename: name},
	})
}
