package translate_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/internal/testenv"
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
	for _, r := range s.Requests() {
		t.Logf("%s %s %s %v %s", r.Method, r.Host, r.Target, r.Header, r.Body)
	}
	if wrong := testenv.VerifySignatures(t, s.Requests(), featureKey); len(wrong) > 0 || len(s.Requests()) != 1 {
		t.Errorf("%d requests, wrongly signed are:\n%s", len(s.Requests()), strings.Join(wrong, "\n"))
	}
}
