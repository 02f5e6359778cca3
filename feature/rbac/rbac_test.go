package rbac

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/xds/translate"
)

func TestFeature(t *testing.T) { featuretest.Run(t, Kind()) }

// serve has a route for each host of rbac blocks, and an upstream that counts nothing and answers everything.
func serve(t *testing.T, blocks map[string]string) *featuretest.Edge {
	t.Helper()
	address := featuretest.Backend(t, func(http.ResponseWriter, *http.Request) {})
	docs := "gateway \"edge\" {\n listener \"http\" { port = 8080 }\n}\nupstream \"shop\" {\n static { endpoints = [\"" + address + "\"] }\n}\n"
	for host, block := range blocks {
		docs += "route \"" + host + "\" {\n hosts = [\"" + host + ".test\"]\n" + block + "\n to { upstream = upstream.shop }\n}\n"
	}
	return featuretest.Serve(t, []translate.Kind{Kind()}, featuretest.Documents{"a.hcl": docs})
}

func isRefused(a featuretest.Answer) bool {
	return a.Status == 403 && strings.Contains(a.Body, `"reason":"access_denied"`)
}

// attacks are ways to write /admin so that a rule about paths does not see it. None may reach the upstream under a rule that
// denies /admin, nor under one that allows /public alone.
var attacks = []string{
	"/admin", "/admin/", "/admin?x=1", "/admin/x", "//admin", "/./admin", "/x/../admin", "/ADMIN", "/Admin/x", "/%61dmin", "/%41dmin",
	"/adm%69n/", "/public/../admin", "/public/%2e%2e/admin", "/public/%2E%2E/admin", "/public/..;/admin", "/public/..;x=1/admin",
	"/public/%2e%2e;/admin", "/public/..%3b/admin", "/public/..%3B/admin", "/public/%252e%252e/admin", "/public/..%252fadmin",
	"/public/%25252e%25252e/admin", "/admin;x=1", "/admin;/x", "/;/admin", "/admin%3bx", "/%2561dmin", "/public/..%2fadmin",
	"/public%2f..%2fadmin", "/public/..%5cadmin", "/public/..\\admin", "/%2fadmin", "/admin%2f", "/admin//", "/admin/.", "/admin/..//admin",
}

func TestPathsFoolNoRule(t *testing.T) {
	edge := serve(t, map[string]string{
		"deny":   "rbac \"a\" {\n action = \"deny\"\n rule {\n to { prefixes = [\"/admin\"] }\n }\n}",
		"whole":  "rbac \"a\" {\n action = \"deny\"\n rule {\n to { paths = [\"/admin\", \"/admin/x\"] }\n }\n}",
		"public": "rbac \"a\" {\n action = \"allow\"\n rule {\n to { prefixes = [\"/public\"] }\n }\n}",
	})
	for _, host := range []string{"deny", "whole", "public"} {
		for _, path := range attacks {
			a := edge.Do(t, "GET", host+".test", path)
			for hops := 0; a.Status == 307 && hops < 3; hops++ { // an escaped slash: the client is sent to the plain path
				_, path, absolute := strings.Cut(a.Header.Get("location"), ".test/")
				if !absolute {
					path = a.Header.Get("location")
				}
				a = edge.Do(t, "GET", host+".test", "/"+strings.TrimPrefix(path, "/"))
			}
			if !isRefused(a) && a.Status != 400 {
				t.Errorf("%s: %s passes: %d %s", host, path, a.Status, a.Body)
			}
		}
	}
	for path, hosts := range map[string]string{"/public": "deny whole public", "/public/x%20y?a=;..": "deny whole public", "/administrator": "deny whole", "/": "deny whole"} {
		for _, host := range []string{"deny", "whole", "public"} {
			if a := edge.Do(t, "GET", host+".test", path); (a.Status == 200) != strings.Contains(hosts, host) {
				t.Errorf("%s: %s: %d", host, path, a.Status)
			}
		}
	}
}

func TestRules(t *testing.T) {
	edge := serve(t, map[string]string{
		"read":   "rbac \"a\" {\n action = \"allow\"\n rule {\n to { methods = [\"GET\", \"HEAD\"] }\n }\n rule {\n from { headers = { x-role = \"admin\" } }\n }\n}",
		"debug":  "rbac \"a\" {\n action = \"deny\"\n rule {\n from { headers = { x-debug = \"1\" } }\n }\n}",
		"two":    "rbac \"a\" {\n action = \"allow\"\n rule {\n to { methods = [\"GET\"] }\n }\n}\nrbac \"b\" {\n action = \"allow\"\n rule {\n from { headers = { x-b = \"*\" } }\n }\n}",
		"client": "rbac \"a\" {\n action = \"allow\"\n rule {\n from { clients = [\"alice\"] }\n }\n}",
		"claims": "rbac \"a\" {\n action = \"allow\"\n rule {\n from { claims = { role = \"admin\" } }\n }\n}",
		"san":    "rbac \"a\" {\n action = \"allow\"\n rule {\n from { san = [\"a.test\"] }\n }\n}",
		"home":   "rbac \"a\" {\n action = \"allow\"\n rule {\n from { addresses = [\"127.0.0.0/8\"] }\n }\n}",
		"away":   "rbac \"a\" {\n action = \"allow\"\n rule {\n from { addresses = [\"10.0.0.0/8\"] }\n }\n}",
		"shadow": "rbac \"a\" {\n action = \"shadow\"\n rule {\n from { addresses = [\"10.0.0.0/8\"] }\n }\n}",
	})
	for _, c := range []struct {
		host, method string
		headers      []string
		passes       bool
	}{
		{"read", "GET", nil, true},
		{"read", "POST", nil, false},
		{"read", "POST", []string{"x-role: admin"}, true},
		{"read", "POST", []string{"x-role: user", "x-role: admin"}, true}, // one of several is enough
		{"read", "POST", []string{"x-role: user,admin"}, false},
		{"read", "POST", []string{"x-http-method-override: GET"}, false},
		{"debug", "GET", nil, true},
		{"debug", "GET", []string{"x-debug: 1"}, false},
		{"debug", "GET", []string{"x-debug: 0", "x-debug: 1"}, false},
		{"debug", "GET", []string{"X-DEBUG: 1"}, false},
		{"two", "GET", nil, false},
		{"two", "POST", []string{"x-b: 1"}, false},
		{"two", "GET", []string{"x-b: 1"}, true},
		{"client", "GET", []string{"x-sluice-client: alice"}, false}, // what a client says of itself
		{"claims", "GET", []string{"role: admin"}, false},
		{"san", "GET", []string{"x-forwarded-client-cert: DNS=a.test"}, false},
		{"home", "GET", []string{"x-forwarded-for: 10.0.0.1"}, true},
		{"away", "GET", []string{"x-forwarded-for: 10.0.0.1"}, false},
		{"shadow", "GET", nil, true},
	} {
		if a := edge.Do(t, c.method, c.host+".test", "/", c.headers...); c.passes != (a.Status == 200) || !c.passes && !isRefused(a) {
			t.Errorf("%s %s %v: %d %s", c.host, c.method, c.headers, a.Status, a.Body)
		}
	}
}
