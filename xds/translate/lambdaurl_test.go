package translate_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/sluice-gateway/sluice/feature/mirror"
	"github.com/sluice-gateway/sluice/feature/retry"
	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// TestFunctionURL: a Function URL is an HTTP service whose requests are signed, bodies included, at each try; what
// speaks to AWS, or of it, passes in neither direction.
func TestFunctionURL(t *testing.T) {
	var seen testenv.Recorder
	fails := 0
	address := featuretest.Backend(t, seen.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("x-amzn-requestid", "1")
		if fails--; fails >= 0 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		fmt.Fprintf(w, "%s %s %d", r.Method, r.RequestURI, len(body))
	})).ServeHTTP)
	docs := lambdaEdge(t, "http://"+address, "")
	docs = strings.Replace(docs, "endpoint ", "url ", 1)
	docs = strings.Replace(docs, "discover    = false", "", 1) + `
function "math" "divide" {
  method = "POST"
  path   = "/divide/{a}"
}
route "declared" {
  match { path = "/d/{a}" }
  to { function = function.math.divide }
}
route "all" {
  to { upstream = upstream.math }
  retry {
    attempts = 2
    on       = ["5xx"]
  }
}`
	result := featuretest.Translate(t, []translate.Kind{retry.Kind()}, featuretest.Documents{"a.hcl": docs}).Must(t)
	e, plane := featuretest.ServeADS(t, result.Resources)
	for _, k := range []*testenv.AWSKey{featureKey, {ID: "AKIASESSION", Secret: "secret", Session: "session"}} {
		if k != featureKey {
			plane.Set(t, signedBy(t, result.World, k))
			e.WaitStat(t, "extension_config_discovery.upstream_http_filter.signer/math.config_reload", func(n uint64) bool { return n >= 2 })
		}
		seen.Forget()
		for _, c := range []struct {
			request, want string
			body, fails   int
		}{
			{"GET /a%20b/c?x=1&y=%C3%A9&x=2", "GET /a%20b/c?x=1&y=%C3%A9&x=2 0", 0, 0},
			{"PUT /x", "PUT /x 2000000", 2_000_000, 0},
			{"PUT /x", "PUT /x 300000", 300_000, 2},
			{"DELETE /2015-03-31/functions/x", "DELETE /2015-03-31/functions/x 0", 0, 0},
			{"POST /d/7", "POST /divide/7 3", 3, 0},
		} {
			fails = c.fails
			method, target, _ := strings.Cut(c.request, " ")
			a := e.Send(t, method, "shop.test", target, strings.Repeat("x", c.body), "x-amz-security-token: client", "x-amz-date: now", "authorization: client", "content-type: text/plain")
			if a.Status != 200 || a.Body != c.want || a.Header.Get("x-amzn-requestid") != "" {
				t.Errorf("%s: the answer is %d %.100q %v, want %q", c.request, a.Status, a.Body, a.Header, c.want)
			}
		}
		all := seen.Requests()
		for _, w := range testenv.VerifySignatures(t, all, k) {
			t.Error(w)
		}
		for _, r := range all {
			if r.Host != address || !bytes.Equal(bytes.Trim(r.Body, "x"), nil) {
				t.Errorf("the host is %q", r.Host)
			}
		}
		if len(all) != 7 {
			t.Errorf("%d requests were sent", len(all))
		}
	}
	if a := e.Send(t, "PUT", "shop.test", "/x", strings.Repeat("x", 12<<20)); a.Status != 413 {
		t.Errorf("12 MB are answered with %d", a.Status)
	}
}

// TestPlatformTakesCallsAlone: should a route ever send a platform what calls none of its functions, it is not signed.
func TestPlatformTakesCallsAlone(t *testing.T) {
	s := testenv.StartLambdaSimulator(t, testenv.LambdaSimulatorOptions{})
	result := featuretest.Translate(t, nil, featuretest.Documents{"a.hcl": lambdaEdge(t, s.Endpoint, "") + lambdaRoute("hello", "") +
		upstream("shop", echo(t, "shop")) + "route \"shop\" {\n  to { upstream = upstream.shop }\n}\n"}).Must(t)
	for _, r := range result.Resources {
		if h, ok := r.Message.(*routev3.VirtualHost); ok {
			for _, route := range h.Routes {
				if a := route.GetRoute(); a != nil && a.GetCluster() == "shop" {
					a.ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: "math"}
				}
			}
		}
	}
	e, _ := featuretest.ServeADS(t, result.Resources)
	for _, c := range []string{"DELETE /2015-03-31/functions/hello", "GET /2015-03-31/functions", "POST /2015-03-31/functions/a/b/invocations", "GET /2015-03-31/functions/hello/invocations", "POST /2015-03-31/functions/hello/invocations/x"} {
		method, target, _ := strings.Cut(c, " ")
		if a := e.Do(t, method, "shop.test", target); a.Status != 403 {
			t.Errorf("%s is answered with %d", c, a.Status)
		}
	}
	if n := len(s.Requests()); n > 0 {
		t.Errorf("%d requests reached the platform: %+v", n, s.Requests()[0])
	}
}

// TestPlatformsAreNoUpstreams: nothing sends clients' own requests to what is signed; a Function URL may be.
func TestPlatformsAreNoUpstreams(t *testing.T) {
	docs := lambdaEdge(t, "http://127.0.0.1:1", "") + upstream("shop", "127.0.0.1:2") + `
route "plain" {
  match { path = "/a" }
  to { upstream = upstream.math }
}
route "copies" {
  match { path = "/b" }
  to { upstream = upstream.shop }
  mirror { upstream = upstream.math }
}
function "math" "declared" {
  method = "DELETE"
  path   = "/2015-03-31/functions/x"
}`
	said := func(docs string) (out []string) {
		for _, d := range featuretest.Translate(t, []translate.Kind{mirror.Kind()}, featuretest.Documents{"a.hcl": docs}).Diags {
			out = append(out, d.Summary)
		}
		return out
	}
	if got := said(docs); !slices.Equal(got, []string{"Invalid destination", "Invalid mirror", "Invalid function"}) {
		t.Errorf("the diagnostics are %q", got)
	}
	docs = strings.Replace(strings.Replace(docs, "endpoint ", "url ", 1), "discover    = false", "", 1)
	if got := said(docs); len(got) > 0 {
		t.Errorf("of a Function URL the diagnostics are %q", got)
	}
}

// TestMirrorsGetNoSignature: the copy of a call is the call before it is signed.
func TestMirrorsGetNoSignature(t *testing.T) {
	s := testenv.StartLambdaSimulator(t, testenv.LambdaSimulatorOptions{})
	s.Put(testenv.SimulatedFunction{Name: "hello", Handler: proxied("hello")})
	var copies testenv.Recorder
	got := make(chan struct{}, 10)
	address := featuretest.Backend(t, copies.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { got <- struct{}{} })).ServeHTTP)
	docs := lambdaEdge(t, s.Endpoint, "") + upstream("shop", address) + lambdaRoute("hello", "mirror {\n upstream = upstream.shop\n }")
	e, _ := featuretest.ServeADS(t, featuretest.Translate(t, []translate.Kind{mirror.Kind()}, featuretest.Documents{"a.hcl": docs}).Must(t).Resources)
	for range 3 {
		if a := e.Send(t, "POST", "shop.test", "/hello", "body", "authorization: Bearer client"); a.Status != 200 {
			t.Errorf("the answer is %d", a.Status)
		}
		<-got
	}
	for _, r := range copies.Requests() {
		if r.Header.Get("authorization") != "" || r.Header.Get("x-amz-date") != "" || !bytes.Contains(r.Body, []byte(`"body":"body"`)) {
			t.Errorf("the copy is %v %s", r.Header, r.Body)
		}
	}
	wellSigned(t, s, featureKey)
}
