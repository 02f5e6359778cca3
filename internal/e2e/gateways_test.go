package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

// TestTwoGateways gives two gateways different routes, and looks for what one must not know of the other.
func TestTwoGateways(t *testing.T) {
	t.Parallel()
	s := newStack(t, setup{none: true})
	s.service("private")
	inner := testenv.FreePort(t)
	s.put("base.hcl", strings.Replace(s.base(), `gateway "edge" {`, "gateway \"edge\" {\n  attach = true\n", 1))
	s.put("inner.hcl", fmt.Sprintf(`
gateway "inner" {
  listener "http" {
    address = "127.0.0.1"
    port    = %d
  }
}
`, inner)+upstream("private")+`
route "private" {
  hosts    = ["private.example.com"]
  gateways = [gateway.inner]
  to { upstream = upstream.private }
}
`)
	p := s.addPlane()
	edge := s.addEdge("edge")
	other := startEdge(t, "inner", "inner-1", inner, []string{p.xds})
	edge.serves(t, "steady.example.com", "/", "app")
	other.serves(t, "private.example.com", "/", "private")
	edge.answers(t, "private.example.com", "/", 404)
	other.answers(t, "steady.example.com", "/", 404)
	s.steady(t, func() {
		sent := p.sentTo(t, edge.id)
		s.put("more.hcl", `
route "more" {
  hosts    = ["more.private.example.com"]
  gateways = [gateway.inner]
  to { upstream = upstream.private }
}
`)
		other.serves(t, "more.private.example.com", "/", "private")
		s.says(t, "more.hcl", "accepted (")
		if now := p.sentTo(t, edge.id); now != sent {
			t.Errorf("the Envoy of one gateway was sent %s, and %s after a change of the other", sent, now)
		}
		mine, theirs := edge.config(t), other.config(t)
		for _, word := range []string{"private", "inner"} {
			if strings.Contains(mine, word) {
				t.Errorf("the edge knows of %q:\n%s", word, mine)
			}
		}
		for _, word := range []string{"steady", `"app"`, "edge"} {
			if strings.Contains(theirs, word) {
				t.Errorf("the inner gateway knows of %q:\n%s", word, theirs)
			}
		}
	})
}
