package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/sluice-gateway/sluice/catalog/policies"
	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// operator runs sluice's commands with a token that may do what an operator needs and nothing else.
type operator struct {
	*stack
	t    *testing.T
	env  []string
	docs string
}

// TestOperator plans, applies, looks back, rolls back, freezes and drains against a server with Envoys under load.
func TestOperator(t *testing.T) {
	t.Parallel()
	s := newStack(t, setup{edges: 2, consul: testenv.ConsulOptions{ACL: true}})
	s.service("blue")
	s.service("green")
	s.put("colours.hcl", upstream("blue")+upstream("green"))
	o := &operator{stack: s, docs: t.TempDir(), env: []string{
		"SLUICE_ADDR=http://" + s.planes[0].api, "CONSUL_HTTP_ADDR=" + s.consul.Addr,
		"CONSUL_HTTP_TOKEN=" + s.consul.CreateToken(policies.Apply("sluice/")),
	}}
	for _, c := range []struct {
		name string
		play func(*operator)
	}{
		{"apply waits for the Envoys", applied},
		{"nobody's change is overwritten", notOverwritten},
		{"a hundred documents change over at once", changedOver},
		{"an earlier version is put back", rolledBack},
		{"nothing changes while frozen", frozenWorld},
		{"an endpoint is drained", drainedEndpoint},
	} {
		t.Run(c.name, func(t *testing.T) {
			o.t = t
			s.steady(t, func() { c.play(o) })
		})
	}
}

// do runs a command that must end with a code.
func (o *operator) do(code int, args ...string) string {
	o.t.Helper()
	out, got := tool(o.t, o.env, args...)
	if got != code {
		o.t.Fatalf("sluice %s ended with %d, want %d:\n%s", strings.Join(args, " "), got, code, out)
	}
	return out
}

// write puts a document into the operator's folder, below ops/.
func (o *operator) write(name, text string) {
	o.t.Helper()
	if err := os.MkdirAll(filepath.Join(o.docs, "ops"), 0o700); err != nil {
		o.t.Fatal(err)
	}
	writeFile(o.t, filepath.Join(o.docs, "ops"), name, text)
}

// now demands an answer of every Envoy at once, without waiting for it.
func (o *operator) now(host, path, from string) {
	o.t.Helper()
	for _, e := range o.edges {
		status, got, err := request(e.addr, host, path)
		if err != nil || status != http.StatusOK || got != from {
			o.t.Errorf("%s answers %s%s with %d from %q (%v), want %s", e.id, host, path, status, got, err, from)
		}
	}
}

func applied(o *operator) {
	o.write("shop.hcl", route("shop", "shop.example.com", "/", "blue"))
	if err := contains(o.do(2, "plan", "-detailed-exitcode", o.docs), "+ route.shop", "1 to add"); err != nil {
		o.t.Error(err)
	}
	o.answer(o.t, "shop.example.com", "/", 404) // a plan does nothing
	for range 5 {
		for _, to := range []string{"blue", "green"} {
			o.write("shop.hcl", route("shop", "shop.example.com", "/", to))
			o.do(0, "apply", "-auto-approve", o.docs)
			o.now("shop.example.com", "/", to)
		}
	}
	o.do(0, "plan", "-detailed-exitcode", o.docs)
	o.write("wrong.hcl", route("wrong", "wrong.example.com", "/", "grene"))
	if err := contains(o.do(1, "apply", "-auto-approve", o.docs), "Did you mean", "wrong.hcl line"); err != nil {
		o.t.Error(err)
	}
	if err := os.Remove(filepath.Join(o.docs, "ops", "wrong.hcl")); err != nil {
		o.t.Fatal(err)
	}
}

func notOverwritten(o *operator) {
	plan := filepath.Join(o.t.TempDir(), "plan.json")
	o.write("shop.hcl", route("shop", "shop.example.com", "/", "blue"))
	o.do(0, "plan", "-out", plan, o.docs)
	o.put("ops/shop.hcl", "# by somebody else\n"+route("shop", "shop.example.com", "/", "green"))
	if err := contains(o.do(2, "apply", "-auto-approve", plan), "somebody else", "routes/ops/shop.hcl"); err != nil {
		o.t.Error(err)
	}
	o.serve(o.t, "shop.example.com", "/", "green")
	o.says(o.t, "ops/shop.hcl", "accepted (")
	o.do(0, "apply", "-auto-approve", o.docs)
	o.now("shop.example.com", "/", "blue")
}

// changedOver writes more than one transaction of Consul takes.
func changedOver(o *operator) {
	all := func(to string) {
		for i := range 100 {
			o.write(fmt.Sprintf("many-%d.hcl", i), route(fmt.Sprintf("many-%d", i), "hundred.example.com", fmt.Sprintf("/%d", i), to))
		}
	}
	all("blue")
	o.do(0, "apply", "-auto-approve", o.docs)
	for i := 0; i < 100; i += 9 {
		o.now("hundred.example.com", fmt.Sprintf("/%d", i), "blue")
	}
	o.calm(o.t, "hundred.example.com", "/50", func() {
		all("green")
		o.do(0, "apply", "-auto-approve", o.docs)
		for i := 0; i < 100; i += 9 {
			o.now("hundred.example.com", fmt.Sprintf("/%d", i), "green")
		}
	})
	for i := range 100 {
		if err := os.Remove(filepath.Join(o.docs, "ops", fmt.Sprintf("many-%d.hcl", i))); err != nil {
			o.t.Fatal(err)
		}
	}
	for _, name := range []string{"base.hcl", "colours.hcl"} {
		pair, _, err := o.consul.Client().KV().Get("sluice/routes/"+name, nil)
		if err != nil {
			o.t.Fatal(err)
		}
		writeFile(o.t, o.docs, name, string(pair.Value))
	}
	o.do(0, "apply", "-auto-approve", "-prune", o.docs)
	o.answer(o.t, "hundred.example.com", "/50", 404)
	o.now("shop.example.com", "/", "blue")
}

func rolledBack(o *operator) {
	o.write("shop.hcl", route("shop", "shop.example.com", "/", "green"))
	o.do(0, "apply", "-auto-approve", o.docs)
	o.now("shop.example.com", "/", "green")
	o.says(o.t, "ops/shop.hcl", "accepted (") // the history is written with the status
	var versions []struct {
		Version uint64
		Text    string
	}
	if err := json.Unmarshal([]byte(o.do(0, "history", "-json", "ops/shop.hcl")), &versions); err != nil {
		o.t.Fatal(err)
	}
	for _, v := range versions {
		if strings.Contains(v.Text, "upstream.blue") {
			o.do(0, "rollback", "-auto-approve", "ops/shop.hcl", "-to", fmt.Sprint(v.Version))
			o.now("shop.example.com", "/", "blue")
			return
		}
	}
	o.t.Errorf("no version of before is in the history: %+v", versions)
}

func frozenWorld(o *operator) {
	o.do(0, "freeze", "-reason", "a release is under way")
	o.planes[0].waitStatus(o.t, func(st console.Status) error {
		if !st.Frozen || st.Reason != "a release is under way" {
			return fmt.Errorf("frozen: %v %q", st.Frozen, st.Reason)
		}
		return nil
	})
	o.put("ops/frozen.hcl", route("frozen", "frozen.example.com", "/", "blue"))
	two := testenv.StartUpstream(o.stack.t, "blue")
	o.put("ops/pool.hcl", route("pool", "pool.example.com", "/", "blue"))
	o.register("blue", two, api.HealthPassing) // endpoints go on
	o.calm(o.t, "steady.example.com", "/", func() {})
	o.answer(o.t, "frozen.example.com", "/", 404)
	o.do(0, "unfreeze")
	o.serve(o.t, "frozen.example.com", "/", "blue")
	o.serve(o.t, "pool.example.com", "/", "blue")
	o.calm(o.t, "pool.example.com", "/", func() { in(o.t, two) })
	o.deregister("blue", two)
	o.calm(o.t, "pool.example.com", "/", func() { out(o.t, two) })
}

func drainedEndpoint(o *operator) {
	two := testenv.StartUpstream(o.stack.t, "blue")
	o.register("blue", two, api.HealthPassing)
	o.calm(o.t, "pool.example.com", "/", func() {
		in(o.t, two)
		o.do(0, "endpoint", "drain", two.Address)
		out(o.t, two)
		o.do(0, "endpoint", "drain", "-undo", two.Address)
		in(o.t, two)
	})
}
