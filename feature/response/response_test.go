package response

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
  response {
    headers = { x-level = "gateway ${response.headers["x-level"]}", x-secret = null }
  }
}
upstream "shop" {
  static { endpoints = [%q] }
}
locals {
  row = "<b>${request.query.row}</b>"
}
route "page" {
  match { path = "/page" }
  response {
    status       = ["2xx"]
    content_type = "text/html"
    headers      = { x-level = "route" }
    body         = <<-EOT
      <p title="${request.query.title}">%%{if request.query.loud == "1"}${upper(request.query.title)}%%{else}${request.query.title}%%{endif}
      %%{for s in response.body.steps~}
      <li>${s}</li>
      %%{endfor~}
      ${local.row} ${join("<br>", response.body.steps)} ${coalesce(request.query.none, "<i>none</i>")} ${raw("<hr>")}
    EOT
  }
  to { upstream = upstream.shop }
}
route "value" {
  match { path = "/value" }
  response {
    content_type = "text/html"
    body         = response.body.steps[0]
  }
  to { upstream = upstream.shop }
}
route "json" {
  match { path = "/json" }
  response {
    set_status = length(response.body.steps) > 1 ? 202 : 200
    body       = { steps = [for s in response.body.steps : upper(s)], quote = request.query.title, none = request.query.none }
  }
  to {
    upstream = upstream.shop
    response {
      headers = { x-level = "to" }
    }
  }
}
route "broken" {
  match { path = "/broken" }
  response {
    body = { sum = response.body.steps + 1 }
  }
  to { upstream = upstream.shop }
}`

func TestTheClientGetsAnotherResponse(t *testing.T) {
	address := featuretest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("content-type", "application/json")
		w.Header().Set("x-secret", "yes")
		if r.URL.Query().Has("fail") {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprint(w, `{"steps":["<script>alert(1)</script>","a & b"]}`)
	})
	edge := featuretest.Serve(t, []translate.Kind{Kind()}, featuretest.Documents{"a.hcl": fmt.Sprintf(documents, address)})
	const script = "&lt;script&gt;alert(1)&lt;/script&gt;"
	for _, c := range []struct{ target, status, kind, level, body string }{
		{
			"/page?title=%22%20onclick=%22x&row=%3Ci%3E", "200", "text/html; charset=utf-8", "gateway route",
			`<p title="&#34; onclick=&#34;x">&#34; onclick=&#34;x` + " <li>" + script + "</li> <li>a &amp; b</li> <b>&lt;i&gt;</b> " + script + "<br>a &amp; b <i>none</i> <hr>",
		},
		{"/page?fail", "404", "application/json", "gateway ", `{"steps":["<script>alert(1)</script>","a & b"]}`},
		{"/value", "200", "text/html; charset=utf-8", "gateway ", script},
		{"/json?title=%22}", "202", "application/json", "gateway to", `{"quote":"\"}","steps":["\u003cSCRIPT\u003eALERT(1)\u003c/SCRIPT\u003e","A \u0026 B"]}`},
		{"/broken", "502", "application/json", "", `"reason":"template_error"`},
	} {
		a := edge.Do(t, "GET", "shop.test", c.target)
		got := strings.Join(strings.Fields(strings.ReplaceAll(a.Body, "&quot;", "&#34;")), " ")
		if fmt.Sprint(a.Status) != c.status || a.Header.Get("content-type") != c.kind || a.Header.Get("x-secret") != "" {
			t.Errorf("%s: %d %s %q", c.target, a.Status, a.Header.Get("content-type"), a.Header.Get("x-secret"))
		}
		if level := a.Header.Get("x-level"); strings.TrimSpace(level) != strings.TrimSpace(c.level) {
			t.Errorf("%s: x-level is %q, want %q", c.target, level, c.level)
		}
		if got != c.body && (c.status != "502" || !strings.Contains(got, c.body) || strings.Contains(got, "steps")) {
			t.Errorf("%s: the body is\n%s, want\n%s", c.target, got, c.body)
		}
	}
}
