package featuretest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/feature/request"
	"github.com/sluice-gateway/sluice/feature/response"
	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// TestProgramsOverADS takes documents with programs to a real Envoy: the script comes by ECDS, before any host needs it.
func TestProgramsOverADS(t *testing.T) {
	backend := Backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("content-type", "application/json")
		fmt.Fprintf(w, `{"path": %q, "steps": ["a<b", 2]}`, r.RequestURI)
	})
	docs := fmt.Sprintf(`
gateway "edge" {
  listener "http" {
    port = %d
  }
}
upstream "shop" {
  static {
    endpoints = [%q]
  }
}
route "page" {
  match { path = "/divide/{a}/{b}" }
  to { upstream = upstream.shop }
  request {
    path  = "/calc/${request.path.b}"
    query = { a = request.path.a }
  }
  response {
    status       = ["2xx"]
    content_type = "text/html"
    body         = <<-EOT
      <p>${response.body.path}</p>
      %%{~for s in response.body.steps~}
      <li>${s}</li>
      %%{~endfor~}
    EOT
  }
}
route "plain" {
  to { upstream = upstream.shop }
}
`, testenv.FreePort(t), backend)
	e, _ := ServeADS(t, Translate(t, []translate.Kind{request.Kind(), response.Kind()}, Documents{"a.hcl": docs}).Must(t).Resources)
	if a, want := e.Do(t, "GET", "shop.test", "/divide/6/3"), "<p>/calc/3?a=6</p><li>a&lt;b</li><li>2</li>"; a.Status != 200 || strings.Join(strings.Fields(a.Body), "") != strings.ReplaceAll(want, " ", "") || a.Header.Get("content-type") != "text/html; charset=utf-8" {
		t.Errorf("the page is %d %v %q, want %q", a.Status, a.Header, a.Body, want)
	}
	if a, want := e.Do(t, "GET", "shop.test", "/x"), `{"path": "/x", "steps": ["a<b", 2]}`; a.Body != want {
		t.Errorf("a plain answer is %q", a.Body)
	}
}
