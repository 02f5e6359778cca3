package featuretest

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/xds/server"
)

// scopedHosts shadow each other: the longest that matches decides, whether it has a route for the path or not.
var scopedHosts = []string{"shop.test", "a.shop.test", "*.shop.test", "*.test", "*"}

// scopedDocument has one gateway with two listeners that serve the same routes: one by host, one in scopes.
func scopedDocument(t *testing.T, r *rand.Rand, backend string) (doc string) {
	t.Helper()
	ports := testenv.FreePorts(t, 2)
	doc = fmt.Sprintf(`
gateway "edge" {
  listener "http" {
    port = %d
  }
  listener "scoped" {
    port  = %d
    scope = "first_segment"
  }
}
upstream "echo" {
  static {
    endpoints = [%q]
  }
}
route "echo" {
  hosts = ["echo.test"]
  match { path = "/echo/{rest=**}" }
  to { upstream = upstream.echo }
}
route "root" {
  hosts = ["*.test"]
  match { path = "/" }
  respond { body = "root" }
}
`, ports[0], ports[1], backend)
	seen := map[string]bool{}
	for i := range 80 {
		segment := []string{"a", "ab", "b", "a.b", "~", "x=1"}[r.IntN(6)]
		match := []string{
			`prefix = "/%s"`, `prefix = "/%s/"`, `prefix = "/%s/x"`, `path = "/%s"`, `path = "/%s/x"`, `path = "/%s/{v}"`,
			`path = "/%s/{v}/x"`, `path = "/%s/{rest=**}"`, `regex = "/%s/[a-y]+"`, `regex = "^/%s/.*x"`,
		}[r.IntN(10)]
		host := scopedHosts[r.IntN(len(scopedHosts))]
		if strings.HasPrefix(match, "regex") {
			segment = strings.ReplaceAll(segment, ".", "\\\\.")
		}
		match = fmt.Sprintf(match, segment)
		if seen[host+match] {
			continue
		}
		seen[host+match] = true
		doc += fmt.Sprintf("route \"r%d\" {\n  hosts    = [%q]\n  priority = %d\n  match { %s }\n  respond { body = \"r%d\" }\n}\n",
			i, host, r.IntN(4)/3, match, i)
	}
	return doc
}

// TestScopesDecideAsHostsDo serves the same random routes by host and in scopes, and asks a real Envoy for both: they
// answer alike, and as the matcher in Go says.
func TestScopesDecideAsHostsDo(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test that can be repeated
			backend := Backend(t, func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprint(w, len(r.Header.Values("x-sluice-scope")))
			})
			result := Translate(t, nil, Documents{"a.hcl": scopedDocument(t, r, backend)}).Must(t)
			e := serve(t, "edge", server.Options{}, nil, result.Resources)
			in := *e
			in.url = "http://" + e.Listener(t, "edge.scoped")
			if a := in.Do(t, "GET", "echo.test", "/echo/x", "x-sluice-scope: edge.scoped/a/x"); a.Body != "0" {
				t.Errorf("an upstream is sent %s headers of the scope: %d", a.Body, a.Status)
			}
			taken, all := 0, 0
			for _, host := range []string{"shop.test", "a.shop.test", "b.shop.test", "c.b.shop.test", "other.test", "none", "SHOP.test.", "shop.test:80"} {
				for range 60 {
					path := "/" + strings.Join([]string{"a", "ab", "b", "a.b", "~", "x=1", "%61", "none", "a//", "b/..", "", "."}[r.IntN(12):][:1], "") +
						[]string{"", "/", "/x", "/y", "/y/x", "/x?b/c", "?/b", "//x", "/../a/x"}[r.IntN(9)]
					byHost := e.Do(t, "GET", host, path, "x-sluice-scope: edge.scoped/b/x")
					scoped := in.Do(t, "GET", host, path, "x-sluice-scope: edge.scoped/b/x")
					want := decided(result.World, host, path)
					if all++; want != "" {
						taken++
					}
					if byHost.Status != scoped.Status || byHost.Body != scoped.Body || want != byHost.Body {
						t.Errorf("%s%s: by host %d %q, in scopes %d %q, Go says %q", host, path, byHost.Status, byHost.Body, scoped.Status, scoped.Body, want)
					}
				}
			}
			if taken < all/8 || taken > all*19/20 {
				t.Errorf("%d of %d requests were taken: the generator has lost its balance", taken, all)
			}
		})
	}
}

// decided is what Go says of a request: the route that takes it, or nothing.
func decided(w *gateway.World, host, path string) string {
	host = strings.TrimSuffix(strings.ToLower(strings.TrimSuffix(host, ":80")), ".")
	path, _, _ = strings.Cut(path, "?")
	path, _ = gateway.NormalisePath(path)
	k := gateway.ListenerKey{Gateway: "edge", Listener: "http"}
	for _, h := range append([]string{host}, wildcards(host)...) {
		table := w.Table(k, h)
		if len(table) == 0 {
			continue
		}
		if e, _ := gateway.MatchTable(table, gateway.Request{Method: "GET", Path: path}); e != nil {
			return e.Route.Name
		}
		return ""
	}
	return ""
}

// wildcards are the wildcard hosts that match a host, the longest first.
func wildcards(host string) (out []string) {
	for rest := host; ; {
		_, after, ok := strings.Cut(rest, ".")
		if !ok {
			return append(out, "*")
		}
		out = append(out, "*."+after)
		rest = after
	}
}
