package outlier

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/xds/translate"
)

func TestFeature(t *testing.T) { featuretest.Run(t, Kind()) }

func TestAnEndpointThatFailsIsLeftOut(t *testing.T) {
	var bad atomic.Int64
	good := featuretest.Backend(t, func(http.ResponseWriter, *http.Request) {})
	failing := featuretest.Backend(t, func(w http.ResponseWriter, _ *http.Request) {
		bad.Add(1)
		w.WriteHeader(http.StatusInternalServerError)
	})
	edge := featuretest.Serve(t, []translate.Kind{Kind()}, featuretest.Documents{"a.hcl": `
		gateway "edge" {
		  listener "http" { port = 8080 }
		}
		route "shop" {
		  to { upstream = upstream.shop }
		}
		upstream "shop" {
		  static { endpoints = ["` + good + `", "` + failing + `"] }
		  outlier {
		    consecutive_5xx = 3
		    ejection        = "1h"
		    max_ejection    = "1h"
		  }
		}`})
	for n := 0; bad.Load() < 3; n++ {
		if n == 100 {
			t.Fatal("the failing endpoint gets no traffic from the beginning")
		}
		edge.Do(t, "GET", "shop.example.com", "/")
	}
	for range 20 {
		if a := edge.Do(t, "GET", "shop.example.com", "/"); a.Status != http.StatusOK {
			t.Fatalf("after %d failures a request is answered with %d", bad.Load(), a.Status)
		}
	}
	if n := bad.Load(); n != 3 {
		t.Errorf("the failing endpoint got %d requests, want 3", n)
	}
}
