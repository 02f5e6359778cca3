package ipallow

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/xds/translate"
)

func TestFeature(t *testing.T) { featuretest.Run(t, Kind()) }

// The tests call from 127.0.0.1. What a client says of its address counts nowhere.
func TestAddressesDecide(t *testing.T) {
	address := featuretest.Backend(t, func(http.ResponseWriter, *http.Request) {})
	blocks := map[string]struct {
		block  string
		passes bool
	}{
		"in":      {`ip_allow { allow = ["10.0.0.0/8", "127.0.0.0/8"] }`, true},
		"out":     {`ip_allow { allow = ["10.0.0.0/8", "203.0.113.9"] }`, false},
		"denied":  {`ip_allow { deny = ["127.0.0.1"] }`, false},
		"left":    {`ip_allow { deny = ["127.0.0.2"] }`, true},
		"both":    {"ip_allow {\n allow = [\"127.0.0.0/8\"]\n deny = [\"127.0.0.1\"]\n}", false},
		"peer":    {"ip_allow {\n allow = [\"127.0.0.1\"]\n source = \"peer\"\n}", true},
		"nopeer":  {"ip_allow {\n allow = [\"203.0.113.9\"]\n source = \"peer\"\n}", false},
		"twice":   {"ip_allow { allow = [\"127.0.0.1\"] }\nip_allow { allow = [\"10.0.0.0/8\"] }", false},
		"off":     {"ip_allow { enabled = false }", true},
		"without": {"", true},
	}
	docs := "gateway \"edge\" {\n listener \"http\" { port = 8080 }\n}\nupstream \"shop\" {\n static { endpoints = [\"" + address + "\"] }\n}\n"
	for name, b := range blocks {
		docs += fmt.Sprintf("route %[1]q {\n match { prefix = \"/%[1]s\" }\n %[2]s\n to { upstream = upstream.shop }\n}\n", name, b.block)
	}
	edge := featuretest.Serve(t, []translate.Kind{Kind()}, featuretest.Documents{"a.hcl": docs})
	for name, b := range blocks {
		for _, forged := range []string{"x-other: 1", "x-forwarded-for: 203.0.113.9", "x-forwarded-for: 10.0.0.1", "x-forwarded-for: 127.0.0.1",
			"x-forwarded-for: ::ffff:127.0.0.1", "x-envoy-external-address: 10.0.0.1", "x-real-ip: 10.0.0.1", "forwarded: for=10.0.0.1"} {
			a := edge.Do(t, "GET", "shop.test", "/"+name, forged)
			if b.passes != (a.Status == 200) || !b.passes && (a.Status != 403 || !strings.Contains(a.Body, `"reason":"address_denied"`)) {
				t.Errorf("%s, %s: %d %s", name, forged, a.Status, a.Body)
			}
		}
	}
}
