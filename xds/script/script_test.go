package script_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

func con(v any) gateway.Expr              { return gateway.Expr{Op: gateway.OpConst, Value: v} }
func req(path ...string) gateway.Expr     { return gateway.Expr{Op: gateway.OpRequest, Path: path} }
func res(path ...string) gateway.Expr     { return gateway.Expr{Op: gateway.OpResponse, Path: path} }
func tmpl(a ...gateway.Expr) gateway.Expr { return gateway.Expr{Op: gateway.OpTemplate, Args: a} }
func obj(a ...gateway.Expr) gateway.Expr  { return gateway.Expr{Op: gateway.OpObject, Args: a} }
func vari(name string) gateway.Expr       { return gateway.Expr{Op: gateway.OpVar, Name: name} }

func call(name string, a ...gateway.Expr) gateway.Expr {
	return gateway.Expr{Op: gateway.OpCall, Name: name, Args: a}
}

func forEach(name string, list, value gateway.Expr) gateway.Expr {
	return gateway.Expr{Op: gateway.OpFor, Vars: [2]string{"", name}, Args: []gateway.Expr{list, {}, value, {}}}
}

// list is the directive %{ for } of a template.
func list(name string, of gateway.Expr, parts ...gateway.Expr) gateway.Expr {
	return call("join", con(""), forEach(name, of, tmpl(parts...)))
}

// A page of a JSON answer, and a call whose path, query, headers and body come from all over the request.
func TestProgramsRun(t *testing.T) {
	page := &gateway.Program{Response: []*gateway.ResponseChange{{
		Statuses: []string{"2xx"}, ContentType: "text/html",
		Body: tmpl(con("<h1>"), res("body", "title"), con("</h1><ul>"),
			list("s", res("body", "steps"), con("<li>"), vari("s"), con("</li>")), con("</ul>"), call("raw", res("body", "tail"))),
	}}}
	call := &gateway.Program{Path: "/divide/{a}/{b}", Call: &gateway.Call{
		Method: "POST", Path: tmpl(con("/api/v2/"), req("path", "a"), con("/x")), DropQuery: true,
		Query:   map[string]gateway.Expr{"q": req("query", "q"), "none": req("query", "none")},
		Headers: map[string]gateway.Expr{"X-Agent": req("headers", "user-agent"), "x-gone": con(nil)},
		Body:    obj(con("b"), req("path", "b"), con("n"), gateway.Expr{Op: gateway.OpBinary, Name: "+", Args: []gateway.Expr{req("path", "b"), con(1.0)}}),
	}}
	e := startEngine(t, []*gateway.Program{page, call, nil})
	e.answer(0, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("content-type", "application/json")
		w.Header().Set("etag", `"x"`)
		fmt.Fprint(w, `{"title": "a<b", "steps": ["1 & 2", 3, 12345678901234567890], "tail": "<hr>"}`)
	})
	got := e.do(t, 0, "GET", "/", "")
	want := "<h1>a&lt;b</h1><ul><li>1 &amp; 2</li><li>3</li><li>12345678901234567890</li></ul><hr>"
	if got.status != 200 || got.body != want || got.header.Get("content-type") != "text/html; charset=utf-8" || got.header.Get("etag") != "" {
		t.Errorf("the page is %d %v\n%s", got.status, got.header, got.body)
	}
	got = e.do(t, 1, "GET", "/divide/6%20%C3%A9/3?q=1%262&r=2", "", "x-gone: yes", "user-agent: me")
	s := e.upstream(1)
	if got.status != 200 || s == nil {
		t.Fatalf("the call was answered with %d %v %s", got.status, got.header, got.body)
	}
	if s.method != "POST" || s.target != "/api/v2/6%20%C3%A9/x?q=1%262" || s.body != `{"b":"3","n":4}` ||
		s.header.Get("x-agent") != "me" || s.header.Get("x-gone") != "" || s.header.Get("content-type") != "application/json" {
		t.Errorf("the upstream got %+v", *s)
	}
}
