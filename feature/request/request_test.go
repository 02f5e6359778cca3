package request

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/xds/translate"
)

func TestFeature(t *testing.T) { featuretest.Run(t, Kind()) }

const documents = `
gateway "edge" {
  listener "http" { port = 8080 }
  request {
    headers = { X-Level = "gateway", x-gone = null }
  }
}
upstream "shop" {
  static { endpoints = [%q] }
}
route "divide" {
  match { path = "/divide/{a}/{b}" }
  request {
    method  = "POST"
    path    = "/api/${request.path.a}/divide"
    query   = { by = request.path.b, old = null, many = ["1", "2"] }
    body    = { a = tonumber(request.path.a), user = request.headers["x-user"], level = request.headers["x-level"] }
    headers = { x-user = upper(request.headers["x-user"]) }
  }
  to {
    upstream = upstream.shop
    request {
      headers = { x-level = "to ${request.headers["x-level"]}" }
    }
  }
}
route "find" {
  match { path = "/find" }
  request {
    method = "GET"
    path   = "/users/${request.body.user.id}"
  }
  to { upstream = upstream.shop }
}
route "form" {
  match { path = "/form" }
  request {
    content_type = "application/x-www-form-urlencoded"
    body         = { name = request.body.name, mail = request.body.mail }
  }
  to { upstream = upstream.shop }
}
route "own" {
  match { path = "/own/{x}" }
  request { path = "/never" }
  to {
    upstream = upstream.shop
    path     = "/mine/{x}"
  }
}
route "both" {
  match { path = "/both/{x}" }
  to {
    upstream = upstream.shop
    path     = "/never/{x}"
    request { path = "/block/${request.path.x}" }
  }
}
route "empty" {
  match { path = "/empty" }
  request { body = "" }
  to { upstream = upstream.shop }
}`

func TestTheUpstreamGetsAnotherRequest(t *testing.T) {
	address := featuretest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s|%s|%s|%s|%s|%s", r.Method, r.RequestURI, r.Header.Get("content-type"),
			r.Header.Get("x-user"), r.Header.Get("x-level"), r.Header.Get("x-gone"), body)
	})
	edge := featuretest.Serve(t, []translate.Kind{Kind()}, featuretest.Documents{"a.hcl": fmt.Sprintf(documents, address)})
	for _, c := range []struct {
		method, target, body, want string
		headers                    []string
	}{
		{
			"GET", "/divide/6/3?old=1&keep=2", "", `POST /api/6/divide?keep=2&by=3&many=1&many=2|application/json|ANNA|to client||{"a":6,"level":"client","user":"anna"}`,
			[]string{"x-user: anna", "x-level: client", "x-gone: 1"},
		},
		{"GET", "/divide/six/3", "", `400 template_error`, nil}, // no number
		{"POST", "/find", `{"user":{"id":"a/b?c"}}`, `GET /users/a%2Fb%3Fc|||gateway||`, []string{"content-type: application/json"}},
		{"POST", "/find", `{"user":{}}`, `400 missing_path_value`, []string{"content-type: application/json"}},
		{"POST", "/find", `{"user":{"id":".."}}`, `400 path_traversal`, []string{"content-type: application/json"}},
		{"POST", "/find", `{"user":`, `400 bad_request_body`, []string{"content-type: application/json"}},
		{
			"POST", "/form", `{"name":"A & B","mail":null}`, `POST /form|application/x-www-form-urlencoded||gateway||name=A%20%26%20B`,
			[]string{"content-type: application/json"},
		},
		{"GET", "/own/7", "", `GET /mine/7|||gateway||`, nil},
		{"GET", "/both/7", "", `GET /block/7|||gateway||`, nil},
		{"POST", "/empty", "text", `POST /empty|||gateway||`, []string{"content-type: text/plain"}},
	} {
		a := edge.Send(t, c.method, "shop.test", c.target, c.body, c.headers...)
		got := a.Body
		if a.Status != http.StatusOK {
			got = fmt.Sprintf("%d %s", a.Status, a.Header.Get("x-sluice-error"))
		}
		if got != c.want {
			t.Errorf("%s %s %s became\n%s, want\n%s", c.method, c.target, c.body, got, c.want)
		}
	}
}
