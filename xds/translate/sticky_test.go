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

// serveUpstreams is serve with upstreams that answer every request.
func serveUpstreams(t *testing.T, hosts []*routev3.VirtualHost, names ...string) *featuretest.Edge {
	t.Helper()
	docs := edge
	for _, name := range names {
		docs += upstream(name, echo(t, name)) + fmt.Sprintf("route %q {\n  hosts = [\"%s.test\"]\n  to { upstream = upstream.%s }\n}\n", name, name, name)
	}
	resources := featuretest.Translate(t, nil, featuretest.Documents{"a.hcl": docs}).Must(t).Resources
	resources = slices.DeleteFunc(resources, func(r *translate.Resource) bool { return r.TypeURL == translate.HostType })
	for _, h := range hosts {
		resources = append(resources, &translate.Resource{Key: translate.Key{TypeURL: translate.HostType, Name: h.Name}, Message: h})
	}
	return featuretest.ServeResources(t, resources)
}

// shared is a route with destinations a, b, c and so on, of these weights.
func shared(name string, s *gateway.Sticky, m *gateway.Match, weights ...uint32) *gateway.TableRoute {
	e := &gateway.TableRoute{Route: &gateway.Route{Name: name, Sticky: s}, Match: m}
	for i, w := range weights {
		e.Destinations = append(e.Destinations, &gateway.TableDestination{
			To: &gateway.Destination{}, Upstream: &gateway.Upstream{Name: string(rune('a' + i))}, Weight: w,
		})
	}
	return e
}

// forms are a host as a list and as a trie.
func forms(t *testing.T, host string, table []*gateway.TableRoute) (out []*routev3.VirtualHost) {
	t.Helper()
	for name, limit := range map[string]int{"list": 1 << 20, "trie": 0} {
		h, err := translate.HostTable(name+"-"+host, table, limit)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, h)
	}
	return out
}

// TestStickyShares sends many users through growing shares: the shares are right, who was moved stays moved, Go says
// the same of each, and requests without a user are drawn.
func TestStickyShares(t *testing.T) {
	const users, drawn = 2000, 500
	weights := []uint32{0, 10, 50, 90, 100}
	kinds := map[string]*gateway.Sticky{"header": {Header: "X-User"}, "cookie": {Cookie: "session"}}
	entry := func(kind string, w uint32) *gateway.TableRoute {
		return shared("r", kinds[kind], &gateway.Match{Prefix: "/p"}, w, 100-w)
	}
	var hosts []*routev3.VirtualHost
	for kind := range kinds {
		for _, w := range weights {
			hosts = append(hosts, forms(t, fmt.Sprintf("%s-%d.test", kind, w), []*gateway.TableRoute{entry(kind, w)})...)
		}
	}
	e := serveUpstreams(t, hosts, "a", "b")
	for kind := range kinds {
		moved := map[int]bool{}
		for i, w := range weights {
			count, random := 0, 0
			host := []string{"list", "trie"}[i%2] + fmt.Sprintf("-%s-%d.test", kind, w)
			for u := range users {
				req := gateway.Request{Method: "GET", Path: "/p/x", Headers: http.Header{"x-user": {fmt.Sprintf("user-%d", u)}}}
				if kind == "cookie" {
					req.Headers = http.Header{"cookie": {fmt.Sprintf(`a=b; session="user-%d"; session=other`, u)}}
				}
				got := ask(t, e, host, req)
				if kept := entry(kind, w).Kept(req); kept != nil && (got == "r") != (kept.Upstream.Name == "a") {
					t.Fatalf("%s, weight %d, user %d: Envoy takes %s, Go %s", kind, w, u, got, kept.Upstream.Name)
				}
				if moved[u] && got != "r" {
					t.Fatalf("%s: user %d is moved back at weight %d", kind, u, w)
				}
				if got == "r" {
					moved[u] = true
					count++
				}
				if u < drawn && ask(t, e, host, gateway.Request{Method: "GET", Path: "/p/x"}) == "r" {
					random++
				}
			}
			expectShare(t, kind+", kept", count, users, int(w))
			expectShare(t, kind+", drawn", random, drawn, int(w))
		}
	}
}

// expectShare wants about so many percent, and none or all exactly.
func expectShare(t *testing.T, what string, n, all, percent int) {
	t.Helper()
	if want := all * percent / 100; n < want-80 || n > want+80 || percent%100 == 0 && n != want {
		t.Errorf("%s: %d of %d requests took a share of %d%%", what, n, all, percent)
	}
}

// TestStickyTablesAgree asks a real Envoy, with tables as lists and as tries, and the matcher in Go, where requests with
// all kinds of values go.
func TestStickyTablesAgree(t *testing.T) {
	var hosts []*routev3.VirtualHost
	var all [][]*gateway.TableRoute
	for i := range tables {
		table := rapid.Custom(drawStickyTable).Example(i)
		all = append(all, table)
		hosts = append(hosts, forms(t, fmt.Sprintf("%d.test", i), table)...)
	}
	e := serveUpstreams(t, hosts, "a", "b", "c", "d")
	decided := 0
	for i, table := range all {
		for n := range requests {
			req := rapid.Custom(drawStickyRequest).Example(i*requests + n)
			may := mayTake(table, req)
			if len(may) == 1 && may[0] != "" {
				decided++
			}
			for _, form := range []string{"list", "trie"} {
				if got := ask(t, e, fmt.Sprintf("%s-%d.test", form, i), req); !slices.Contains(may, got) {
					t.Errorf("table %d as a %s, %s %q: Go says one of %v, Envoy %q\n%s", i, form, req.Path, req.Headers, may, got, show(table))
				}
			}
		}
	}
	if decided < tables*requests/8 {
		t.Errorf("only %d of %d requests were decided: the generators have lost their balance", decided, tables*requests)
	}
}

// mayTake names the Envoy routes that may take a request: one where it is kept, or no share is left to chance.
func mayTake(table []*gateway.TableRoute, req gateway.Request) (out []string) {
	e, _ := gateway.MatchTable(table, req)
	if e == nil {
		return []string{""}
	}
	kept := e.Kept(req)
	for i, d := range e.Destinations {
		name := e.Route.Name
		if i > 0 {
			name += fmt.Sprintf("/to.%d", i+1)
		}
		if d == kept || kept == nil && d.Weight > 0 {
			out = append(out, name)
		}
	}
	return out
}

func drawStickyTable(t *rapid.T) []*gateway.TableRoute {
	table := make([]*gateway.TableRoute, rapid.IntRange(1, 8).Draw(t, "routes"))
	for i := range table {
		var s *gateway.Sticky
		switch rapid.IntRange(0, 4).Draw(t, "sticky") {
		case 0, 1:
			s = &gateway.Sticky{Header: "x-user"}
		case 2, 3:
			s = &gateway.Sticky{Cookie: "u"}
		}
		weights := rapid.SliceOfN(rapid.SampledFrom([]uint32{0, 1, 3, 10}), 1, 4).Draw(t, "weights")
		weights[rapid.IntRange(0, len(weights)-1).Draw(t, "one")] = 2
		table[i] = shared(fmt.Sprintf("r%d", i), s, drawMatch(t), weights...)
		table[i].Route.Range.Start.Byte = i
	}
	slices.SortFunc(table, gateway.CompareTable)
	return table
}

func drawStickyRequest(t *rapid.T) gateway.Request {
	req := drawRequest(t)
	if req.Headers == nil {
		req.Headers = http.Header{}
	}
	value := rapid.OneOf(
		rapid.StringMatching(`[a-zA-Z0-9@._-]{1,30}`),
		rapid.SampledFrom([]string{"", "\"", "\"\"", "\"q\"", "\x80\xff", "ü", "a,b", "a b", strings.Repeat("x", 3000) + "1", "x\ty"}),
	)
	if rapid.Bool().Draw(t, "user") {
		req.Headers["x-user"] = rapid.SliceOfN(value, 1, 2).Draw(t, "users")
	}
	if rapid.Bool().Draw(t, "cookies") {
		var parts []string
		for range rapid.IntRange(1, 3).Draw(t, "number") {
			name := rapid.SampledFrom([]string{"u", "u", " u", "u ", "U", "v", ""}).Draw(t, "name")
			parts = append(parts, name+rapid.SampledFrom([]string{"=", "=", "=", " = ", ""}).Draw(t, "equals")+value.Draw(t, "cookie"))
		}
		req.Headers["cookie"] = []string{strings.Join(parts, rapid.SampledFrom([]string{"; ", ";", " ;  "}).Draw(t, "semicolon"))}
	}
	return req
}
