package script_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// expressions are regular expressions over a path, with groups.
var expressions = []string{
	`/divide/(?P<a>\d+)/(?P<b>\d+)`, `/(?<a>[a-z]+)(?:-(?<b>[0-9a-f]{2,4}))?`, `/(?P<a>.*)/(?P<b>[^/]*)`, `/(?P<a>.*?)/(?P<b>.*)`, `^/(?P<a>a|ab)(?P<b>c|bcd)(d*)$`,
	`/(?i)(?P<a>x+)Y(?P<b>z)*`, `/(?P<a>(x*)*)(?P<b>x?)`, `/(?:(?P<a>a)|(?P<b>b))+`, `/\b(?P<a>\w+)\b(?P<b>\W?)`, `/(?P<a>[^x]{0,5})(?P<b>x{2,})?`,
	`(?P<a>/)(?P<b>)`, `/(?P<a>é|%C3%A9)(?P<b>.)`, `/(?P<a>a*)*(?P<b>b)?`, `(?s)/(?P<a>.{3})\B(?P<b>.+)`, `(?m)^/(?P<a>[[:alpha:]]+)$|/(?P<b>[\d_]+)`, `/(x)(y)`, `/(?P<a>(?:(?:a?){10}a{10}))(?P<b>.*)`,
}

var paths = []string{
	"/", "/divide/6/3", "/abc-12", "/abc-", "/a/b/c", "/a//", "/abcd", "/abcdd", "/XxYzZ", "/xxxx", "/abab", "/a", "/b", "/hello", "/hello!", "/xx", "/abcxx", "/%C3%A9x",
	"/%ff/%41", "/aaab", "/abcd_e", "/12_3", "/" + strings.Repeat("a", 25), "/a%2Fb/c%20d", "/xy",
}

// Named groups of a regular expression are variables of the path, in Envoy as in Go.
func TestGroupsOfRegularExpressions(t *testing.T) {
	var programs []*gateway.Program
	for _, re := range expressions {
		programs = append(programs, &gateway.Program{Regex: re, Request: []*gateway.RequestChange{{
			Headers: map[string]gateway.Expr{"x-b": tmpl(con("a="), req("path", "a"), con(" b="), req("path", "b"), con("."))},
		}}})
	}
	slow := &gateway.Program{Regex: `/(?P<a>(?:[a-z]*)*(?:x|y|[a-z])*)(?P<b>1?)`, Request: programs[0].Request}
	e := startEngine(t, append(programs, slow))
	some := 0
	for i, p := range programs {
		for _, path := range paths {
			in := gateway.RawRequest{Method: "GET", Host: fmt.Sprintf("c%d.test", i), Target: path + "?a=/1", Headers: http.Header{}}
			if sent, _ := e.compare(t, i, p, in, ok("text/plain", "x")); sent == 0 {
				t.Errorf("%s over %s", expressions[i], path)
			}
			if regexp.MustCompile(`^(?:` + p.Regex + `)$`).MatchString(path) {
				some++
			}
		}
	}
	if some < 40 {
		t.Errorf("only %d matched", some)
	}
	begin := time.Now()
	r := e.do(t, len(programs), "GET", "/"+strings.Repeat("a", 30_000)+"2", "")
	if took := time.Since(begin); took > 2*time.Second || r.status != 400 || r.header.Get("x-sluice-error") != "too_much_work" {
		t.Errorf("%d %v in %v", r.status, r.header, took)
	}
}
