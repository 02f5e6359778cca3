package headers

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/xds/translate"
)

func TestFeature(t *testing.T) { featuretest.Run(t, Kind()) }

const documents = `
gateway "edge" {
  listener "http" { port = 8080 }
  headers {
    request {
      set = { x-level = "gateway", x-user = request.headers["x-authenticated"] }
    }
    response {
      set = { x-level = "gateway" }
    }
  }
}
upstream "shop" {
  static { endpoints = [%q] }
}
route "shop" {
  headers {
    request {
      set = {
        x-level   = "route"
        x-new     = request.headers["x-old"]
        x-text    = "100%% ${request.method} ${request.host} ${request.client_ip} [${request.query.page}]"
        x-own     = "${request.headers["x-own"]}+"
        x-absent  = request.query.absent
      }
      add    = { x-many = "2" }
      remove = ["x-old"]
    }
    response {
      set    = { x-level = "route", x-status = "${response.status} ${response.headers["x-result"]}" }
      remove = ["x-result"]
    }
  }
  to { upstream = upstream.shop }
}
route "here" {
  match { path = "/here" }
  headers {
    response {
      set = { x-here = "yes" }
    }
  }
  respond { body = "here" }
}`

func TestHeadersChange(t *testing.T) {
	address := featuretest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("x-result", "made")
		w.WriteHeader(http.StatusCreated)
		for _, name := range []string{"x-level", "x-user", "x-new", "x-old", "x-text", "x-own", "x-absent", "x-many"} {
			fmt.Fprintf(w, "%s=%s\n", name, strings.Join(r.Header.Values(name), "|"))
		}
	})
	edge := featuretest.Serve(t, []translate.Kind{Kind()}, featuretest.Documents{"a.hcl": fmt.Sprintf(documents, address)})
	a := edge.Do(t, "GET", "shop.example.com", "/?page=7", "x-user: forged", "x-old: old", "x-own: own", "x-absent: forged", "x-many: 1")
	want := "x-level=route\nx-user=\nx-new=old\nx-old=\nx-text=100% GET shop.example.com 127.0.0.1 [7]\nx-own=own+\nx-absent=\nx-many=1|2\n"
	if a.Body != want {
		t.Errorf("the upstream got\n%swant\n%s", a.Body, want)
	}
	for name, want := range map[string]string{"x-level": "gateway", "x-status": "201 made", "x-result": ""} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("the client got %s %q, want %q", name, got, want)
		}
	}
	if got := edge.Do(t, "GET", "shop.example.com", "/here").Header.Get("x-here"); got != "yes" {
		t.Errorf("an answer of the gateway itself has x-here %q", got)
	}
}

func TestAValueCannotBreakOutOfItsHeader(t *testing.T) {
	address := featuretest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%d %q", len(r.Header.Values("x-text")), r.Header.Get("x-broken"))
	})
	edge := featuretest.Serve(t, []translate.Kind{Kind()}, featuretest.Documents{"a.hcl": fmt.Sprintf(documents, address)})
	for _, page := range []string{"a%0d%0ax-broken:%20yes", "%25REQ(x-old)%25", "%00"} {
		if a := edge.Do(t, "GET", "shop.example.com", "/?page="+page); a.Status == http.StatusOK && a.Body != `1 ""` {
			t.Errorf("page %s made %s", page, a.Body)
		}
	}
}
