package translate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// lambdaEdge is a gateway on a free port, and an upstream of the simulator's functions, called by name.
func lambdaEdge(t testing.TB, endpoint, more string) string {
	return fmt.Sprintf(`
gateway "edge" {
  listener "http" {
    address = "127.0.0.1"
    port    = %d
  }
}
secret "aws" {
  vault_aws {
    role = "lambda"
  }
}
upstream "math" {
  lambda {
    region      = "us-east-1"
    credentials = secret.aws
    endpoint    = %q
    discover    = false
    %s
  }
}
`, testenv.FreePort(t), endpoint, more)
}

// featureKey is the key that featuretest gives every secret.
var featureKey = &testenv.AWSKey{ID: "access_key-of-aws", Secret: "secret_key-of-aws"}

func say(text string) testenv.LambdaHandler {
	return func(context.Context, []byte) ([]byte, error) { return []byte(text), nil }
}

func TestLambdasAreCalled(t *testing.T) {
	s := testenv.StartLambdaSimulator(t, testenv.LambdaSimulatorOptions{})
	s.Put(testenv.SimulatedFunction{Name: "hello", Handler: say(`{"statusCode": 201, "headers": {"x-hello": "1"}, "body": "hello"}`)})
	result := featuretest.Translate(t, nil, featuretest.Documents{"a.hcl": lambdaEdge(t, s.Endpoint, "") + `
route "hello" {
  match { path = "/hello" }
  to { function = function.math.hello }
}`}).Must(t)
	e, _ := featuretest.ServeADS(t, result.Resources)
	a := e.Do(t, "GET", "shop.test", "/hello")
	if a.Status != 201 || a.Body != "hello" || a.Header.Get("x-hello") != "1" {
		t.Errorf("the answer is %d %q %v", a.Status, a.Body, a.Header)
	}
	if wrong := testenv.VerifySignatures(t, s.Requests(), featureKey); len(wrong) > 0 || len(s.Requests()) != 1 {
		t.Errorf("%d requests, wrongly signed are:\n%s", len(s.Requests()), strings.Join(wrong, "\n"))
	}
}

// TestOutcomesOfLambdas: what Lambda and its functions say becomes what an HTTP client understands, never a 200 that is
// none.
func TestOutcomesOfLambdas(t *testing.T) {
	s := testenv.StartLambdaSimulator(t, testenv.LambdaSimulatorOptions{})
	big := strings.Repeat("x", 4<<20)
	functions := map[string]testenv.LambdaHandler{
		"plain":   say(`{"sum": 3}`),
		"null":    say(`null`),
		"cookies": say(`{"statusCode": 200, "headers": {"content-type": "text/plain", "x-amz-secret": "no"}, "cookies": ["a=1", "b=2"], "body": "x"}`),
		"binary":  say(`{"statusCode": 200, "headers": {"content-type": "image/png"}, "isBase64Encoded": true, "body": "AAEC/w=="}`),
		"failing": func(context.Context, []byte) ([]byte, error) { return nil, errors.New("out of order") },
		"slow": func(ctx context.Context, _ []byte) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"garbage": say(`not JSON`),
		"big":     say(`{"statusCode": 200, "body": "` + big + `"}`),
		"mirror":  func(_ context.Context, event []byte) ([]byte, error) { return event, nil },
		"alb":     say(`{"statusCode": 418, "multiValueHeaders": {"x-a": ["1", "2"]}, "body": "tea"}`),
	}
	docs := lambdaEdge(t, s.Endpoint, "")
	for name, handler := range functions {
		s.Put(testenv.SimulatedFunction{Name: name, Handler: handler, Timeout: 100 * time.Millisecond})
		docs += lambdaRoute(name, "")
	}
	for name, to := range map[string]string{
		"raw": `event = "raw"`, "async": `async = true`, "albevent": `event = "alb"`, "args": `args = { a = request.query.a }`,
	} {
		docs += fmt.Sprintf("route %q {\n match { prefix = \"/to-%[1]s\" }\n to {\n function = function.math.mirror\n %s\n }\n}\n", name, to)
	}
	docs += "route \"missing\" {\n match { path = \"/missing\" }\n to { function = function.math.missing }\n}\n"
	docs += "route \"to-alb\" {\n match { path = \"/to-answers\" }\n to {\n function = function.math.alb\n event = \"alb\"\n }\n}\n"
	e, _ := featuretest.ServeADS(t, featuretest.Translate(t, nil, featuretest.Documents{"a.hcl": docs}).Must(t).Resources)
	for _, c := range []struct {
		request, body string
		status        int
		want          string // within the body, or the whole one after "="
	}{
		{"GET /plain", "", 200, `={"sum": 3}`},
		{"GET /null", "", 200, `=null`},
		{"GET /cookies", "", 200, `=x`},
		{"GET /binary", "", 200, "=\x00\x01\x02\xff"},
		{"GET /failing", "", 502, `function_error`},
		{"GET /slow", "", 504, `function_timeout`},
		{"GET /garbage", "", 502, `function_answer`},
		{"GET /missing", "", 502, `function_refused`},
		{"GET /big", "", 200, "=" + big},
		{"POST /to-raw", `{"a": [1]}`, 200, `={"a": [1]}`},
		{"POST /to-raw", "no JSON", 502, `function_refused`},
		{"POST /to-async", "x", 202, "="},
		{"GET /to-args?a=1&a=2", "", 200, `"a"`},
		{"GET /to-answers", "", 418, "=tea"},
		{"GET /mirror/x%20y?a=1&a=2&b=%C3%A9", "", 200, `"queryStringParameters":{"a":"1,2","b":"é"}`},
		{"GET /to-albevent?a=1&a=2", "", 502, "function_answer"},
		{"POST /mirror", "\x00\xff", 200, `"body":"AP8=","cookies"`},
		{"POST /mirror", big, 200, big},
		{"POST /mirror", strings.Repeat("x", 6<<20), 413, "request_too_large"},
	} {
		method, target, _ := strings.Cut(c.request, " ")
		a := e.Send(t, method, "shop.test", target, c.body, "cookie: c=1; d=2", "x-amz-invocation-type: Event", "x-amz-client-context: x",
			"authorization: Bearer client", "content-type: text/plain")
		whole, exact := strings.CutPrefix(c.want, "=")
		if a.Status != c.status || exact && a.Body != whole || !exact && !strings.Contains(a.Body, c.want) {
			t.Errorf("%s: the answer is %d %.300q, want %d %.100q", c.request, a.Status, a.Body, c.status, c.want)
		}
		if reason := a.Header.Get("x-sluice-error"); c.status >= 500 && reason != c.want {
			t.Errorf("%s: the reason is %q", c.request, reason)
		}
		for name := range a.Header {
			if strings.HasPrefix(strings.ToLower(name), "x-amz") {
				t.Errorf("%s: the answer has %s", c.request, name)
			}
		}
		if target == "/cookies" && len(a.Header.Values("set-cookie")) != 2 {
			t.Errorf("the cookies are %q", a.Header.Values("set-cookie"))
		}
	}
	events := 0
	for _, r := range s.Requests() {
		if r.Header.Get("x-amz-client-context") != "" {
			t.Errorf("what the client said of the call went on: %v", r.Header)
		}
		if r.Header.Get("x-amz-invocation-type") == "Event" {
			events++
		}
	}
	if events != 1 {
		t.Errorf("%d calls were asynchronous, and one route says so", events)
	}
	wellSigned(t, s, featureKey)
}

// TestThrottledLambdas: refusals of the platform.
func TestThrottledLambdas(t *testing.T) {
	s := testenv.StartLambdaSimulator(t, testenv.LambdaSimulatorOptions{})
	s.Put(testenv.SimulatedFunction{Name: "hello", Handler: proxied("hello")})
	e, _ := featuretest.ServeADS(t, featuretest.Translate(t, nil, featuretest.Documents{"a.hcl": lambdaEdge(t, s.Endpoint, "") + lambdaRoute("hello", "")}).Must(t).Resources)
	for _, c := range []struct {
		fault  testenv.LambdaFault
		status int
		reason string
	}{
		{testenv.LambdaFault{Status: 429, Code: "TooManyRequestsException"}, 429, "function_throttled"},
		{testenv.LambdaFault{Status: 403, Code: "AccessDeniedException"}, 502, "function_refused"},
		{testenv.LambdaFault{Status: 500, Code: "ServiceException"}, 502, "function_refused"},
		{testenv.LambdaFault{Status: 200, Body: "<html>"}, 502, "function_answer"},
		{testenv.LambdaFault{Cut: true}, 502, "upstream_reset"},
	} {
		s.Fail(c.fault)
		if a := e.Do(t, "GET", "shop.test", "/hello"); a.Status != c.status || a.Header.Get("x-sluice-error") != c.reason {
			t.Errorf("%+v: the answer is %d %q %q", c.fault, a.Status, a.Header.Get("x-sluice-error"), a.Body)
		}
		s.Mend()
	}
}

// TestLambdaOverTLS: the platform's certificate is checked, by its name and by whoever signed it, and the connection
// speaks HTTP/2 where the platform does.
func TestLambdaOverTLS(t *testing.T) {
	s := testenv.StartLambdaSimulator(t, testenv.LambdaSimulatorOptions{TLS: true})
	s.Put(testenv.SimulatedFunction{Name: "hello", Handler: proxied("hello")})
	named := strings.Replace(s.Endpoint, "127.0.0.1", "localhost", 1)
	for _, c := range []struct {
		endpoint, ca string
		status       int
	}{{s.Endpoint, s.CAFile, 200}, {named, s.CAFile, 200}, {named, "", 503}} {
		ca := ""
		if c.ca != "" {
			ca = fmt.Sprintf("ca_file = %q", c.ca)
		}
		e, _ := featuretest.ServeADS(t, featuretest.Translate(t, nil, featuretest.Documents{"a.hcl": lambdaEdge(t, c.endpoint, ca) + lambdaRoute("hello", "")}).Must(t).Resources)
		s.Forget()
		if a := e.Do(t, "GET", "shop.test", "/hello"); a.Status != c.status {
			t.Errorf("%s with the authority %q: the answer is %d %q", c.endpoint, c.ca, a.Status, a.Body)
		}
		if n, _ := e.Stat(t, "cluster.math.upstream_cx_http2_total"); c.status == 200 && n != 1 {
			t.Errorf("%s: %d connections of HTTP/2", c.endpoint, n)
		}
		for _, r := range s.Requests() {
			if want := strings.TrimPrefix(c.endpoint, "https://"); r.Host != want || c.status != 200 {
				t.Errorf("the host is %q, want %q", r.Host, want)
			}
		}
		wellSigned(t, s, featureKey)
	}
}

// TestRegionsHaveEndpoints: without an endpoint of its own a block means its region's.
func TestRegionsHaveEndpoints(t *testing.T) {
	for region, want := range map[string]string{
		"eu-central-1": "lambda.eu-central-1.amazonaws.com", "us-gov-west-1": "lambda.us-gov-west-1.amazonaws.com",
		"cn-north-1": "lambda.cn-north-1.amazonaws.com.cn", "eusc-de-east-1": "lambda.eusc-de-east-1.amazonaws.eu",
	} {
		docs := strings.Replace(lambdaEdge(t, "", "")+lambdaRoute("hello", ""), "endpoint    = \"\"", "", 1)
		result := featuretest.Translate(t, nil, featuretest.Documents{"a.hcl": strings.Replace(docs, "us-east-1", region, 1)}).Must(t)
		featuretest.Load(t, result.Resources)
		for _, r := range result.Resources {
			text := string(featuretest.JSON(t, r.Message))
			if r.TypeURL == translate.ClusterType && (!strings.Contains(text, want+`"`) || !strings.Contains(text, `"port_value": 443`)) {
				t.Errorf("the cluster of %s is %s", region, text)
			}
		}
	}
}
