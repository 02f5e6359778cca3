package healthcheck

import (
	"fmt"
	"maps"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/feature/http2"
	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/xds/translate"
)

func TestFeature(t *testing.T) { featuretest.Run(t, Kind(), http2.Kind()) }

// backend answers requests with its name, and checks as well says.
func backend(t *testing.T, name string, well *atomic.Bool) string {
	return featuretest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/health":
			_, _ = w.Write([]byte(name))
		case !well.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
}

func TestAnEndpointTakesTrafficWhileItPasses(t *testing.T) {
	var one, two atomic.Bool
	one.Store(true)
	a, b := backend(t, "one", &one), backend(t, "two", &two)
	edge := featuretest.Serve(t, []translate.Kind{Kind()}, featuretest.Documents{"a.hcl": `
		gateway "edge" {
		  listener "http" { port = 8080 }
		}
		route "shop" {
		  to { upstream = upstream.shop }
		}
		upstream "shop" {
		  static { endpoints = ["` + a + `", "` + b + `"] }
		  health_check {
		    path      = "/health"
		    interval  = "100ms"
		    timeout   = "100ms"
		    unhealthy = 2
		  }
		}`})
	seen := func() map[string]bool {
		out := map[string]bool{}
		for range 20 {
			if a := edge.Do(t, "GET", "shop.example.com", "/"); a.Status == http.StatusOK {
				out[a.Body] = true
			} else {
				out["none"] = true
			}
		}
		return out
	}
	await := func(what string, names ...string) {
		t.Helper()
		want := map[string]bool{}
		for _, n := range names {
			want[n] = true
		}
		testenv.Eventually(t, 10*time.Second, func() error {
			if got := seen(); !maps.Equal(got, want) {
				return fmt.Errorf("%s: %v answer", what, got)
			}
			return nil
		})
	}
	await("one alone, which passes", "one")
	two.Store(true)
	await("both, once the other passes", "one", "two")
	one.Store(false)
	await("the other alone", "two")
	two.Store(false)
	await("none, for no traffic goes to endpoints that are known to be bad", "none")
}
