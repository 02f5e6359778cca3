package cors

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/xds/translate"
)

func TestFeature(t *testing.T) { featuretest.Run(t, Kind()) }

func TestOrigins(t *testing.T) {
	var seen atomic.Int32
	address := featuretest.Backend(t, func(http.ResponseWriter, *http.Request) { seen.Add(1) })
	edge := featuretest.Serve(t, []translate.Kind{Kind()}, featuretest.Documents{"a.hcl": `
		gateway "edge" {
		  listener "http" { port = 8080 }
		}
		upstream "shop" {
		  static { endpoints = ["` + address + `"] }
		}
		route "shop" {
		  cors {
		    origins        = ["https://a.example", "https://*.b.example"]
		    origin_regexes = ["https://c[0-9]\\.example"]
		    methods        = ["GET", "PUT"]
		    headers        = ["x-key"]
		    credentials    = true
		    max_age        = "1m"
		  }
		  to { upstream = upstream.shop }
		}`})
	for origin, fits := range map[string]bool{
		"https://a.example": true, "https://x.b.example": true, "https://x.y.b.example": true, "https://c1.example": true,
		"http://a.example": false, "https://a.example:8443": false, "https://a.example.evil.test": false, "https://evila.example": false,
		"https://b.example": false, "https://xb.example": false, "https://evil.test/x.b.example": false, "https://evil.test#.b.example": false,
		"https://c1xexample": false, "https://c1.example.evil.test": false, "null": false, "*": false, "https://A.example": false,
		"https://a.example,https://evil.test": false, "https://user@x.b.example": false,
	} {
		before := seen.Load()
		a := edge.Do(t, "OPTIONS", "shop.test", "/", "origin: "+origin, "access-control-request-method: PUT")
		allowed := a.Header.Get("access-control-allow-origin") == origin && a.Header.Get("access-control-allow-methods") == "GET,PUT" &&
			a.Header.Get("access-control-allow-headers") == "x-key" && a.Header.Get("access-control-allow-credentials") == "true" &&
			a.Header.Get("access-control-max-age") == "60"
		if a.Status != 200 || allowed != fits || !fits && a.Header.Get("access-control-allow-origin") != "" || seen.Load() != before {
			t.Errorf("preflight of %s: %+v, seen %d times", origin, a, seen.Load()-before)
		}
		a = edge.Do(t, "GET", "shop.test", "/", "origin: "+origin)
		if got := a.Header.Get("access-control-allow-origin"); a.Status != 200 || (got == origin) != fits || !fits && got != "" {
			t.Errorf("request of %s: %+v", origin, a)
		}
	}
}
