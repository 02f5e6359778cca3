package timeout

import (
	"net/http"
	"testing"

	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/xds/translate"
)

func TestFeature(t *testing.T) { featuretest.Run(t, Kind()) }

func TestASlowUpstreamIsGivenUp(t *testing.T) {
	address := featuretest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-r.Context().Done() // the gateway gives up first
		}
	})
	edge := featuretest.Serve(t, []translate.Kind{Kind()}, featuretest.Documents{"a.hcl": `
		gateway "edge" {
		  listener "http" { port = 8080 }
		}
		upstream "shop" {
		  static { endpoints = ["` + address + `"] }
		}
		route "shop" {
		  timeout { request = "100ms" }
		  to { upstream = upstream.shop }
		}`})
	if a := edge.Do(t, "GET", "shop.example.com", "/slow"); a.Status != http.StatusGatewayTimeout {
		t.Errorf("a request that takes too long is answered with %d", a.Status)
	}
	if a := edge.Do(t, "GET", "shop.example.com", "/quick"); a.Status != http.StatusOK {
		t.Errorf("a quick request is answered with %d", a.Status)
	}
}
