package translate_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"pgregory.net/rapid"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// The tables and requests of one run, all answered by one Envoy.
const (
	tables   = 40
	requests = 60
)

// TestListTrieAndGoAgree generates tables and requests, and asks a real Envoy which route takes each: with the table as
// a list and as a trie. The matcher in Go must say the same.
func TestListTrieAndGoAgree(t *testing.T) {
	var hosts []*routev3.VirtualHost
	var generated [][]*gateway.TableRoute
	for i := range tables {
		table := rapid.Custom(drawTable).Example(i)
		generated = append(generated, table)
		for _, form := range []struct {
			name  string
			limit int
		}{{"list", 1 << 20}, {"trie", 0}} {
			h, err := translate.HostTable(fmt.Sprintf("%s-%d.test", form.name, i), table, form.limit)
			if err != nil {
				t.Fatal(err)
			}
			hosts = append(hosts, h)
		}
	}
	edge := serve(t, hosts)
	taken := 0
	for i, table := range generated {
		for n := range requests {
			req := rapid.Custom(drawRequest).Example(i*requests + n)
			want := ""
			if e, _ := gateway.MatchTable(table, req); e != nil {
				want = e.Route.Name
				taken++
			}
			list := ask(t, edge, fmt.Sprintf("list-%d.test", i), req)
			trie := ask(t, edge, fmt.Sprintf("trie-%d.test", i), req)
			if list != want || trie != want {
				t.Errorf("table %d, %s %s %v %v: Go says %q, Envoy's list %q, its trie %q\n%s",
					i, req.Method, req.Path, req.Query, req.Headers, want, list, trie, show(table))
			}
		}
	}
	if all := len(generated) * requests; taken < all/4 || taken > all*19/20 {
		t.Errorf("%d of %d requests were taken: the generators have lost their balance", taken, all)
	}
}

// serve starts an Envoy with the listener edge.http and these hosts.
func serve(t *testing.T, hosts []*routev3.VirtualHost) *featuretest.Edge {
	t.Helper()
	docs := featuretest.Documents{"gateway.hcl": "gateway \"edge\" {\n  listener \"http\" {\n    port = 8080\n  }\n}\n"}
	resources := featuretest.Translate(t, nil, docs).Must(t).Resources
	for _, h := range hosts {
		resources = append(resources, &translate.Resource{Key: translate.Key{TypeURL: translate.HostType, Name: h.Name}, Message: h})
	}
	return featuretest.ServeResources(t, resources)
}

// ask returns the name of the route that took the request, or nothing.
func ask(t *testing.T, e *featuretest.Edge, host string, req gateway.Request) string {
	t.Helper()
	target := req.Path
	for i, p := range req.Query {
		target += string("?&"[min(i, 1)]) + p.Name + "=" + p.Value
	}
	var headers []string
	for name, values := range req.Headers {
		for _, v := range values {
			headers = append(headers, name+": "+v)
		}
	}
	a := e.Do(t, req.Method, host, target, headers...)
	if a.Status != http.StatusNotFound && a.Status != http.StatusOK {
		t.Fatalf("%s %s is answered with %d", req.Method, target, a.Status)
	}
	return a.Header.Get("x-route")
}

var segments = []string{"a", "ab", "b", "a.b", "x=1", "v1", "%20", "~"}

func drawPath(t *rapid.T, minimum int) string {
	parts := rapid.SliceOfN(rapid.SampledFrom(segments), minimum, 4).Draw(t, "segments")
	path := "/" + strings.Join(parts, "/")
	if len(parts) > 0 && rapid.IntRange(0, 4).Draw(t, "slash") == 0 {
		path += "/"
	}
	return path
}

func drawMatch(t *rapid.T) *gateway.Match {
	m := &gateway.Match{}
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		m.Path = drawPath(t, 0)
	case 1:
		m.Prefix = drawPath(t, 0)
	case 2:
		m.Path = drawTemplate(t)
	case 3:
		m.Regex = rapid.SampledFrom([]string{
			"/a.*", "^/a/.*b$", ".*", "/(a|b)/.*", "(?i)/A/B", "/a|/b", "/ab?/v[0-9]", ".*/b", "/a/(?P<x>[^/]+)/?", "",
		}).Draw(t, "regex")
	}
	m.Methods = rapid.SampledFrom([][]string{nil, nil, {"GET"}, {"POST"}, {"GET", "POST"}}).Draw(t, "methods")
	if rapid.IntRange(0, 3).Draw(t, "header") == 0 {
		m.Headers = []*gateway.ValueMatch{drawCondition(t, "x-kind")}
	}
	if rapid.IntRange(0, 3).Draw(t, "query") == 0 {
		m.Query = []*gateway.ValueMatch{drawCondition(t, "q")}
	}
	return m
}

func drawTemplate(t *rapid.T) string {
	parts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "{v}", "{v}.b", "v{v}", "{v}:x"}), 1, 4).Draw(t, "parts")
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(p, "{v}", fmt.Sprintf("{v%d}", i))
	}
	path := "/" + strings.Join(parts, "/")
	if rapid.IntRange(0, 3).Draw(t, "rest") == 0 {
		return path + "/{rest=**}"
	}
	if !strings.Contains(path, "{") {
		return path + "/{last}"
	}
	return path
}

func drawCondition(t *rapid.T, name string) *gateway.ValueMatch {
	c := &gateway.ValueMatch{Name: name}
	text := rapid.SampledFrom([]string{"", "1", "12", "b"}).Draw(t, "value")
	switch rapid.IntRange(0, 4).Draw(t, "condition") {
	case 0:
		c.Exact = &text
	case 1:
		c.Prefix = &text
	case 2:
		text = "[0-9]+"
		c.Regex = &text
	case 3:
		c.Present = true
	default:
		c.Absent = true
	}
	return c
}

func drawTable(t *rapid.T) []*gateway.TableRoute {
	n := rapid.IntRange(1, 30).Draw(t, "routes")
	table := make([]*gateway.TableRoute, n)
	for i := range table {
		table[i] = &gateway.TableRoute{
			Route: &gateway.Route{
				Name:     fmt.Sprintf("r%d", i),
				Priority: rapid.SampledFrom([]int{0, 0, 0, 0, 5}).Draw(t, "priority"),
				Respond:  &gateway.Respond{Status: 200, Body: "x", ContentType: "text/plain"},
			},
			Match: drawMatch(t),
		}
		table[i].Route.Range.Start.Byte = i
	}
	slices.SortFunc(table, gateway.CompareTable)
	return table
}

func drawRequest(t *rapid.T) gateway.Request {
	req := gateway.Request{
		Method: rapid.SampledFrom([]string{"GET", "GET", "POST", "PUT"}).Draw(t, "method"),
		Path:   drawPath(t, 0),
	}
	if rapid.Bool().Draw(t, "has query") {
		req.Query = []gateway.Param{{
			Name:  rapid.SampledFrom([]string{"q", "other"}).Draw(t, "parameter"),
			Value: rapid.SampledFrom([]string{"", "1", "12", "b"}).Draw(t, "parameter value"),
		}}
	}
	if rapid.Bool().Draw(t, "has header") {
		req.Headers = http.Header{"x-kind": {rapid.SampledFrom([]string{"1", "12", "b", ""}).Draw(t, "header value")}}
	}
	return req
}

func show(table []*gateway.TableRoute) string {
	var b strings.Builder
	for _, e := range table {
		fmt.Fprintf(&b, "  %s: priority %d %+v\n", e.Route.Name, e.Route.Priority, *e.Match)
	}
	return b.String()
}
