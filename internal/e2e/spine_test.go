// Package e2e plays whole set-ups: documents in, requests through a real Envoy out.
package e2e

import (
	"fmt"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

func TestALineOfHCLBecomesAServedRequest(t *testing.T) {
	up := testenv.StartUpstream(t, "one")
	port := testenv.FreePort(t)
	r := startReplica(t, hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: testOutput{t}}))
	base := fmt.Sprintf(`
gateway "edge" {
  listener "http" {
    address = "127.0.0.1"
    port    = %d
  }
}

upstream "one" {
  static { endpoints = ["127.0.0.1:%d"] }
}
`, port, up.Port())
	r.put("base.hcl", base)
	r.put("route.hcl", `
route "hello" {
  hosts = ["shop.example.com"]
  match { prefix = "/hello" }
  to { upstream = upstream.one }
}
`)
	testenv.StartEnvoy(t, testenv.EnvoyOptions{XDSAddr: r.addr})
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	awaitStatus(t, addr, "shop.example.com", "/hello", 200)
	awaitStatus(t, addr, "shop.example.com", "/other", 404)
	r.put("route.hcl", `
route "hello" {
  hosts = ["shop.example.com"]
  match { prefix = "/other" }
  to { upstream = upstream.one }
}
`)
	t.Log("changed after", awaitStatus(t, addr, "shop.example.com", "/other", 200))
	awaitStatus(t, addr, "shop.example.com", "/hello", 404)
	r.put("route.hcl", "route {{{")
	r.put("more.hcl", `
route "more" {
  hosts = ["more.example.com"]
  match { path = "/x/{id}" }
  to {
    upstream = upstream.one
    weight   = 0
  }
  to {
    upstream = upstream.one
    weight   = 1
    path     = "/y/{id}"
  }
}
`)
	t.Log("new host after", awaitStatus(t, addr, "more.example.com", "/x/1", 200))
	awaitStatus(t, addr, "shop.example.com", "/other", 200)
	testenv.Eventually(t, 10e9, func() error {
		for _, b := range r.World().Blocks() {
			if b.State != gateway.StateAccepted {
				return fmt.Errorf("%s is %s: %s", b.ID, b.State, b.Diags.Error())
			}
		}
		return nil
	})
}

type testOutput struct{ t *testing.T }

func (o testOutput) Write(p []byte) (int, error) { o.t.Log(string(p)); return len(p), nil }
