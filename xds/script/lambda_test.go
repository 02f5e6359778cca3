package script_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

func invoke(event string, payload gateway.Expr, async bool) *gateway.Program {
	return &gateway.Program{Path: "/pets/{id}", Call: &gateway.Call{Lambda: &gateway.LambdaCall{
		Function: &gateway.LambdaFunction{ARN: "arn:aws:lambda:eu-west-1:123456789012:function:pets:live", Qualifier: "live"},
		Event:    event, Async: async, Payload: payload,
	}}}
}

// event is what the function gets, without what differs from run to run.
func event(t *testing.T, body string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("the event is %q: %v", body, err)
	}
	m, _ := v.(map[string]any)
	if c, ok := m["requestContext"].(map[string]any); ok {
		delete(c, "timeEpoch")
		delete(c, "requestId")
	}
	for _, name := range []string{"headers", "multiValueHeaders"} {
		if h, ok := m[name].(map[string]any); ok {
			for _, edge := range []string{"x-request-id", "x-forwarded-for", "x-forwarded-proto", "accept-encoding"} {
				delete(h, edge)
			}
		}
	}
	return v
}

func TestEvents(t *testing.T) {
	changed := invoke("", gateway.Expr{}, false)
	changed.Request = []*gateway.RequestChange{{
		Path: tmpl(con("/animals/"), req("path", "id")), Query: map[string]gateway.Expr{"a": con("9")}, Headers: map[string]gateway.Expr{"x-new": con("1")},
	}}
	programs := []*gateway.Program{
		invoke("apigw_v2", gateway.Expr{}, false), invoke("alb", gateway.Expr{}, false), invoke("raw", gateway.Expr{}, false),
		invoke("apigw_v2", obj(con("id"), req("path", "id"), con("n"), req("body", "n")), true), changed,
	}
	e := startEngine(t, programs)
	headers := http.Header{
		"content-type": {"application/json"}, "cookie": {"a=b; c=d"}, "x-many": {"1", "2"}, "user-agent": {"me"},
		"authorization": {"Bearer x"}, "x-amz-date": {"now"}, "x-amz-client-context": {"evil"},
	}
	for i, p := range programs {
		for _, body := range []string{"", `{"n": 1.50}`, "\xff\x00\x01binary"} {
			if i == 3 && body != `{"n": 1.50}` {
				continue
			}
			in := gateway.RawRequest{
				Method: "POST", Host: fmt.Sprintf("c%d.test", i), Target: "/pets/7%20x?a=1&a=%C3%A9&b", Headers: headers, Body: []byte(body), ClientIP: "127.0.0.1",
			}
			want, err := p.Send(in)
			if err != nil {
				t.Fatal(err)
			}
			var list []string
			for name, values := range headers {
				for _, v := range values {
					list = append(list, name+": "+v)
				}
			}
			got := e.do(t, i, in.Method, in.Target, body, list...)
			s := e.upstream(i)
			if s == nil {
				t.Fatalf("program %d, body %q: %d %s", i, body, got.status, got.body)
			}
			if s.method != "POST" || s.target != "/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:pets/invocations?Qualifier=live" {
				t.Errorf("the call is %s %s", s.method, s.target)
			}
			for _, name := range []string{"authorization", "cookie", "x-amz-date", "x-amz-client-context"} {
				if v := s.header.Get(name); v != "" {
					t.Errorf("program %d: the client's header %s: %q reaches Lambda", i, name, v)
				}
			}
			if async := s.header.Get("x-amz-invocation-type") == "Event"; async != (i == 3) {
				t.Errorf("program %d: asynchronous is %t", i, async)
			}
			if i == 2 {
				if s.body != body {
					t.Errorf("the raw event is %q, want %q", s.body, body)
				}
				continue
			}
			if diff := cmp.Diff(event(t, string(want.Body)), event(t, s.body)); diff != "" {
				t.Errorf("program %d, body %q: the event differs from the reference (-want +got):\n%s", i, body, diff)
			}
		}
	}
}

func TestAnswersOfFunctions(t *testing.T) {
	page := invoke("apigw_v2", gateway.Expr{}, false)
	page.Response = []*gateway.ResponseChange{{Statuses: []string{"2xx"}, ContentType: "text/html", Body: tmpl(con("<b>"), res("body", "name"), con("</b>"))}}
	programs := []*gateway.Program{
		invoke("apigw_v2", gateway.Expr{}, false), invoke("alb", gateway.Expr{}, false), invoke("raw", gateway.Expr{}, false),
		invoke("apigw_v2", obj(con("a"), con(1.0)), false), page,
	}
	e := startEngine(t, programs)
	answers := []gateway.RawResponse{
		{Status: 200, Body: []byte(`{"statusCode": 201, "headers": {"Content-Type": "text/plain", "X-A": "1", "Content-Length": "99", "x-amz-x": "y"}, "cookies": ["a=b", "c=d; Path=/"], "body": "made"}`)},
		{Status: 200, Body: []byte(`{"statusCode": "202", "multiValueHeaders": {"x-a": ["1", 2], "Set-Cookie": ["a=b", "c=d"]}, "body": "AAH/", "isBase64Encoded": true}`)},
		{Status: 200, Body: []byte(`{"name": "a<b", "n": 1.50}`)},
		{Status: 200, Body: []byte(`"text"`)}, {Status: 200, Body: []byte(`null`)}, {Status: 200, Body: []byte(`[1]`)}, {Status: 200, Body: []byte(`no json`)},
		{Status: 200, Body: []byte(`{"statusCode": 99}`)}, {Status: 200, Body: []byte(`{"statusCode": 200, "body": "!", "isBase64Encoded": true}`)},
		{Status: 200, Body: []byte(`{"statusCode": 204, "body": ""}`)}, {Status: 200, Body: []byte(`{"statusCode": 200, "body": {"name": "x"}}`)},
		{Status: 200, Body: []byte(`{"statusCode": 200, "headers": {"x-a": "1\r\nx-evil: 2", "x b": "3"}, "body": "{\"name\": 1}"}`)},
		{Status: 200, Body: []byte(`{"errorMessage": "boom", "errorType": "Error"}`), Headers: http.Header{"x-amz-function-error": {"Unhandled"}}},
		{Status: 200, Body: []byte(`{"errorMessage":"2026-01-01T00:00:00Z r Task timed out after 3.00 seconds"}`), Headers: http.Header{"x-amz-function-error": {"Unhandled"}}},
		{Status: 200, Body: []byte(`{"errorType":"Sandbox.Timedout","errorMessage":"x"}`), Headers: http.Header{"x-amz-function-error": {"Unhandled"}}},
		{Status: 429, Body: []byte(`{"Reason":"ConcurrentInvocationLimitExceeded"}`)}, {Status: 403, Body: []byte(`{"Message":"secret"}`)}, {Status: 500}, {Status: 413},
	}
	for i, p := range programs {
		for _, answer := range answers {
			if answer.Headers == nil {
				answer.Headers = http.Header{}
			}
			answer.Headers["content-type"] = []string{"application/json"}
			answer.Headers["x-amzn-requestid"] = []string{"r"}
			in := gateway.RawRequest{Method: "GET", Host: fmt.Sprintf("c%d.test", i), Target: "/pets/1"}
			e.answer(i, func(w http.ResponseWriter, _ *http.Request) {
				maps.Copy(w.Header(), canonical(answer.Headers))
				w.WriteHeader(answer.Status)
				_, _ = w.Write(answer.Body)
			})
			got := e.do(t, i, in.Method, in.Target, "")
			want, err := p.Receive(in, answer)
			if refusal, refused := errors.AsType[*gateway.Refusal](err); refused {
				want = gateway.RawResponse{Status: refusal.Status, Headers: http.Header{"content-type": {"application/json"}, "x-sluice-error": {refusal.Reason}}}
				want.Body = []byte(fmt.Sprintf(`{"error":%q,"reason":%q}`, gateway.ReasonText(refusal.Reason), refusal.Reason))
			} else if err != nil {
				t.Fatal(err)
			}
			if got.status != want.Status || got.body != string(want.Body) {
				t.Errorf("program %d, answer %d %s: the client gets %d %q, the reference says %d %q", i, answer.Status, answer.Body, got.status, got.body, want.Status, want.Body)
			}
			for _, name := range []string{"content-type", "x-a", "set-cookie", "x-sluice-error", "x-amzn-requestid", "x-evil", "x-amz-x"} {
				if a, b := joined(got.header, name), joined(want.Headers, name); a != b {
					t.Errorf("program %d, answer %d %s: the client gets %s %q, the reference says %q", i, answer.Status, answer.Body, name, a, b)
				}
			}
		}
	}
}
