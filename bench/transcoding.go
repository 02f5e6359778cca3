package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/internal/testgrpc"
)

const transcodingRounds = 40

// transcoding compares calls of one method through one Envoy: native gRPC that passes through, JSON over HTTP whose path
// variables are fields of the message, and JSON whose message the script makes of args.
func transcoding(s *stage) {
	service, port := s.role("service"), testenv.FreePort(s)
	_, edge := s.onDisk(fmt.Sprintf(listening+transcodingDocument, port, service.word), "")
	way := func(c func() caller) *loaded { return &loaded{caller: c, envoy: int(edge.Process)} }
	probe := s.prober(port)
	for _, path := range []string{"/fields/7", "/args/7"} {
		s.awaitStatus(probe, request(hostName(0), path), http.StatusOK)
	}
	native := way(s.nativeCaller(port))
	fields, args := way(probing(port, request(hostName(0), "/fields/7"))), way(probing(port, request(hostName(0), "/args/7")))
	two := way(http2Caller(port, "/fields/7"))
	s.compare(transcodingRounds, native, fields, args, two)

	s.note(Entry{Name: "gRPC, native: CPU of Envoy", Unit: "µs", Value: median(native.cpu)})
	s.note(Entry{Name: "gRPC, JSON to fields of the same names: CPU of Envoy", Unit: "µs", Value: median(fields.cpu)}.over(median(native.cpu)))
	s.note(Entry{Name: "gRPC, JSON to fields of the same names, against native", Unit: "×", Value: against(fields.cpu, native.cpu)}.atMost(1.3))
	s.note(Entry{Name: "gRPC, the same over HTTP/2, against native", Unit: "×", Value: against(two.cpu, native.cpu)})
	s.note(Entry{Name: "gRPC, JSON by args, against native", Unit: "×", Value: against(args.cpu, native.cpu)})
}

// serviceRole is a gRPC service with reflection.
func serviceRole([]string) error {
	s := newStage("service", settings{}, "")
	defer s.end()
	ready(testgrpc.Start(s, testgrpc.Both))
	serve(func(string) string { return "" })
	return nil
}

const transcodingDocument = `upstream "users" {
  static { endpoints = [%q] }
  grpc {}
}

route "native" {
  match { prefix = "/users.v1.UserService" }
  to { upstream = upstream.users }
}

route "fields" {
  match {
    method = "GET"
    path   = "/fields/{id}"
  }
  to { function = function.users.GetUser }
}

route "args" {
  match {
    method = "GET"
    path   = "/args/{n}"
  }
  to {
    function = function.users.GetUser
    args     = { id = request.path.n }
  }
}
`

// nativeCaller makes gRPC clients with a connection each.
func (s *stage) nativeCaller(port int) func() caller {
	in := testgrpc.New("GetUserRequest", "id: 7")
	return func() caller {
		conn, err := grpc.NewClient("127.0.0.1:"+strconv.Itoa(port), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return caller{end: func() {}, call: func() error { return err }}
		}
		return caller{end: func() { _ = conn.Close() }, call: func() error {
			_, err := testgrpc.Invoke(s.ctx, conn, "GetUser", proto.Clone(in))
			return err
		}}
	}
}

// http2Caller makes HTTP/2 clients with a connection each, as gRPC's are.
func http2Caller(port int, path string) func() caller {
	url := "http://127.0.0.1:" + strconv.Itoa(port) + path
	return func() caller {
		t := &http.Transport{Protocols: &http.Protocols{}}
		t.Protocols.SetUnencryptedHTTP2(true)
		return caller{end: t.CloseIdleConnections, call: func() error {
			req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
			if err != nil {
				return err
			}
			resp, err := t.RoundTrip(req)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			_, err = io.Copy(io.Discard, resp.Body)
			if err == nil && (resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2) {
				err = fmt.Errorf("answered with %s over %s", resp.Status, resp.Proto)
			}
			return err
		}}
	}
}
