package gateway

import (
	"strings"
	"testing"
)

func TestBodiesFitTheirContentType(t *testing.T) {
	value := Expr{Op: OpRequest, Path: []string{"query", "a"}}
	body := Expr{Op: OpRequest, Path: []string{"body", "a"}}
	text := Expr{Op: OpTemplate, Args: []Expr{value}}
	object := Expr{Op: OpObject, Args: []Expr{{Op: OpConst, Value: "a"}, value}}
	constant := func(v any) Expr { return Expr{Op: OpConst, Value: v} }
	call := func(name string, args ...Expr) Expr { return Expr{Op: OpCall, Name: name, Args: args} }
	for _, c := range []struct {
		name, contentType string
		body              Expr
		want, kind        string
	}{
		{"object", "", object, "", MediaJSON},
		{"unknown", "", body, "", MediaJSON},
		{"encoded", "", call("jsonencode", object), "", MediaJSON},
		{"constant JSON", "", constant(`{"a": 1}`), "", MediaJSON},
		{"no body", "", Expr{}, "", ""},
		{"empty", "", constant(""), "", ""},
		{"text", "", text, "Missing content type", ""},
		{"value", "", value, "Missing content type", ""},
		{"number", "", call("length", body), "Missing content type", ""},
		{"plain", "text/plain", text, "", "text/plain"},
		{"JSON as text", "application/json; charset=utf-8", text, "JSON made of text", ""},
		{"a problem as text", "application/problem+json", call("try", body, text), "JSON made of text", ""},
		{"either", "application/json", Expr{Op: OpCond, Args: []Expr{value, object, call("merge", object)}}, "", "application/json"},
		{"form", MediaForm, object, "", MediaForm},
		{"form as text", MediaForm, text, "Form that is no object", ""},
		{"form of a list", MediaForm, constant([]any{"a"}), "Form that is no object", ""},
		{"object as HTML", "text/html", object, "Object as text", ""},
		{"perhaps an object", "text/html", body, "", "text/html"},
		{"no type", "html", text, "Invalid content type", ""},
		{"two lines", "text/html\r\nx: y", text, "Invalid content type", ""},
		{"nothing of a type", "text/html", Expr{}, "Content type without a body", ""},
	} {
		p := Payload{Body: c.body, ContentType: c.contentType}
		var said string
		for _, d := range p.Check() {
			said += d.Summary
		}
		if said != c.want || said == "" && p.Type() != c.kind {
			t.Errorf("%s: %q as %q, want %q as %q", c.name, said, p.Type(), c.want, c.kind)
		}
	}
}

func TestHeadersThatCannotBeWritten(t *testing.T) {
	text := func(v any) Expr { return Expr{Op: OpConst, Value: v} }
	diags := CheckHeaders(map[string]Expr{
		"x-good": text("a"), "x-list": text([]any{"a", "b"}), "x-null": text(nil),
		"x-lines": text("a\nb"), "x-object": {Op: OpObject}, "x-lists": {Op: OpTuple, Args: []Expr{text("a\nb")}},
		"Host": text("a"), "X-Envoy-Retry-On": text("5xx"), "x-sluice-a": text("a"), "no good": text("a"),
		"X-Twice": text("a"), "x-twice": text("b"),
	}, Expr{}.Range)
	count := map[string]int{}
	for _, d := range diags {
		count[d.Summary]++
		if !strings.HasSuffix(d.Detail, ".") {
			t.Errorf("%q is no sentence", d.Detail)
		}
	}
	if count["Invalid header name"] != 4 || count["Unsupported header value"] != 3 || count["Duplicate header"] != 1 || len(diags) != 8 {
		t.Errorf("%v", count)
	}
}
