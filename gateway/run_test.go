package gateway

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

func pattern(parts ...Expr) Expr { return Expr{Op: OpTemplate, Args: parts} }

func ofResponse(path ...string) Expr { return Expr{Op: OpResponse, Path: path} }

func TestSend(t *testing.T) {
	p := &Program{
		Path: "/a/{x}/{rest=**}",
		Call: &Call{Method: "POST", Path: pattern(constant("/b/"), ofRequest("path", "x"), constant("/"), ofRequest("path", "rest")), Body: Expr{
			Op: OpObject, Args: []Expr{constant("n"), ofRequest("query", "n"), constant("big"), ofRequest("body", "big")},
		}},
		Request: []*RequestChange{{Query: map[string]Expr{"q": ofRequest("headers", "x-q"), "n": constant(nil)}, Headers: map[string]Expr{"X-Q": constant(nil)}}},
	}
	in := RawRequest{
		Method: "PUT", Target: "/a/1%2B%C3%A9/c/d%20e?n=1&z=2", Headers: http.Header{"x-q": {"a b"}, "content-type": {"application/json"}, "etag": {"x"}},
		Body: []byte(`{"big": 123456789012345678901.50}`),
	}
	out, err := p.Send(in)
	if err != nil {
		t.Fatal(err)
	}
	if out.Method != "POST" || out.Target != "/b/1+%C3%A9/c/d%20e?z=2&q=a%20b" || string(out.Body) != `{"big":123456789012345678901.50,"n":"1"}` || headerIn(out.Headers, "x-q") != nil {
		t.Errorf("%+v %s", out, out.Body)
	}
	for target, reason := range map[string]string{"/other": "missing_path_value", "/a/%2E%2E/x": "path_traversal"} {
		in.Target = target
		_, err := p.Send(in)
		if r, ok := errors.AsType[*Refusal](err); !ok || r.Reason != reason || r.Status != 400 {
			t.Errorf("%s: %v, want %s", target, err, reason)
		}
	}
}

func TestReceive(t *testing.T) {
	p := &Program{Response: []*ResponseChange{
		{Statuses: []string{"2xx"}, Body: pattern(constant("<b>"), ofResponse("body", "x"), call("raw", ofResponse("body", "y"))), ContentType: "text/html"},
		{Statuses: []string{"404"}, SetStatus: constant(200.0), Headers: map[string]Expr{"x-was": ofResponse("status")}},
	}}
	resp := RawResponse{Status: 200, Headers: http.Header{"content-type": {"application/json"}, "etag": {"1"}}, Body: []byte(`{"x": "<&", "y": "<hr>"}`)}
	out, err := p.Receive(RawRequest{Method: "GET", Target: "/"}, resp)
	if err != nil || string(out.Body) != "<b>&lt;&amp;<hr>" || headerIn(out.Headers, "content-type") != "text/html; charset=utf-8" || headerIn(out.Headers, "etag") != nil {
		t.Errorf("%+v %s, %v", out, out.Body, err)
	}
	if out, err = p.Receive(RawRequest{Method: "GET", Target: "/"}, RawResponse{Status: 404, Body: []byte("x")}); err != nil || out.Status != 200 || headerIn(out.Headers, "x-was") != "404" || string(out.Body) != "x" {
		t.Errorf("%+v, %v", out, err)
	}
	resp.Body = []byte("{")
	_, err = p.Receive(RawRequest{Method: "GET", Target: "/"}, resp)
	if r, ok := errors.AsType[*Refusal](err); !ok || r.Reason != "bad_response_body" || r.Status != 502 {
		t.Errorf("%v", err)
	}
}

// What a program may not do is an error before it runs.
func TestPrograms(t *testing.T) {
	for name, p := range map[string]*Program{
		"the host":      {Request: []*RequestChange{{Headers: map[string]Expr{"Host": constant("x")}}}},
		"a pseudo name": {Response: []*ResponseChange{{Headers: map[string]Expr{":status": constant("x")}}}},
		"a bad status":  {Response: []*ResponseChange{{Statuses: []string{"9xx"}}}},
		"a bad path":    {Path: "x{"},
	} {
		if _, err := p.Prepared(); err == nil {
			t.Errorf("%s is allowed", name)
		}
	}
	if !(&Program{Path: "/a"}).IsZero() {
		t.Error("a program that does nothing is not zero")
	}
}

// Every reason has words for the client.
func TestReasons(t *testing.T) {
	for _, r := range Reasons() {
		if text := ReasonText(r); text == "" || strings.ContainsAny(text, `"\`) {
			t.Errorf("%s: %q", r, text)
		}
	}
}

// FuzzBody reads any body as any type: what was read can be written, and read again.
func FuzzBody(f *testing.F) {
	for _, s := range []string{`{"a":[1.50,-0,1e999]}`, `"\ud83d\ude00"`, "a=1&b=%zz+", "[[[", "\xff", `{"a":1,"a":null}`} {
		f.Add(s, "application/json")
		f.Add(s, "text/plain")
		f.Add(s, MediaForm)
	}
	f.Fuzz(func(t *testing.T, raw, contentType string) {
		body := parseBody([]byte(raw), contentType)
		if body.bad {
			return
		}
		b, err := json.Marshal(body.value)
		if err != nil || !utf8.Valid(b) {
			t.Fatalf("%q: %v", b, err)
		}
		if again, err := decodeJSON(b); len(b) < 1000 && (err != nil || !evalEqual(again, body.value)) {
			t.Fatalf("%q is read as %v, %v", b, again, err)
		}
	})
}

// FuzzQuery sets parameters in any query: they are there, once.
func FuzzQuery(f *testing.F) {
	f.Add("a=1&b=%41&=&&x", "a", "1 +&=%")
	f.Fuzz(func(t *testing.T, query, name, value string) {
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return
		}
		out, err := setQuery(query, []namedValue{{name, value}})
		if err != nil {
			t.Fatal(err)
		}
		if got := queryValues(out)[name]; got != value {
			t.Fatalf("%q has %q, want %q", out, got, value)
		}
	})
}
