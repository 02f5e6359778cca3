package mirror

import (
	"net/http"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/xds/translate"
)

func TestFeature(t *testing.T) { featuretest.Run(t, Kind()) }

func TestTheCopyArrivesAndNobodyWaitsForIt(t *testing.T) {
	copies := make(chan string, 1)
	release := make(chan struct{})
	own := featuretest.Backend(t, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("own")) })
	copied := featuretest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		copies <- r.URL.Path
		<-release
	})
	edge := featuretest.Serve(t, []translate.Kind{Kind()}, featuretest.Documents{"a.hcl": `
		gateway "edge" {
		  listener "http" { port = 8080 }
		}
		upstream "shop" {
		  static { endpoints = ["` + own + `"] }
		}
		upstream "next" {
		  static { endpoints = ["` + copied + `"] }
		}
		route "shop" {
		  mirror { upstream = upstream.next }
		  to { upstream = upstream.shop }
		}`})
	defer close(release)
	if a := edge.Do(t, "GET", "shop.example.com", "/copied"); a.Body != "own" {
		t.Errorf("the answer is %q", a.Body)
	}
	select {
	case path := <-copies:
		if path != "/copied" {
			t.Errorf("the copy went to %q", path)
		}
	case <-time.After(10 * time.Second):
		t.Error("no copy arrived")
	}
}
