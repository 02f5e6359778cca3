package csrf

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/xds/translate"
)

func TestFeature(t *testing.T) { featuretest.Run(t, Kind()) }

func TestPagesOfOthers(t *testing.T) {
	address := featuretest.Backend(t, func(http.ResponseWriter, *http.Request) {})
	edge := featuretest.Serve(t, []translate.Kind{Kind()}, featuretest.Documents{"a.hcl": `
		gateway "edge" {
		  listener "http" { port = 8080 }
		}
		upstream "shop" {
		  static { endpoints = ["` + address + `"] }
		}
		route "shop" {
		  csrf { origins = ["a.example", "*.b.example"] }
		  to { upstream = upstream.shop }
		}`})
	for header, passes := range map[string]bool{
		"origin: https://shop.test": true, "origin: https://a.example": true, "origin: https://x.b.example": true,
		"referer: https://shop.test/page?x=1": true, "referer: https://a.example/": true,
		"origin: https://evil.test": false, "origin: null": false, "x-none: 1": false, "origin: https://shop.test.evil.test": false,
		"origin: https://evil.test/shop.test": false, "origin: https://b.example": false, "origin: https://xb.example": false,
		"origin: https://shop.test:8443": false, "referer: https://evil.test/?https://shop.test": false, "origin: https://shop.test@evil.test": false,
	} {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
			a := edge.Do(t, method, "shop.test", "/", header)
			if passes != (a.Status == 200) || !passes && (a.Status != 403 || !strings.Contains(a.Body, `"reason":"origin_denied"`)) {
				t.Errorf("%s, %s: %d %s", method, header, a.Status, a.Body)
			}
		}
		if a := edge.Do(t, "GET", "shop.test", "/", header); a.Status != 200 {
			t.Errorf("GET, %s: %d", header, a.Status)
		}
	}
}
