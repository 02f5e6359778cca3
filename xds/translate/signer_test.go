package translate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/feature/retry"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/xds/translate"
)

var mathSigner = gateway.Unit{Type: gateway.UnitSigner, Name: "math"}

// revealed is a Translator to which every secret is a key.
func revealed(t testing.TB, key *testenv.AWSKey) *translate.Translator {
	t.Helper()
	tr, err := translate.New([]translate.Kind{retry.Kind()})
	if err != nil {
		t.Fatal(err)
	}
	return tr.WithReveal(func(gateway.ID) (gateway.Material, bool) {
		fields := map[string][]byte{"access_key": []byte(key.ID), "secret_key": []byte(key.Secret)}
		if key.Session != "" {
			fields["security_token"] = []byte(key.Session)
		}
		return gateway.NewMaterial(fields), true
	})
}

// signedBy is the signer of the upstream math with a key.
func signedBy(t testing.TB, w *gateway.World, key *testenv.AWSKey) *translate.Resource {
	t.Helper()
	r, err := revealed(t, key).Build(w.Inputs(mathSigner))
	if err != nil || r == nil {
		t.Fatalf("build the signer: %v %v", r, err)
	}
	return r
}

func lambdaRoute(name, more string) string {
	return fmt.Sprintf(`
route %[1]q {
  match { prefix = "/%[1]s" }
  to { function = function.math.%[1]s }
  %[2]s
}
`, name, more)
}

// wellSigned demands that AWS would take all that a simulator saw.
func wellSigned(t *testing.T, s *testenv.LambdaSimulator, keys ...*testenv.AWSKey) {
	t.Helper()
	if len(s.Requests()) == 0 {
		return
	}
	for _, w := range testenv.VerifySignatures(t, s.Requests(), keys...) {
		t.Error(w)
	}
}

func proxied(text string) testenv.LambdaHandler {
	return say(fmt.Sprintf(`{"statusCode": 200, "body": %q}`, text))
}

// TestRotationBySignersAlone exchanges the credentials under load: nothing fails, nothing is signed wrongly, and no
// connection is closed, neither the clients' nor those to the platform.
func TestRotationBySignersAlone(t *testing.T) {
	s := testenv.StartLambdaSimulator(t, testenv.LambdaSimulatorOptions{})
	s.Put(testenv.SimulatedFunction{Name: "hello", Handler: proxied("hello")})
	result := featuretest.Translate(t, nil, featuretest.Documents{"a.hcl": lambdaEdge(t, s.Endpoint, "") + lambdaRoute("hello", "")}).Must(t)
	e, plane := featuretest.ServeADS(t, result.Resources)
	load := testenv.Load(t.Context(), t, "http://"+e.Listener(t, "edge.http")+"/hello", testenv.LoadOptions{Connections: 8, Rate: 400})
	load.WaitRequests(t, 200)
	keys := []*testenv.AWSKey{featureKey}
	before, _ := e.Stat(t, "cluster.math.upstream_cx_total")
	for i := range 8 {
		key := &testenv.AWSKey{ID: fmt.Sprintf("AKIA%d", i), Secret: fmt.Sprintf("secret%d", i)}
		if i%2 == 0 {
			key.Session = fmt.Sprintf("session%d", i)
		}
		keys = append(keys, key)
		plane.Set(t, signedBy(t, result.World, key))
		testenv.Eventually(t, 5*time.Second, func() error {
			all := s.Requests()
			if !strings.Contains(all[len(all)-1].Header.Get("Authorization"), key.ID+"/") {
				return fmt.Errorf("key %d signs nothing yet", i)
			}
			return nil
		})
		load.WaitRequests(t, 50)
	}
	out := load.Stop()
	after, _ := e.Stat(t, "cluster.math.upstream_cx_total")
	if out.Failed() > 0 || out.Dialed > 8 {
		t.Error(out)
	}
	if closed, _ := e.Stat(t, "cluster.math.upstream_cx_destroy"); after > 8 || closed > 0 {
		t.Errorf("connections to the platform were %d, then %d, and %d were closed", before, after, closed)
	}
	t.Logf("%s; %d signed requests", out, len(s.Requests()))
	wellSigned(t, s, keys...)
}

// TestRetriesAreSignedAnew has tries fail in every way: each is the same request, signed for itself.
func TestRetriesAreSignedAnew(t *testing.T) {
	s := testenv.StartLambdaSimulator(t, testenv.LambdaSimulatorOptions{})
	s.Put(testenv.SimulatedFunction{Name: "hello", Handler: proxied("hello")})
	const again = "retry {\n attempts = 3\n on = [\"5xx\", \"429\"]\n backoff {\n base = \"1500ms\"\n max = \"1500ms\"\n }\n }"
	result := featuretest.Translate(t, []translate.Kind{retry.Kind()}, featuretest.Documents{"a.hcl": lambdaEdge(t, s.Endpoint, "") + lambdaRoute("hello", again) + `
route "quick" {
  match { prefix = "/quick" }
  to { function = function.math.hello }
  retry {
    attempts = 3
    on       = ["502"]
  }
}`}).Must(t)
	e, plane := featuretest.ServeADS(t, result.Resources)
	key := &testenv.AWSKey{ID: "AKIASESSION", Secret: "secret", Session: "session"}
	plane.Set(t, signedBy(t, result.World, key))
	e.WaitStat(t, "extension_config_discovery.upstream_http_filter.signer/math.config_reload", func(n uint64) bool { return n >= 2 })
	anew := false
	for name, fault := range map[string]testenv.LambdaFault{
		"throttled": {Status: 429, Code: "TooManyRequestsException"}, "broken": {Status: 500, Code: "ServiceException"},
		"failed": {Status: 200, Body: `{"errorMessage": "x"}`, FunctionError: "Unhandled"},
	} {
		s.Forget()
		fault.Times, fault.Operation = 2, "Invoke"
		s.Fail(fault)
		body := strings.Repeat(name+" ", 20_000)
		if a := e.Send(t, "POST", "shop.test", "/hello/x?y=1", body, "authorization: Bearer client", "x-amz-security-token: client"); a.Status != 200 || a.Body != "hello" {
			t.Errorf("%s: the answer is %d %q", name, a.Status, a.Body)
		}
		tries := s.Requests()
		if len(tries) != 3 {
			t.Fatalf("%s: %d tries", name, len(tries))
		}
		for i, r := range tries {
			if !bytes.Equal(r.Body, tries[0].Body) || r.Target != tries[0].Target || !json.Valid(r.Body) || !bytes.Contains(r.Body, []byte(body)) {
				t.Errorf("%s: try %d is another request: %s", name, i, r.Target)
			}
			anew = anew || r.Header.Get("Authorization") != tries[0].Header.Get("Authorization")
			if bytes.Contains(r.Body, []byte("AWS4-HMAC")) || bytes.Contains(r.Body, []byte("security-token")) {
				t.Errorf("%s: try %d carries what an earlier one was signed with", name, i)
			}
		}
		wellSigned(t, s, key)
		s.Mend()
	}
	if !anew {
		t.Error("all tries of a request were in the same second")
	}
	for _, fault := range []testenv.LambdaFault{{Status: 503}, {Status: 200, Body: "{}", FunctionError: "Unhandled"}, {Status: 429}} {
		s.Forget()
		fault.Times, fault.Operation = 2, "Invoke"
		s.Fail(fault)
		a := e.Do(t, "GET", "shop.test", "/quick")
		if tries := len(s.Requests()); fault.Status == 429 && (a.Status != 429 || tries != 1) || fault.Status != 429 && (a.Status != 200 || tries != 3) {
			t.Errorf("%+v: the answer after %d tries is %d", fault, tries, a.Status)
		}
		s.Mend()
	}
}

// TestNothingIsSentUnsigned: without its credentials an upstream is not called, and no other suffers.
func TestNothingIsSentUnsigned(t *testing.T) {
	s := testenv.StartLambdaSimulator(t, testenv.LambdaSimulatorOptions{})
	s.Put(testenv.SimulatedFunction{Name: "hello", Handler: proxied("hello")})
	result := featuretest.Translate(t, nil, featuretest.Documents{"a.hcl": lambdaEdge(t, s.Endpoint, "") + lambdaRoute("hello", "") +
		upstream("shop", echo(t, "shop")) + "route \"shop\" {\n  to { upstream = upstream.shop }\n}\n"}).Must(t)
	signer := translate.KeyOf(mathSigner)
	without := slices.DeleteFunc(slices.Clone(result.Resources), func(r *translate.Resource) bool { return r.Key == signer })
	e, plane := featuretest.ServeADS(t, without)
	answers := func(hello int) {
		t.Helper()
		testenv.Eventually(t, 10*time.Second, func() error {
			if a := e.Do(t, "GET", "shop.test", "/hello"); a.Status != hello {
				return fmt.Errorf("the function is answered with %d %q", a.Status, a.Body)
			}
			return nil
		})
		if a := e.Do(t, "GET", "shop.test", "/"); a.Status != 200 {
			t.Errorf("the neighbour is answered with %d", a.Status)
		}
	}
	answers(503)
	if n := len(s.Requests()); n > 0 {
		t.Errorf("%d requests were sent without credentials", n)
	}
	plane.Set(t, signedBy(t, result.World, featureKey))
	answers(200)
	plane.Remove(signer)
	answers(503)
	sent := len(s.Requests())
	answers(503)
	if n := len(s.Requests()); n > sent {
		t.Errorf("%d requests were sent after the credentials had expired", n-sent)
	}
	plane.Set(t, signedBy(t, result.World, featureKey))
	answers(200)
	wellSigned(t, s, featureKey)
}

// TestCredentialsAreNotShown: Envoy's own dump has them nowhere, neither where they come nor in routes and clusters.
func TestCredentialsAreNotShown(t *testing.T) {
	s := testenv.StartLambdaSimulator(t, testenv.LambdaSimulatorOptions{})
	result := featuretest.Translate(t, nil, featuretest.Documents{"a.hcl": lambdaEdge(t, s.Endpoint, "") + lambdaRoute("hello", "")}).Must(t)
	key := &testenv.AWSKey{ID: "AKIACANARY", Secret: "canary-secret", Session: "canary-session"}
	e, plane := featuretest.ServeADS(t, result.Resources)
	plane.Set(t, signedBy(t, result.World, key))
	e.WaitStat(t, "extension_config_discovery.upstream_http_filter.signer/math.config_reload", func(n uint64) bool { return n >= 2 })
	dump := e.ConfigDump(t)
	if !bytes.Contains(dump, []byte("inline_credential")) {
		t.Error("the dump has no signer")
	}
	for _, canary := range []string{key.Secret, key.Session} {
		if bytes.Contains(dump, []byte(canary)) || strings.Contains(e.Log(), canary) {
			t.Errorf("%q is in the dump or the log", canary)
		}
	}
	for _, r := range result.Resources {
		if r.TypeURL != translate.ExtensionType && bytes.Contains(featuretest.JSON(t, r.Message), []byte("of-aws")) {
			t.Errorf("%s %s has credentials", r.TypeURL, r.Name)
		}
	}
}
