package translate_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/internal/testgrpc"
)

const nativeDocument = `
route "native" {
  hosts = ["native.test"]
  to { upstream = upstream.users }
}
`

func native(t *testing.T) (*featuretest.Edge, *grpc.ClientConn) {
	t.Helper()
	e := featuretest.ServeResources(t, grpcResources(t, testgrpc.Start(t, testgrpc.Both), nil, nativeDocument))
	conn, err := grpc.NewClient("passthrough:///"+e.Listener(t, "edge.http"),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority("native.test"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return e, conn
}

// TestNativeGRPC: what is gRPC already passes untouched: messages, streams both ways, statuses, trailers.
func TestNativeGRPC(t *testing.T) {
	_, conn := native(t)
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	var trailer metadata.MD
	user, err := testgrpc.Invoke(ctx, conn, "GetUser", testgrpc.New("GetUserRequest", "id: 7"), grpc.Trailer(&trailer))
	if want := testgrpc.New("User", `id: 7 display_name: "user 7 of " role: ADMIN created { seconds: 1700000000 }`); err != nil || !proto.Equal(user, want) {
		t.Errorf("%v %v", err, user)
	}
	if got := trailer.Get("x-trailer"); len(got) != 1 || got[0] != "kept" {
		t.Errorf("the trailer is %v", trailer)
	}
	_, err = testgrpc.Invoke(ctx, conn, "GetUser", testgrpc.New("GetUserRequest", "id: 404"))
	if st := status.Convert(err); st.Code() != codes.NotFound || st.Message() != "there is no user 404" {
		t.Errorf("an error is %v", err)
	}
	_, err = testgrpc.Invoke(ctx, conn, "Fail", testgrpc.New("FailRequest",
		`code: 9 details { [type.googleapis.com/google.protobuf.Duration] { seconds: 3 } }`))
	if st := status.Convert(err); st.Code() != codes.FailedPrecondition || len(st.Details()) != 1 {
		t.Errorf("an error with details is %v", err)
	}

	list := open(ctx, t, conn, "ListUsers")
	if err := errors.Join(list.SendMsg(testgrpc.New("ListUsersRequest", "count: 5 fail_after: 3")), list.CloseSend()); err != nil {
		t.Fatal(err)
	}
	n, err := drain(list)
	if n != 3 || status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a stream that fails gives %d messages, then %v", n, err)
	}

	chat := open(ctx, t, conn, "Chat")
	for i := range 3 { // each answer comes before the next message
		in, out := testgrpc.New("User", fmt.Sprintf("id: %d", i+1)), dynamicpb.NewMessage(testgrpc.Method("Chat").Output())
		if err := errors.Join(chat.SendMsg(in), chat.RecvMsg(out)); err != nil || !proto.Equal(in, out) {
			t.Errorf("message %d: %v %v", i, err, out)
		}
	}
	if err := chat.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if n, err := drain(chat); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("the end of a chat is %d messages and %v", n, err)
	}
}

func open(ctx context.Context, t *testing.T, conn *grpc.ClientConn, method string) grpc.ClientStream {
	t.Helper()
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/"+testgrpc.Service+"/"+method)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func drain(s grpc.ClientStream) (n int, err error) {
	for {
		if err := s.RecvMsg(dynamicpb.NewMessage(testgrpc.Method("ListUsers").Output())); err != nil {
			return n, err
		}
		n++
	}
}

// TestGRPCWeb: what a browser sends becomes native, and the trailers come back in the body.
func TestGRPCWeb(t *testing.T) {
	e, _ := native(t)
	for _, text := range []bool{false, true} {
		for id, want := range map[int]string{7: "grpc-status:0", 404: "grpc-status: 5"} {
			a := web(t, e, text, testgrpc.New("GetUserRequest", fmt.Sprintf("id: %d", id)))
			if a.Status != http.StatusOK {
				t.Errorf("user %d, text %t: %d %q", id, text, a.Status, a.Body)
			}
			if id == 404 {
				if a.Header.Get("grpc-status") != "5" || a.Header.Get("grpc-message") != "there is no user 404" {
					t.Errorf("user %d, text %t: %v", id, text, a.Header)
				}
				continue
			}
			message, trailers := frames(t, a.Body)
			user := testgrpc.New("User", "")
			if err := proto.Unmarshal(message, user); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(fmt.Sprint(user), "user 7 of") || !strings.Contains(trailers, want) || !strings.Contains(trailers, "x-trailer:kept") {
				t.Errorf("user %d, text %t: %v %q", id, text, user, trailers)
			}
		}
	}
}

func web(t *testing.T, e *featuretest.Edge, text bool, m proto.Message) featuretest.Answer {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	body := string(append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(b))), b...))
	kind := "application/grpc-web+proto"
	if text {
		body, kind = base64.StdEncoding.EncodeToString([]byte(body)), "application/grpc-web-text+proto"
	}
	a := e.Send(t, "POST", "native.test", "/"+testgrpc.Service+"/GetUser", body, "content-type: "+kind, "accept: "+kind, "x-grpc-web: 1")
	if text {
		a.Body = unbase64(t, a.Body)
	}
	return a
}

// unbase64 decodes pieces that may each be padded.
func unbase64(t *testing.T, s string) string {
	t.Helper()
	var out []byte
	for ; len(s) >= 4; s = s[4:] {
		b, err := base64.StdEncoding.DecodeString(s[:4])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b...)
	}
	return string(out)
}

func frames(t *testing.T, body string) (message []byte, trailers string) {
	t.Helper()
	for b := []byte(body); len(b) >= 5; {
		n := int(binary.BigEndian.Uint32(b[1:])) + 5
		if n > len(b) {
			t.Fatalf("a frame is cut: %q", body)
		}
		if b[0]&0x80 != 0 {
			trailers = string(b[5:n])
		} else {
			message = b[5:n]
		}
		b = b[n:]
	}
	return message, trailers
}
