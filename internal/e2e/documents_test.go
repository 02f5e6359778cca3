package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// TestDocuments plays what operators do to documents and values, and what they do wrong.
func TestDocuments(t *testing.T) {
	s := newStack(t, setup{edges: 2, hold: "5s"})
	s.service("blue")
	s.service("green")
	s.put("colours.hcl", upstream("blue")+upstream("green"))
	for _, c := range []struct {
		name string
		play func(*testing.T, *stack)
	}{
		{"the prefix is deleted and put back", prefixPutBack}, // before anything is removed: removals follow late
		{"put is live on every Envoy", putIsLive},
		{"a document that does not parse", brokenDocument},
		{"one bad route among a thousand", oneBadRoute},
		{"two documents claim the same", sameClaim},
		{"a document near the limit of Consul", largeDocument},
		{"regular expressions and bytes that are none of ours", hostileDocuments},
		{"an upstream is deleted that a route calls", deletedUpstream},
		{"a service without instances", missingInstances},
		{"health decides who takes part", health},
		{"a folder is deleted for good", deletedFolder},
	} {
		t.Run(c.name, func(t *testing.T) { c.play(t, s) })
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

func brokenDocument(t *testing.T, s *stack) {
	s.put("broken.hcl", route("broken", "broken.example.com", "/", "blue"))
	s.serve(t, "broken.example.com", "/", "blue")
	s.calm(t, "broken.example.com", "/", func() {
		s.put("broken.hcl", "route \"broken\" {\n  hosts = [\n")
		s.says(t, "broken.hcl", "rejected: it cannot be read; what was accepted before stays in force", "on consul:broken.hcl line 3")
		s.put("beside.hcl", route("beside", "beside.example.com", "/", "green"))
		s.serve(t, "beside.example.com", "/", "green")
		s.serve(t, "broken.example.com", "/", "blue")
	})
	s.put("broken.hcl", route("broken", "broken.example.com", "/", "green"))
	s.serve(t, "broken.example.com", "/", "green")
	s.says(t, "broken.hcl", "accepted (")
	s.remove("broken.hcl", "beside.hcl")
	s.answer(t, "broken.example.com", "/", 404)
}

func oneBadRoute(t *testing.T, s *stack) {
	document := func(folder, n int, to string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(route(fmt.Sprintf("many-%d-%d", folder, i), "many.example.com", fmt.Sprintf("/%d/%d", folder, i), to))
		}
		return b.String()
	}
	s.steady(t, func() {
		for i := range 10 {
			text := document(i, 100, "blue")
			if i == 7 {
				text = strings.Replace(text, `hosts = ["many.example.com"]
  match { prefix = "/7/50" }
  to { upstream = upstream.blue }`, `hosts = ["many.example.com"]
  match { prefix = "/7/50" }
  to { upstream = upstream.bleu }`, 1)
			}
			s.put(fmt.Sprintf("many/%d.hcl", i), text)
		}
		for i := range 10 {
			s.serve(t, "many.example.com", fmt.Sprintf("/%d/0", i), "blue")
			s.serve(t, "many.example.com", fmt.Sprintf("/%d/99", i), "blue")
		}
		s.serve(t, "many.example.com", "/7/49", "blue")
		s.serve(t, "many.example.com", "/7/51", "blue")
		s.answer(t, "many.example.com", "/7/50", 404)
		s.says(t, "many/7.hcl", "rejected in part", "route.many-7-50", "bleu", "blue", "on consul:many/7.hcl line")
		s.says(t, "many/6.hcl", "accepted (")
		s.planes[0].waitStatus(t, func(st console.Status) error {
			if st.Blocks["rejected"] != 1 || st.Blocks["accepted"] < 999 {
				return fmt.Errorf("blocks: %v", st.Blocks)
			}
			return nil
		})
	})
	s.calm(t, "many.example.com", "/7/50/", func() {}, 404)
	s.calm(t, "many.example.com", "/3/3", func() { // one document of a thousand
		s.put("thousand.hcl", strings.Replace(document(10, 1000, "green"), "prefix = \"/10/500\"", "prefex = \"/10/500\"", 1))
		s.serve(t, "many.example.com", "/10/0", "green")
		s.serve(t, "many.example.com", "/10/499", "green")
		s.serve(t, "many.example.com", "/10/501", "green")
		s.serve(t, "many.example.com", "/10/999", "green")
		s.answer(t, "many.example.com", "/10/500", 404)
		s.says(t, "thousand.hcl", "rejected in part", "route.many-10-500", "prefex", "prefix")
	})
	s.steady(t, func() {
		s.consul.Delete("sluice/routes/many/") // a whole folder, confirmed after the hold
		s.remove("thousand.hcl")
		s.answer(t, "many.example.com", "/10/0", 404)
		s.answer(t, "many.example.com", "/0/0", 404)
	})
}

func sameClaim(t *testing.T, s *stack) {
	s.put("claim-b.hcl", route("first", "claim.example.com", "/", "blue"))
	s.serve(t, "claim.example.com", "/", "blue")
	s.says(t, "claim-b.hcl", "accepted (")
	s.calm(t, "claim.example.com", "/", func() {
		s.put("claim-a.hcl", route("second", "claim.example.com", "/", "green"))
		s.says(t, "claim-a.hcl", "rejected in part", "claim-b.hcl", "nothing is in force")
		s.says(t, "claim-b.hcl", "accepted (")
		s.serve(t, "claim.example.com", "/", "blue")
		s.put("claim-c.hcl", route("first", "other.example.com", "/", "green")) // the name is claimed, too
		s.says(t, "claim-c.hcl", "rejected in part", "claim-b.hcl")
		s.remove("claim-c.hcl", "claim-b.hcl")
		s.serve(t, "claim.example.com", "/", "green")
		s.says(t, "claim-a.hcl", "accepted (")
	})
	s.remove("claim-a.hcl")
	s.answer(t, "claim.example.com", "/", 404)
}

func deletedUpstream(t *testing.T, s *stack) {
	s.service("old")
	s.put("old.hcl", upstream("old"))
	s.put("caller.hcl", route("caller", "caller.example.com", "/", "old"))
	s.serve(t, "caller.example.com", "/", "old")
	s.calm(t, "caller.example.com", "/", func() {
		s.remove("old.hcl")
		s.planes[0].waitBlock(t, "upstream.old", "retired", "route.caller")
		s.put("beside.hcl", route("beside", "beside.example.com", "/", "green"))
		s.serve(t, "beside.example.com", "/", "green")
		s.serve(t, "caller.example.com", "/", "old")
	})
	s.remove("caller.hcl", "beside.hcl")
	s.answer(t, "caller.example.com", "/", 404)
	s.planes[0].waitStatus(t, func(st console.Status) error {
		if st.Blocks["retired"] > 0 {
			return fmt.Errorf("still retired: %v", st.Problems)
		}
		return nil
	})
}

func missingInstances(t *testing.T, s *stack) {
	s.put("ghost.hcl", upstream("ghost")+route("ghost", "ghost.example.com", "/", "ghost"))
	s.steady(t, func() {
		for i := range 5 {
			name, host := fmt.Sprintf("beside-%d", i), fmt.Sprintf("beside-%d.example.com", i)
			s.put(name+".hcl", route(name, host, "/", "green"))
			s.serve(t, host, "/", "green")
		}
		s.answer(t, "ghost.example.com", "/", 503)
		s.says(t, "ghost.hcl", "accepted (")
		for i := range 5 {
			s.remove(fmt.Sprintf("beside-%d.hcl", i))
		}
		s.service("ghost")
		s.serve(t, "ghost.example.com", "/", "ghost")
	})
	s.remove("ghost.hcl")
	s.answer(t, "ghost.example.com", "/", 404)
}
