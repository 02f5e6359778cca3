package script_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// corpus is JSON and what looks like it.
var corpus = []string{
	``, ` `, `null`, `true`, `false`, `tru`, `nul`, `{}`, `[]`, `{"a":1}`, `{"a":1,}`, `[1,]`, `[,1]`, `{"a"}`, `{"a":}`, `{a:1}`, `{'a':1}`, `[1 2]`,
	`0`, `-0`, `-`, `00`, `01`, `-01`, `1.`, `.5`, `1.0`, `1e5`, `1E+05`, `1e`, `1e+`, `+1`, `1e999`, `-1e999`, `1e-999`, `0x10`, `NaN`, `Infinity`, `1_0`,
	`123456789012345`, `1234567890123456`, `-123456789012345`, `99999999999999999999999999999999`, `0.1`, `1.10`, `[1.0,2.50,-0.0,1e2]`,
	`"`, `"a`, `"\`, `"\"`, `"\x"`, `"\u12"`, `"\u0000"`, `"\u00e9"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ude00\ud83d"`, `"\ud83dx"`, `"\ud83d\ud83d\ude00"`, `"\/\b\f\n\r\t"`,
	"\"\x01\"", "\"\x00\"", "\"\x7f\"", "\"\t\"", "\"\n\"", "\"\xff\"", "\"\xc3\x28\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xc0\x80\"", "\"\xe2\x80\xa8\"", "\"😀é日\"",
	"\xef\xbb\xbf{}", "{}\x00", `{} {}`, `{}x`, "\v{}", "\f[]", " \t\r\n{ \"a\" : [ 1 , 2 ] } \n", `{"a":1,"a":2}`, `{"a":{"b":1},"a":null}`, `{"":1}`, `{"1":1,"0":2}`,
	`["a",["b",["c"]]]`, `{"a":{"b":{"c":[{}]}}}`, `[[],{},[[]]]`, `"<script>&amp;</script>"`, `[1,"1",true,null,{"x":[]}]`, `//x`, `/**/{}`, `{"a":1}}`, `]`, `}`, `[`, `{`, `{"a":[`, `,`, `:`,
	strings.Repeat("[", 100) + strings.Repeat("]", 100), strings.Repeat("[", 101) + strings.Repeat("]", 101),
	strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100), strings.Repeat(`{"a":`, 101) + "1" + strings.Repeat("}", 101),
	strings.Repeat("[", 100_000), strings.Repeat(`[{"a":`, 50_000), `"` + strings.Repeat(`\u0041`, 1000) + `"`, `"` + strings.Repeat(`\\`, 5000) + `"`,
	"[" + strings.Repeat("1,", 99_998) + "1]", "[" + strings.Repeat("1,", 99_999) + "1]", "1" + strings.Repeat("0", 10_000), "0." + strings.Repeat("3", 10_000),
}

// TestJSON wants the script to read, and write, every text of the corpus as the reference does.
func TestJSON(t *testing.T) {
	p := &gateway.Program{
		Request:  []*gateway.RequestChange{{Body: obj(con("b"), req("body"), con("a"), call("try", gateway.Expr{Op: gateway.OpAttr, Name: "a", Args: []gateway.Expr{req("body")}}, con("none")))}},
		Response: []*gateway.ResponseChange{{Body: obj(con("b"), res("body"))}},
	}
	e := startEngine(t, []*gateway.Program{p})
	for _, contentType := range []string{"application/json", "text/plain", "application/x-www-form-urlencoded", "application/problem+json; charset=utf-8", "image/png"} {
		for _, text := range corpus {
			h := http.Header{"content-type": {contentType}}
			in := gateway.RawRequest{Method: "POST", Host: "c0.test", Target: "/", Headers: h, Body: []byte(text)}
			e.compare(t, 0, p, in, gateway.RawResponse{Status: 200, Headers: h, Body: []byte(text)})
			if t.Failed() {
				t.Fatalf("%s: %.100q", contentType, text)
			}
		}
	}
}

// TestHostileMessages wants every answer in bounded time, whatever comes.
func TestHostileMessages(t *testing.T) {
	square := forEach("x", req("body"), forEach("y", req("body"), con(1.0)))
	programs := []*gateway.Program{
		0: {Request: []*gateway.RequestChange{{Body: obj(con("n"), call("length", square))}}},
		1: {Request: []*gateway.RequestChange{{Body: obj(con("n"), call("length", forEach("x", req("body"), call("jsonencode", req("body")))))}}},
		2: {Request: []*gateway.RequestChange{{Body: obj(con("n"), call("length", forEach("x", req("body"), call("concat", req("body"), req("body")))))}}},
		3: {Request: []*gateway.RequestChange{{Body: obj(con("n"), call("length", call("replace", call("jsonencode", req("body")), con(""), call("jsonencode", req("body")))))}}},
		4: {Request: []*gateway.RequestChange{{Body: list("x", req("body"), call("jsonencode", req("body"))), ContentType: "text/plain"}}},
		5: {Request: []*gateway.RequestChange{{Body: obj(con("n"), call("split", con(""), call("jsonencode", req("body"))))}}},
		6: {Path: "/p/{a}-{b}-{c}-{d}", Request: []*gateway.RequestChange{{Headers: map[string]gateway.Expr{"x-a": req("path", "a")}}}},
		7: {Request: []*gateway.RequestChange{{Headers: map[string]gateway.Expr{"x-a": req("query", "a")}, Query: map[string]gateway.Expr{"b": con("1")}}}},
		9: {Request: []*gateway.RequestChange{{Body: obj(con("n"), call("length", call("trimspace", req("body"))), con("u"), call("length", call("upper", req("body"))))}}},
		8: {Response: []*gateway.ResponseChange{{Body: list("x", res("body"), vari("x")), ContentType: "text/html"}}},
	}
	programs = append(programs, invoke("apigw_v2", gateway.Expr{}, false))
	e := startEngine(t, programs)
	e.answer(10, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") })
	many := "[" + strings.Repeat("1,", 50_000) + "1]"
	took := func(what string, f func() reply, want int) {
		t.Helper()
		begin := time.Now()
		r := f()
		d := time.Since(begin)
		t.Logf("%s: %d %s in %v", what, r.status, r.header.Get("x-sluice-error"), d.Round(time.Millisecond))
		if want >= 400 && (len(r.body) > 200 || r.header.Get("x-sluice-error") == "") {
			t.Errorf("%s: %d %v %.100s", what, r.status, r.header, r.body)
		}
		if r.status != want || d > 5*time.Second {
			t.Errorf("%s: %d %s in %v, want %d", what, r.status, r.header.Get("x-sluice-error"), d, want)
		}
	}
	for i := range 6 {
		took(fmt.Sprintf("program %d over a long list", i), func() reply {
			return e.do(t, i, "POST", "/", many, "content-type: application/json")
		}, map[bool]int{true: 200, false: 400}[i == 5])
	}
	took("dashes", func() reply { return e.do(t, 6, "GET", "/p/a-b-c-d"+strings.Repeat("-", 50_000), "") }, 200)
	took("parameters", func() reply { return e.do(t, 7, "GET", "/?"+strings.Repeat("a=%41&", 9_000), "") }, 200)
	for name, text := range map[string]string{
		"spaces": "a" + strings.Repeat(" ", 900_000) + "b", "letters": strings.Repeat("日本", 150_000), "escapes": strings.Repeat(`\u00e9`, 150_000),
	} {
		took(name, func() reply { return e.do(t, 9, "POST", "/", `"`+text+`"`, "content-type: application/json") }, 200)
	}
	took("cookies", func() reply {
		return e.do(t, 10, "GET", "/", "", "cookie: "+strings.Repeat("a"+strings.Repeat(" ", 20_000)+";", 2))
	}, 200)
	for name, body := range map[string]string{
		"a long text": `["` + strings.Repeat("<", 500_000) + `"]`, "a list of texts": "[" + strings.Repeat(`"<&>",`, 40_000) + `"x"]`,
	} {
		e.answer(8, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("content-type", "application/json")
			fmt.Fprint(w, body)
		})
		took(name, func() reply { return e.do(t, 8, "GET", "/", "") }, 200)
	}
	e.answer(8, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("content-type", "application/json")
		fmt.Fprint(w, `["`+strings.Repeat("<", 1<<20-100)+`"]`)
	})
	took("a text that grows", func() reply { return e.do(t, 8, "GET", "/", "") }, http.StatusBadGateway)
	for _, size := range []int{1<<20 + 1, 10 << 20} {
		took("a large request", func() reply {
			return e.do(t, 0, "POST", "/", strings.Repeat(" ", size), "content-type: application/json")
		}, http.StatusRequestEntityTooLarge)
		e.answer(8, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("content-length", fmt.Sprint(size))
			_, _ = w.Write(make([]byte, size))
		})
		took("a large response", func() reply { return e.do(t, 8, "GET", "/", "") }, http.StatusBadGateway)
	}
	e.answer(8, func(w http.ResponseWriter, _ *http.Request) {
		for range 48 {
			_, _ = w.Write(make([]byte, 32<<10))
			w.(http.Flusher).Flush()
		}
	})
	took("a large response in chunks", func() reply { return e.do(t, 8, "GET", "/", "") }, http.StatusBadGateway)
}
