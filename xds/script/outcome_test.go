package script_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// outcome is one request and what becomes of it.
type outcome struct {
	name     string
	program  *gateway.Program
	method   string
	target   string
	headers  []string
	body     string
	answer   gateway.RawResponse
	upstream string // method, target, content-type, body; "" where nothing may be sent
	client   string // status, content-type, body; with a reason: status, reason
	said     string // what an answer of the engine says beyond its reason
}

func change(c gateway.RequestChange) *gateway.Program {
	return &gateway.Program{Path: "/p/{a}", Request: []*gateway.RequestChange{&c}}
}

// sum calls an operation with arguments of the types that a JSON body has, of the path and the query.
func sum(name string, kind gateway.TypeKind) *gateway.Program {
	as := func(kind gateway.TypeKind, name string, e gateway.Expr) gateway.Expr {
		return gateway.Expr{Op: gateway.OpConvert, Name: string(kind), Path: []string{name}, Args: []gateway.Expr{e}}
	}
	return &gateway.Program{Path: "/p/{a}", Call: &gateway.Call{Method: "POST", Body: obj(
		con("n"), as(kind, name, req("path", "a")), con("f"), as(gateway.TypeNumber, "f", req("query", "f")), con("b"), as(gateway.TypeBoolean, "b", req("query", "b")))}}
}

func back(c ...*gateway.ResponseChange) *gateway.Program { return &gateway.Program{Response: c} }

func ok(contentType, body string, headers ...string) gateway.RawResponse {
	h := http.Header{"content-type": {contentType}}
	for _, line := range headers {
		name, v, _ := strings.Cut(line, ": ")
		h[name] = append(h[name], v)
	}
	return gateway.RawResponse{Status: 200, Headers: h, Body: []byte(body)}
}

var outcomes = []outcome{
	{
		name: "GET becomes POST", program: change(gateway.RequestChange{Method: con("post"), Body: obj(con("a"), req("path", "a"))}), method: "GET", target: "/p/1",
		upstream: `POST /p/1 application/json {"a":"1"}`, client: "200 text/plain ok",
	},
	{
		name: "POST becomes GET", program: change(gateway.RequestChange{Method: con("GET"), Body: con(""), Query: map[string]gateway.Expr{"n": req("body", "n")}}),
		method: "POST", target: "/p/1", body: `{"n":[1,2.0]}`, headers: []string{"content-type: application/json"}, upstream: "GET /p/1?n=1&n=2.0  ", client: "200 text/plain ok",
	},
	{
		name: "a form becomes JSON", program: change(gateway.RequestChange{Body: obj(con("x"), req("body", "x"), con("y"), req("body", "y"))}), method: "POST", target: "/p/1",
		body: "x=a+b%26&y=%C3%A9&x=2", headers: []string{"content-type: application/x-www-form-urlencoded"}, upstream: `POST /p/1 application/json {"x":"a b\u0026","y":"é"}`, client: "200 text/plain ok",
	},
	{
		name: "JSON becomes a form", program: change(gateway.RequestChange{Body: req("body"), ContentType: "application/x-www-form-urlencoded"}), method: "POST", target: "/p/1",
		body: `{"b":"x y&","a":[1,"2"],"n":null}`, headers: []string{"content-type: application/json"}, upstream: "POST /p/1 application/x-www-form-urlencoded a=1&a=2&b=x%20y%26", client: "200 text/plain ok",
	},
	{
		name: "a header's line breaks go", program: change(gateway.RequestChange{Headers: map[string]gateway.Expr{"content-type": req("query", "q")}}), method: "GET", target: "/p/1?q=a%0D%0Ax-b:%201",
		upstream: "GET /p/1?q=a%0D%0Ax-b:%201 ax-b: 1 ", client: "200 text/plain ok",
	},
	{
		name: "a traversal", program: change(gateway.RequestChange{Path: tmpl(con("/f/"), req("query", "q"), con("/x"))}), method: "GET", target: "/p/1?q=..",
		client: "400 path_traversal",
	},
	{
		name: "a slash in a value", program: change(gateway.RequestChange{Path: tmpl(con("/f/"), req("query", "q"))}), method: "GET", target: "/p/1?q=../../a%2Fb%3F%23",
		upstream: "GET /f/..%2F..%2Fa%2Fb%3F%23?q=../../a%2Fb%3F%23  ", client: "200 text/plain ok",
	},
	{name: "an empty segment", program: change(gateway.RequestChange{Path: tmpl(con("/f/"), req("query", "q"), con("/x"))}), method: "GET", target: "/p/1?q=", client: "400 empty_path_segment"},
	{name: "null in a path", program: change(gateway.RequestChange{Path: tmpl(con("/f/"), req("query", "q"))}), method: "GET", target: "/p/1", client: "400 missing_path_value"},
	{name: "bad JSON", program: change(gateway.RequestChange{Body: obj(con("a"), req("body", "a"))}), method: "POST", target: "/p/1", body: "{", client: "400 bad_request_body"},
	{
		name: "a compressed request", program: change(gateway.RequestChange{Body: obj(con("a"), req("body", "a"))}), method: "POST", target: "/p/1", body: "{}",
		headers: []string{"content-encoding: gzip"}, client: "415 encoded_request",
	},
	{name: "a template without result", program: change(gateway.RequestChange{Body: obj(con("a"), bin("+", req("query", "q"), con(1.0)))}), method: "GET", target: "/p/1", client: "400 template_error"},
	{
		name: "a whole number of 64 bits", program: sum("n", gateway.TypeInteger), method: "GET", target: "/p/9007199254740993?f=12345678901234567890&b=true",
		upstream: `POST /p/9007199254740993?f=12345678901234567890&b=true application/json {"b":true,"f":12345678901234567890,"n":9007199254740993}`, client: "200 text/plain ok",
	},
	{name: "no whole number", program: sum("the n", gateway.TypeInteger), method: "GET", target: "/p/1.5", client: `400 invalid_argument`, said: `the argument "the n" of the call must be a whole number`},
	{name: "a number that a double has not", program: sum("n", gateway.TypeInteger), method: "GET", target: "/p/9007199254740993e0", client: `400 invalid_argument`, said: `the argument "n" of the call must be a whole number`},
	{name: "no number", program: sum("n<&", gateway.TypeNumber), method: "GET", target: "/p/x", client: `400 invalid_argument`, said: `the argument "n<&" of the call must be a number`},
	{name: "no truth value", program: sum("n", gateway.TypeBoolean), method: "GET", target: "/p/yes", client: `400 invalid_argument`, said: `the argument "n" of the call must be true or false`},
	{
		name: "a page", program: back(&gateway.ResponseChange{Statuses: []string{"2xx"}, Body: tmpl(con("<b>"), res("body", "x"), con("</b>")), ContentType: "text/html"}), method: "GET", target: "/",
		answer: ok("application/json", `{"x":"<&>"}`, `etag: "1"`, "accept-ranges: bytes"), upstream: "GET /  ", client: "200 text/html; charset=utf-8 <b>&lt;&amp;&gt;</b>",
	},
	{
		name: "HEAD of a page", program: back(&gateway.ResponseChange{Body: tmpl(res("body", "x")), ContentType: "text/html"}), method: "HEAD", target: "/",
		answer: ok("application/json", ""), upstream: "HEAD /  ", client: "200 text/html; charset=utf-8 ",
	},
	{
		name: "no content", program: back(&gateway.ResponseChange{Body: tmpl(con("x")), ContentType: "text/html"}), method: "GET", target: "/",
		answer: gateway.RawResponse{Status: 204}, upstream: "GET /  ", client: "204 text/html; charset=utf-8 ",
	},
	{
		name: "no content becomes a page", program: back(&gateway.ResponseChange{SetStatus: con(200.0), Body: tmpl(con("done")), ContentType: "text/html"}), method: "GET", target: "/",
		answer: gateway.RawResponse{Status: 204}, upstream: "GET /  ", client: "200 text/html; charset=utf-8 done",
	},
	{
		name: "a status that no block names", program: back(&gateway.ResponseChange{Statuses: []string{"2xx", "404"}, Body: con("x"), ContentType: "text/plain"}), method: "GET", target: "/",
		answer: gateway.RawResponse{Status: 500, Headers: http.Header{"content-type": {"text/plain"}}, Body: []byte("oops")}, upstream: "GET /  ", client: "500 text/plain oops",
	},
	{
		name: "bad JSON of a response", program: back(&gateway.ResponseChange{Body: tmpl(res("body", "x")), ContentType: "text/html"}), method: "GET", target: "/",
		answer: ok("application/json", "{secret"), upstream: "GET /  ", client: "502 bad_response_body",
	},
	{
		name: "a text for JSON", program: back(&gateway.ResponseChange{Body: tmpl(res("body", "x")), ContentType: "text/html"}), method: "GET", target: "/",
		answer: ok("text/plain", "secret"), upstream: "GET /  ", client: "502 bad_response_body",
	},
	{
		name: "a text as text", program: back(&gateway.ResponseChange{Body: obj(con("text"), res("body"))}), method: "GET", target: "/",
		answer: ok("text/plain", "a\nb"), upstream: "GET /  ", client: `200 application/json {"text":"a\nb"}`,
	},
	{
		name: "a compressed response", program: back(&gateway.ResponseChange{Body: tmpl(res("body", "x")), ContentType: "text/html"}), method: "GET", target: "/",
		answer: ok("application/json", "{}", "content-encoding: gzip"), upstream: "GET /  ", client: "502 encoded_response",
	},
	{
		name: "a chain", program: back(
			&gateway.ResponseChange{SetStatus: con("201"), Headers: map[string]gateway.Expr{"x-a": con("1")}, Body: obj(con("y"), res("body", "x"))},
			&gateway.ResponseChange{Statuses: []string{"201"}, Body: tmpl(con("<i>"), res("body", "y"), res("headers", "x-a"), res("headers", "content-type"), res("status"), con("</i>")), ContentType: "text/html"},
			&gateway.ResponseChange{Statuses: []string{"200"}, Body: con("never")},
		), method: "GET", target: "/", answer: ok("application/json", `{"x":7}`), upstream: "GET /  ", client: "201 text/html; charset=utf-8 <i>71application/json201</i>",
	},
	{
		name: "what the request said", program: back(&gateway.ResponseChange{Headers: map[string]gateway.Expr{"content-type": tmpl(req("method"), req("query", "q"), req("body", "n"))}}), method: "POST", target: "/?q=%22%5C",
		body: `{"n":1.50}`, headers: []string{"content-type: application/json"}, answer: ok("text/plain", "x"), upstream: `POST /?q=%22%5C application/json {"n":1.50}`, client: `200 POST"\1.50 x`,
	},
	{
		name: "no status", program: back(&gateway.ResponseChange{SetStatus: con(99.0)}), method: "GET", target: "/", answer: ok("text/plain", "secret"), upstream: "GET /  ", client: "502 template_error",
	},
}

func TestOutcomes(t *testing.T) {
	programs := make([]*gateway.Program, len(outcomes))
	for i, o := range outcomes {
		programs[i] = o.program
	}
	e := startEngine(t, programs)
	for i, o := range outcomes {
		if o.answer.Status == 0 {
			o.answer = ok("text/plain", "ok")
		}
		h := http.Header{}
		for _, line := range o.headers {
			name, v, _ := strings.Cut(line, ": ")
			h[name] = append(h[name], v)
		}
		in := gateway.RawRequest{Method: o.method, Host: fmt.Sprintf("c%d.test", i), Target: o.target, Headers: h, Body: []byte(o.body)}
		if o.method != "HEAD" {
			e.compare(t, i, o.program, in, o.answer)
		}
		e.forget(i)
		e.answer(i, func(w http.ResponseWriter, _ *http.Request) {
			for name, values := range o.answer.Headers {
				w.Header()[http.CanonicalHeaderKey(name)] = values
			}
			w.WriteHeader(o.answer.Status)
			_, _ = w.Write(o.answer.Body)
		})
		r := e.do(t, i, o.method, o.target, o.body, o.headers...)
		got := fmt.Sprintf("%d %s %s", r.status, r.header.Get("content-type"), r.body)
		if reason := r.header.Get("x-sluice-error"); reason != "" {
			got = fmt.Sprintf("%d %s", r.status, reason)
			if want := string((&gateway.Refusal{Reason: reason, Text: o.said}).Body()); r.body != want || r.header.Get("content-type") != "application/json" {
				t.Errorf("%s: the answer is %q, want %q", o.name, r.body, want)
			}
		}
		if got != o.client {
			t.Errorf("%s: the client gets %q, want %q", o.name, got, o.client)
		}
		if r.header.Get("etag")+r.header.Get("accept-ranges") != "" && strings.Contains(o.client, "html") {
			t.Errorf("%s: a new body has the old one's headers %v", o.name, r.header)
		}
		up := ""
		if s := e.upstream(i); s != nil {
			up = fmt.Sprintf("%s %s %s %s", s.method, s.target, s.header.Get("content-type"), s.body)
		}
		if up != o.upstream {
			t.Errorf("%s: the upstream gets %q, want %q", o.name, up, o.upstream)
		}
	}
}

// An answer of the edge itself is not taken for the upstream's.
func TestAnswersOfTheEdge(t *testing.T) {
	p := back(&gateway.ResponseChange{Body: tmpl(con("<b>"), res("body", "x")), ContentType: "text/html"})
	e := startEngine(t, []*gateway.Program{p})
	e.answer(0, func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) })
	if r := e.do(t, 0, "GET", "/", ""); r.status != 503 || r.header.Get("x-sluice-error") != "" || r.header.Get("content-type") != "text/plain" {
		t.Errorf("a lost upstream is answered with %d %v %s", r.status, r.header, r.body)
	}
}
