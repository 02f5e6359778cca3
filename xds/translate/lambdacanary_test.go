package translate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/feature/retry"
	"github.com/sluice-gateway/sluice/feature/timeout"
	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// TestCanaryToLambdas: a share of a route's requests goes to a Lambda, by alias and with its own arguments, the rest to a
// service, and the client sees one API.
func TestCanaryToLambdas(t *testing.T) {
	s := testenv.StartLambdaSimulator(t, testenv.LambdaSimulatorOptions{})
	divide := func(_ context.Context, event []byte) ([]byte, error) {
		var in struct{ Dividend, Divisor int }
		if err := json.Unmarshal(event, &in); err != nil {
			return nil, err
		}
		return json.Marshal(map[string]any{"result": in.Dividend / in.Divisor})
	}
	s.Put(testenv.SimulatedFunction{
		Name: "divide", Handler: say("null"), Versions: map[string]testenv.LambdaHandler{"7": divide},
		Aliases: map[string]testenv.LambdaAlias{"live": {Version: "7"}},
	})
	monolith := featuretest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("content-type", "application/json")
		w.Header().Set("x-from", "monolith")
		if r.RequestURI != "/calc/divide?a=6&b=3" || r.Header.Get("x-amz-date") != "" {
			w.WriteHeader(http.StatusBadRequest)
		}
		fmt.Fprint(w, `{"result":2}`)
	})
	result := featuretest.Translate(t, nil, featuretest.Documents{"a.hcl": lambdaEdge(t, s.Endpoint, "") + upstream("shop", monolith) + `
function "shop" "divide" {
  method = "GET"
  path   = "/calc/divide"
  query  = { a = arg.a, b = arg.b }
}
route "divide" {
  match { path = "/divide/{a}/{b}" }
  to {
    function = function.math["divide:live"]
    args     = { dividend = tonumber(request.path.a), divisor = tonumber(request.path.b) }
    weight   = 30
  }
  to {
    function = function.shop.divide
    weight   = 70
  }
}`}).Must(t)
	e, _ := featuretest.ServeADS(t, result.Resources)
	const all = 600
	from := map[string]int{}
	for range all {
		a := e.Do(t, "GET", "shop.test", "/divide/6/3")
		if a.Status != 200 || a.Body != `{"result":2}` || a.Header.Get("content-type") != "application/json" {
			t.Fatalf("the answer of %q is %d %q %v", a.Header.Get("x-from"), a.Status, a.Body, a.Header)
		}
		from[a.Header.Get("x-from")]++
	}
	if n := from[""]; n < all*20/100 || n > all*40/100 || n != len(s.Requests()) || n+from["monolith"] != all {
		t.Errorf("shares of 30 and 70 became %v, and %d calls", from, len(s.Requests()))
	}
	if a := e.Do(t, "GET", "shop.test", "/divide/6/x"); a.Status != 400 && a.Status != 500 {
		t.Errorf("what is no number is answered with %d %q", a.Status, a.Body)
	}
	wellSigned(t, s, featureKey)
}

// TestAChangedClusterKeepsItsSigner: a cluster that is built anew takes the credentials that are there, without a pause,
// and those that come later.
func TestAChangedClusterKeepsItsSigner(t *testing.T) {
	s := testenv.StartLambdaSimulator(t, testenv.LambdaSimulatorOptions{})
	s.Put(testenv.SimulatedFunction{Name: "hello", Handler: proxied("hello")})
	docs := lambdaEdge(t, s.Endpoint, "") + lambdaRoute("hello", "")
	result := featuretest.Translate(t, nil, featuretest.Documents{"a.hcl": docs}).Must(t)
	changed := featuretest.Translate(t, nil, featuretest.Documents{"a.hcl": strings.Replace(docs, "lambda {", "connect_timeout = \"3s\"\n  lambda {", 1)}).Must(t)
	e, plane := featuretest.ServeADS(t, result.Resources)
	load := testenv.Load(t.Context(), t, "http://"+e.Listener(t, "edge.http")+"/hello", testenv.LoadOptions{Rate: 300})
	load.WaitRequests(t, 50)
	keys := []*testenv.AWSKey{featureKey, {ID: "AKIALATER", Secret: "later"}}
	for _, r := range changed.Resources {
		if r.TypeURL == translate.ClusterType {
			plane.Set(t, r)
		}
	}
	e.WaitStat(t, "cluster_manager.cluster_modified", func(n uint64) bool { return n >= 1 })
	load.WaitRequests(t, 100)
	plane.Set(t, signedBy(t, result.World, keys[1]))
	testenv.Eventually(t, 5*time.Second, func() error {
		all := s.Requests()
		if !strings.Contains(all[len(all)-1].Header.Get("Authorization"), keys[1].ID) {
			return fmt.Errorf("the later key signs nothing yet")
		}
		return nil
	})
	if out := load.Stop(); out.Failed() > 0 {
		t.Error(out)
	}
	wellSigned(t, s, keys...)
}

// TestTimeoutOfACall: what Envoy itself gives up is a 504 as well.
func TestTimeoutOfACall(t *testing.T) {
	s := testenv.StartLambdaSimulator(t, testenv.LambdaSimulatorOptions{})
	s.Put(testenv.SimulatedFunction{Name: "hello", Handler: proxied("hello")})
	s.Fail(testenv.LambdaFault{Operation: "Invoke", Hang: true})
	kinds := []translate.Kind{timeout.Kind(), retry.Kind()}
	e, _ := featuretest.ServeADS(t, featuretest.Translate(t, kinds, featuretest.Documents{"a.hcl": lambdaEdge(t, s.Endpoint, "") +
		lambdaRoute("hello", "timeout { request = \"300ms\" }")}).Must(t).Resources)
	if a := e.Do(t, "GET", "shop.test", "/hello"); a.Status != 504 {
		t.Errorf("the answer is %d %q", a.Status, a.Body)
	}
}

// TestCallsWithTheShippedPolicy are taken by an AWS that checks signatures and rights, and refused without the right.
func TestCallsWithTheShippedPolicy(t *testing.T) {
	a := testenv.StartAWS(t)
	a.CreateFunction(testenv.LambdaFunction{Name: "hello", Handler: proxied("hello")})
	a.PutAlias("hello", "live", a.PublishVersion("hello"))
	shipped, err := os.ReadFile("../../secrets/policies/aws-lambda.json")
	if err != nil {
		t.Fatal(err)
	}
	result := featuretest.Translate(t, nil, featuretest.Documents{"a.hcl": lambdaEdge(t, a.Endpoint, "") + `
route "hello" {
  to { function = function.math["hello:live"] }
}`}).Must(t)
	for _, c := range []struct {
		policy string
		status int
	}{{string(shipped), 200}, {testenv.Allow("lambda:ListFunctions", "*"), 502}} {
		key := a.CreateUser(fmt.Sprintf("u%d", c.status), c.policy)
		for _, r := range result.Resources {
			if r.Key == translate.KeyOf(mathSigner) {
				*r = *signedBy(t, result.World, key)
			}
		}
		t.Run(fmt.Sprint(c.status), func(t *testing.T) {
			e, _ := featuretest.ServeADS(t, result.Resources)
			if got := e.Send(t, "POST", "shop.test", "/a%20b/é?x=1&y=%2F", "body"); got.Status != c.status || c.status == 200 && got.Body != "hello" {
				t.Errorf("the answer is %d %q %v, want %d", got.Status, got.Body, got.Header, c.status)
			}
		})
	}
}

// BenchmarkLambda measures what a call through an edge takes beside the call itself; p50 is in microseconds.
func BenchmarkLambda(b *testing.B) {
	s := testenv.StartLambdaSimulator(b, testenv.LambdaSimulatorOptions{})
	s.Put(testenv.SimulatedFunction{Name: "hello", Handler: proxied("hello")})
	e, _ := featuretest.ServeADS(b, featuretest.Translate(b, nil, featuretest.Documents{"a.hcl": lambdaEdge(b, s.Endpoint, "") + lambdaRoute("hello", "")}).Must(b).Resources)
	transport := &http.Transport{}
	b.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	measure := func(method, url, body string) func(b *testing.B) {
		return func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				req, err := http.NewRequestWithContext(b.Context(), method, url, strings.NewReader(body))
				if err != nil {
					b.Fatal(err)
				}
				req.Header.Set("Authorization", "direct")
				resp, err := client.Do(req)
				if err != nil {
					b.Fatal(err)
				}
				text, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK || !strings.Contains(string(text), "hello") {
					b.Fatalf("the answer is %d %q", resp.StatusCode, text)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		}
	}
	event := `{"version": "2.0", "rawPath": "/hello"}`
	b.Run("direct", measure("POST", s.Endpoint+"/2015-03-31/functions/hello/invocations", event))
	b.Run("edge", measure("GET", "http://"+e.Listener(b, "edge.http")+"/hello", ""))
}
