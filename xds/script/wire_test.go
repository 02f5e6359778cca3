package script_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	luav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/script"
)

// framed is a program and an answer of the upstream, and the status that the client gets.
type framed struct {
	name    string
	program *gateway.Program
	method  string
	answer  gateway.RawResponse
	want    int
	body    string // of what is no answer to HEAD
}

func sentAs(method string, back ...*gateway.ResponseChange) *gateway.Program {
	return &gateway.Program{Call: &gateway.Call{Method: method}, Response: back}
}

func changedTo(method string, back ...*gateway.ResponseChange) *gateway.Program {
	return &gateway.Program{Request: []*gateway.RequestChange{{Method: con(method)}}, Response: back}
}

const poison = "HTTP/1.1 500 Poison\r\ncontent-length: 0\r\n\r\n"

// framings are the programs after which an answer has a body that its client does not expect, or lacks one that it does.
func framings() []framed {
	text := ok("text/plain", poison)
	none := gateway.Expr{}
	page := &gateway.ResponseChange{Body: tmpl(con("<p>"), res("body"), con("</p>")), ContentType: "text/html"}
	status := func(n float64) *gateway.ResponseChange { return &gateway.ResponseChange{SetStatus: con(n)} }
	event := ok("application/json", `{"statusCode": 201, "body": "made"}`)
	failed := ok("application/json", `{"errorMessage": "x"}`, "x-amz-function-error: Unhandled")
	bare := func(code int) gateway.RawResponse {
		return gateway.RawResponse{Status: code, Headers: http.Header{"content-length": {"48"}, "etag": {`"x"`}}}
	}
	return []framed{
		{"a call of another method", sentAs("POST"), "HEAD", text, 200, ""},
		{"a change of the method", changedTo("POST"), "HEAD", text, 200, ""},
		{"a GET in its place", changedTo("GET"), "HEAD", text, 200, ""},
		{"a header of the answer", sentAs("POST", &gateway.ResponseChange{Headers: map[string]gateway.Expr{"x-r": con("1")}}), "HEAD", text, 200, ""},
		{"a page of the answer", sentAs("POST", page), "HEAD", text, 200, ""},
		{"a page of the answer to HEAD", back(page), "HEAD", text, 200, ""},
		{"an answer that is none", sentAs("POST", &gateway.ResponseChange{Body: obj(con("x"), res("body", "x"))}), "HEAD", ok("application/json", "no"), 502, ""},
		{"an answer that is too large", sentAs("POST", page), "HEAD", ok("text/plain", strings.Repeat("x", 1<<20+1)), 502, ""},
		{"an answer that is long and passes", sentAs("POST"), "HEAD", ok("text/plain", strings.Repeat(poison, 50_000)), 200, ""},
		{"a Lambda", invoke("apigw_v2", none, false), "HEAD", event, 201, ""},
		{"a Lambda behind a load balancer", invoke("alb", none, false), "HEAD", event, 201, ""},
		{"a Lambda of bodies", invoke("raw", none, false), "HEAD", text, 200, ""},
		{"a Lambda of arguments", invoke("apigw_v2", obj(con("a"), con("b")), false), "HEAD", event, 201, ""},
		{"a Lambda of bodies and arguments", invoke("raw", obj(con("a"), con("b")), false), "HEAD", text, 200, ""},
		{"a Lambda that answers nobody", invoke("raw", none, true), "HEAD", gateway.RawResponse{Status: 202, Headers: http.Header{}, Body: []byte("taken")}, 202, ""},
		{"a Lambda that fails", invoke("apigw_v2", none, false), "HEAD", failed, 502, ""},
		{"a Lambda that is refused", invoke("apigw_v2", none, false), "HEAD", gateway.RawResponse{Status: 403, Headers: http.Header{}, Body: []byte("no")}, 502, ""},
		{"a Lambda without content", invoke("apigw_v2", none, false), "GET", ok("application/json", `{"statusCode": 204, "body": "made"}`), 204, ""},
		{"no content in place of some", back(status(204)), "GET", text, 204, ""},
		{"nothing new in place of some", back(status(304)), "GET", text, 304, ""},
		{"no content in place of a page", back(page, status(204)), "GET", text, 204, ""},
		{"some in place of nothing new", back(status(200)), "GET", bare(304), 200, ""},
		{"some in place of no content", back(status(200)), "GET", gateway.RawResponse{Status: 204, Headers: http.Header{}}, 200, ""},
		{"a page in place of nothing new", back(&gateway.ResponseChange{SetStatus: con(200.0), Body: con("made"), ContentType: "text/plain"}), "GET", bare(304), 200, "made"},
		{"a status that is none", back(status(99)), "HEAD", text, 502, ""},
		{"a HEAD in its place", changedTo("HEAD"), "GET", bare(200), 200, ""},
		{"a HEAD of what is compressed", changedTo("HEAD", page), "GET", gateway.RawResponse{
			Status: 200, Headers: http.Header{"content-length": {"2000000"}, "content-encoding": {"gzip"}},
		}, 200, "<p></p>"},
	}
}

// TestAnswersAreFramedAsTheirClientExpects asks twice over one connection: what the first answer has too much, or too
// little, would be the second one's.
func TestAnswersAreFramedAsTheirClientExpects(t *testing.T) {
	cases := framings()
	programs := make([]*gateway.Program, len(cases), len(cases)+2)
	for i, c := range cases {
		programs[i] = c.program
	}
	e := startEngineWith(t, append(programs, nil, back(&gateway.ResponseChange{SetStatus: con(200.0)})), func(i int, r *routev3.Route) {
		if i > len(cases) { // a program that the script does not know
			r.TypedPerFilterConfig[gateway.ScriptName] = packed(t, &luav3.LuaPerRoute{
				FilterContext: &structpb.Struct{Fields: map[string]*structpb.Value{script.Key: structpb.NewStringValue(`{"v":99}`)}},
			})
		}
	})
	e.answer(len(cases), func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "second") })
	if err := e.twice(t, len(cases)+1, len(cases), framed{method: "HEAD", want: 500}); err != nil {
		t.Errorf("an unknown program: %v", err)
	}
	h2 := &http.Transport{Protocols: new(http.Protocols)}
	h2.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(h2.CloseIdleConnections)
	for i, c := range cases {
		for _, chunked := range []bool{false, true} {
			what := fmt.Sprintf("%s (chunked %v)", c.name, chunked)
			e.answer(i, func(w http.ResponseWriter, _ *http.Request) {
				for name, values := range c.answer.Headers {
					w.Header()[http.CanonicalHeaderKey(name)] = values
				}
				w.WriteHeader(c.answer.Status)
				if chunked {
					w.(http.Flusher).Flush()
				}
				_, _ = w.Write(c.answer.Body)
			})
			if err := e.twice(t, i, len(cases), c); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			if !chunked {
				in := gateway.RawRequest{Method: c.method, Host: fmt.Sprintf("c%d.test", i), Target: "/", Headers: http.Header{}}
				back, err := c.program.Receive(in, c.answer)
				if refusal, ok := errors.AsType[*gateway.Refusal](err); ok {
					back = gateway.RawResponse{Status: refusal.Status}
				}
				if back.Status != c.want || string(back.Body) != c.body {
					t.Errorf("%s: the reference has %d %q (%v), want %d %q", what, back.Status, back.Body, err, c.want, c.body)
				}
			}
			r, err := http.NewRequestWithContext(t.Context(), c.method, e.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = fmt.Sprintf("c%d.test", i)
			if err := expect(h2.RoundTrip(r))(c); err != nil {
				t.Errorf("%s by HTTP/2: %v", what, err)
			}
		}
	}
}

// expect reads an answer to its end.
func expect(resp *http.Response, err error) func(framed) error {
	return func(c framed) error {
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		switch {
		case err != nil:
			return fmt.Errorf("the body: %w", err)
		case resp.StatusCode != c.want || string(b) != c.body:
			return fmt.Errorf("%d %v %.80q, want %d %q", resp.StatusCode, resp.Header, b, c.want, c.body)
		}
		return nil
	}
}

// twice sends a request and a plain one behind it, at once, and reads both answers and nothing more.
func (e *engine) twice(t *testing.T, i, plain int, c framed) error {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(e.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(conn, "%s / HTTP/1.1\r\nhost: c%d.test\r\n\r\nGET / HTTP/1.1\r\nhost: c%d.test\r\nconnection: close\r\n\r\n", c.method, i, plain)
	in := bufio.NewReader(conn)
	if err := expect(http.ReadResponse(in, &http.Request{Method: c.method}))(c); err != nil {
		return fmt.Errorf("the first answer: %w", err)
	}
	if err := expect(http.ReadResponse(in, &http.Request{Method: "GET"}))(framed{want: 200, body: "second"}); err != nil {
		return fmt.Errorf("the second answer: %w", err)
	}
	if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
		return fmt.Errorf("behind the answers come %q, %w", rest, err)
	}
	return nil
}

// TestNoProgramOpensATunnel: after CONNECT, a connection to the upstream carries what the client likes.
func TestNoProgramOpensATunnel(t *testing.T) {
	p := &gateway.Program{Request: []*gateway.RequestChange{{Method: req("headers", "x-m")}}}
	e := startEngine(t, []*gateway.Program{p})
	for _, m := range []string{"CONNECT", "connect", "TRACE"} {
		in := gateway.RawRequest{Method: "POST", Host: "c0.test", Target: "/", Headers: http.Header{"x-m": {m}}}
		if _, refused := e.compare(t, 0, p, in, ok("text/plain", "x")); refused != 1 {
			t.Errorf("%s is sent", m)
		}
	}
}
