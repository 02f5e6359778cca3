package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

// TestDocuments plays what operators do to documents and values, and what they do wrong.
func TestDocuments(t *testing.T) {
	s := newStack(t, setup{edges: 2, hold: "3s"})
	s.service("blue")
	s.service("green")
	s.put("colours.hcl", upstream("blue")+upstream("green"))
	for name, scenario := range map[string]func(*testing.T, *stack){
		"put is live on every Envoy": putIsLive,
	} {
		t.Run(name, func(t *testing.T) { scenario(t, s) })
	}
}

func putIsLive(t *testing.T, s *stack) {
	s.steady(t, func() {
		x := writeFile(t, t.TempDir(), "x.hcl", `
locals {
  share = kv("canary/x", 0)
}

route "x" {
  hosts = ["x.example.com"]
  match { prefix = "/x" }
  to {
    upstream = upstream.green
    weight   = local.share
  }
  to {
    upstream = upstream.blue
    weight   = 100 - local.share
  }
}
`)
		consulKV(t, s.consul, "put", "sluice/routes/x.hcl", "@"+x)
		s.serve(t, "x.example.com", "/x", "blue")
		consulKV(t, s.consul, "put", "sluice/values/canary/x", "100")
		s.serve(t, "x.example.com", "/x", "green")
		s.calm(t, "x.example.com", "/x", func() { // every request finds one of the two
			consulKV(t, s.consul, "put", "sluice/values/canary/x", "50")
			for _, e := range s.edges {
				e.serves(t, "x.example.com", "/x", "blue")
				e.serves(t, "x.example.com", "/x", "green")
			}
		})
		consulKV(t, s.consul, "put", "sluice/values/canary/x", "150")
		s.says(t, "values/canary/x", "rejected", "the last accepted value stays in force")
		consulKV(t, s.consul, "delete", "sluice/values/canary/x")
		s.says(t, "x.hcl", "accepted", "route.x")
		if got := consulKV(t, s.consul, "get", "sluice/status/x.hcl"); !strings.Contains(got, "accepted") {
			t.Errorf("consul kv get says %q", got)
		}
		consulKV(t, s.consul, "delete", "sluice/routes/x.hcl")
		s.answer(t, "x.example.com", "/x", 404)
		s.silent(t, "x.hcl")
		s.silent(t, "values/canary/x")
	})
}

// consulKV runs the consul command as an operator does.
func consulKV(t testing.TB, c *testenv.Consul, args ...string) string {
	t.Helper()
	cmd := exec.Command(testenv.ConsulPath(t), append([]string{"kv"}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "CONSUL_HTTP_ADDR=" + c.Addr, "CONSUL_HTTP_TOKEN=" + c.Token}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatal(fmt.Errorf("consul kv %s: %w\n%s", strings.Join(args, " "), err, out))
	}
	return string(out)
}
