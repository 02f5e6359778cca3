package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/console"
)

func TestStatusShowsWhatFunctionsAndSecretsAreUpTo(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339) }
	var out bytes.Buffer
	a := &app{out: &out, errs: &out, env: func(string) string { return "" }}
	a.showFinders([]console.Finder{
		{Key: `shop/openapi:path="/openapi.json"`, State: "ok", Functions: 3, Age: 12},
		{Key: "users/grpc:", State: "failing", Functions: 2, Age: 7300, Stale: true, Held: 1, Problems: []string{"x"}, Error: "refused"},
		{Key: "math/lambda:region=\"us-east-1\"", State: "starting", Age: -1, Waiting: true},
	})
	a.showTroubledSecrets([]console.Secret{
		{Name: "fine", State: "ok", Expires: at(time.Hour)},
		{Name: "for_ever", State: "ok"},
		{Name: "soon", State: "ok", Expires: at(5 * time.Minute), UsedBy: []string{"upstream.math"}},
		{Name: "lost", State: "failing", Expires: at(-time.Minute), Error: "permission denied", UsedBy: []string{"route.a", "route.b"}},
		{Name: "key", Source: "vault secret/data/key", State: "unusable", UsedBy: []string{"upstream.shop"}, Unusable: []console.Unusable{{
			Problem: `secret.key has no field "token"`, Remedy: "Put it there.",
			Uses: []console.UsePlace{{Block: "upstream.shop", Range: console.Range{Document: "shop.hcl", Start: console.Position{Line: 7}}}},
		}}},
	}, now)
	if diff := cmp.Diff(statusWant, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	out.Reset()
	a.showFinders(nil)
	a.showTroubledSecrets([]console.Secret{{Name: "fine", State: "ok"}}, now)
	if out.Len() > 0 {
		t.Errorf("nothing is wrong, but: %s", out.String())
	}
}

const statusWant = `
FINDER                             STATE                                                           FUNCTIONS  ANSWERED
shop/openapi:path="/openapi.json"  ok                                                              3          12s
users/grpc                         failing, last run's, 1 missing from the last answer, 1 problem  2          2h1m
math/lambda:region="us-east-1"     starting, no endpoint to ask                                    0          never
  users/grpc: refused

SECRET  STATE                       EXPIRES  USED BY
soon    ok                          in 5m    upstream.math
lost    failing: permission denied  expired  route.a route.b
key     unusable                             upstream.shop

Unusable secret: secret.key has no field "token"
  needed by upstream.shop at shop.hcl:7
  comes from vault secret/data/key
  Put it there. The Envoys keep what they have until then.
`
