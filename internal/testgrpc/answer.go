package testgrpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
)

// handlers are the methods. Each reads what it needs of the stream and writes its answers.
var handlers = map[string]func(grpc.ServerStream) error{
	"GetUser": unary("GetUserRequest", getUser), "CreateUser": unary("CreateUserRequest", createUser),
	"Search": unary("SearchRequest", func(in *dynamicpb.Message) (proto.Message, error) { return in, nil }),
	"Fail":   unary("FailRequest", fail), "ListUsers": listUsers, "ImportUsers": importUsers, "Chat": chat,
}

func unary(input string, answer func(*dynamicpb.Message) (proto.Message, error)) func(grpc.ServerStream) error {
	return func(s grpc.ServerStream) error {
		in := New(input, "").(*dynamicpb.Message)
		if err := s.RecvMsg(in); err != nil {
			return err
		}
		s.SetTrailer(metadata.Pairs("x-trailer", "kept"))
		out, err := answer(in)
		if err != nil {
			return err
		}
		return s.SendMsg(out)
	}
}

func field(m protoreflect.ProtoMessage, name string) protoreflect.Value {
	r := m.ProtoReflect()
	return r.Get(r.Descriptor().Fields().ByName(protoreflect.Name(name)))
}

// getUser knows every user but number 404.
func getUser(in *dynamicpb.Message) (proto.Message, error) {
	id := field(in, "id").Int()
	if id == 404 {
		return nil, status.Error(codes.NotFound, "there is no user 404")
	}
	return New("User", fmt.Sprintf(`id: %d display_name: "user %d of %s" role: ADMIN created { seconds: 1700000000 }`,
		id, id, field(in, "parent").String())), nil
}

// createUser gives the user back, with the parent as a tag.
func createUser(in *dynamicpb.Message) (proto.Message, error) {
	user := New("User", fmt.Sprintf("tags: %q", "parent="+field(in, "parent").String()))
	proto.Merge(user, field(in, "user").Message().Interface())
	if field(in, "dry_run").Bool() {
		proto.Merge(user, New("User", `tags: "dry"`))
	}
	return user, nil
}

func fail(in *dynamicpb.Message) (proto.Message, error) {
	code := codes.Code(field(in, "code").Int())
	if code == codes.OK {
		return &emptypb.Empty{}, nil
	}
	st := &statuspb.Status{Code: int32(code), Message: field(in, "message").String()}
	if st.Message == "private" { // with a detail of a type that nobody but the service knows
		st.Details = append(st.Details, &anypb.Any{TypeUrl: "type.googleapis.com/users.v1.Private", Value: []byte{8, 1}})
	}
	for i, list := 0, field(in, "details").List(); i < list.Len(); i++ {
		b, err := proto.Marshal(list.Get(i).Message().Interface())
		if err != nil {
			return nil, err
		}
		detail := &anypb.Any{}
		if err := proto.Unmarshal(b, detail); err != nil {
			return nil, err
		}
		st.Details = append(st.Details, detail)
	}
	return nil, status.ErrorProto(st)
}

// listUsers sends count users; with fail_after it fails after that many.
func listUsers(s grpc.ServerStream) error {
	in := New("ListUsersRequest", "")
	if err := s.RecvMsg(in); err != nil {
		return err
	}
	after := field(in, "fail_after").Int()
	for i := int64(1); i <= field(in, "count").Int(); i++ {
		if after != 0 && i > after {
			return status.Error(codes.ResourceExhausted, "enough")
		}
		name := "u" + strings.Repeat("x", int(field(in, "padding").Int()))
		if err := s.SendMsg(New("User", fmt.Sprintf("id: %d display_name: %q", i, name))); err != nil {
			return err
		}
	}
	return nil
}

func importUsers(s grpc.ServerStream) error {
	var names []string
	for {
		in := New("User", "")
		if err := s.RecvMsg(in); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		names = append(names, fmt.Sprintf("names: %q", field(in, "display_name").String()))
	}
	return s.SendMsg(New("Import.Summary", fmt.Sprintf("count: %d %s", len(names), strings.Join(names, " "))))
}

// chat answers every user at once.
func chat(s grpc.ServerStream) error {
	for {
		in := New("User", "")
		if err := s.RecvMsg(in); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := s.SendMsg(in); err != nil {
			return err
		}
	}
}

// Invoke calls a unary method.
func Invoke(ctx context.Context, conn grpc.ClientConnInterface, method string, in proto.Message, opts ...grpc.CallOption) (proto.Message, error) {
	out := dynamicpb.NewMessage(Method(method).Output())
	err := conn.Invoke(ctx, "/"+Service+"/"+method, in, out, opts...)
	return out, err
}
