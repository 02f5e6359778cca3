package retry

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/xds/translate"
)

func TestFeature(t *testing.T) { featuretest.Run(t, Kind()) }

func TestAFailedTryIsRepeated(t *testing.T) {
	var tries atomic.Int64
	address := featuretest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		if tries.Add(1)%3 != 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
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
		  match { prefix = "/retried" }
		  retry {
		    attempts = 2
		    on       = ["503"]
		  }
		  to { upstream = upstream.shop }
		}
		route "once" {
		  to { upstream = upstream.shop }
		}`})
	if a := edge.Do(t, "GET", "shop.example.com", "/retried"); a.Status != http.StatusOK || tries.Load() != 3 {
		t.Errorf("after two failures of three the answer is %d, %d tries", a.Status, tries.Load())
	}
	if a := edge.Do(t, "GET", "shop.example.com", "/once"); a.Status != http.StatusServiceUnavailable || tries.Load() != 4 {
		t.Errorf("without retries the answer is %d, %d tries", a.Status, tries.Load())
	}
}
