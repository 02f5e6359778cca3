package e2e

import (
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/sluice-gateway/sluice/catalog/policies"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

const teams = `
team "orders" {
  documents = ["team-orders/**"]
  upstreams = ["app"]
  values    = ["team-orders/**"]
  claim { host = "orders.example.com" }
  claim {
    host   = "shop.example.com"
    prefix = "/orders"
  }
}
`

// TestTeamsShareAnEdge gives a team the shipped policy, and has it try what is not its own: in Consul, and in documents.
func TestTeamsShareAnEdge(t *testing.T) {
	t.Parallel()
	s := newStack(t, setup{planes: 2, edges: 2, consul: testenv.ConsulOptions{ACL: true}})
	s.service("secret")
	s.put("ops.hcl", upstream("secret")+route("shop", "shop.example.com", "/", "app")+route("inner", "inner.example.com", "/", "secret"))
	s.put("teams.hcl", teams)
	s.serve(t, "inner.example.com", "/", "secret")
	s.says(t, "teams.hcl", "accepted (")

	token := s.consul.CreateToken(policies.Team("sluice/", "team-orders"))
	kv := s.consul.Client().KV()
	put := func(key, value string) error {
		_, err := kv.Put(&api.KVPair{Key: key, Value: []byte(value)}, &api.WriteOptions{Token: token})
		return err
	}
	may := func(key, value string) {
		t.Helper()
		if err := put(key, value); err != nil {
			t.Fatalf("the team cannot write %s: %v", key, err)
		}
	}
	for _, key := range []string{
		"sluice/routes/ops.hcl", "sluice/routes/teams.hcl", "sluice/routes/team-ordersx/a.hcl", "sluice/routes/team-billing/a.hcl",
		"sluice/values/canary/divide", "sluice/accepted/route.shop", "sluice/status/team-orders/x.hcl", "sluice/quarantine/x", "sluice/hold", "sluice/freeze",
	} {
		if err := put(key, "x"); err == nil || !strings.Contains(err.Error(), "403") {
			t.Errorf("the team may write %s: %v", key, err)
		}
	}

	own := "route \"orders\" {\n  hosts = [\"orders.example.com\", \"shop.example.com\"]\n  match {\n    prefix = \"/orders\"\n  }\n  to { upstream = upstream.app }\n}\n"
	may("sluice/routes/team-orders/own.hcl", own)
	s.serve(t, "orders.example.com", "/orders/1", "app")
	s.says(t, "team-orders/own.hcl", "accepted (")

	s.steady(t, func() {
		for name, c := range map[string]struct{ text, says string }{
			"host":     {route("steal", "inner.example.com", "/", "app"), `host "inner.example.com"`},
			"priority": {"route \"first\" {\n  hosts    = [\"shop.example.com\"]\n  priority = 9\n  to { upstream = upstream.app }\n}\n", "shop.example.com/orders"},
			"wildcard": {"route \"all\" {\n  to { upstream = upstream.app }\n}\n", `host "*"`},
			"upstream": {route("peek", "orders.example.com", "/peek", "secret"), "may not use upstream.secret"},
			"mirror":   {"route \"copy\" {\n  hosts = [\"orders.example.com\"]\n  match { prefix = \"/copy\" }\n  mirror { upstream = upstream.secret }\n  to { upstream = upstream.app }\n}\n", "may not use upstream.secret"},
			"define":   {upstream("mine"), "may not define upstreams"},
			"vault":    {"secret \"mine\" {\n  vault_kv {\n    path = \"root\"\n  }\n}\n", "may not define secrets"},
			"gateway":  {"gateway \"mine\" {\n  listener \"http\" { port = 1 }\n}\n", "belongs to the operators"},
			"team":     {"team \"mine\" {\n  documents = [\"x\"]\n  claim { host = \"*\" }\n}\n", "belongs to the operators"},
			"squat":    {route("shop", "orders.example.com", "/squat", "app"), "Duplicate route"},
		} {
			may("sluice/routes/team-orders/"+name+".hcl", c.text)
			s.says(t, "team-orders/"+name+".hcl", c.says)
		}
		s.serve(t, "inner.example.com", "/", "secret")
		s.serve(t, "shop.example.com", "/x", "app")
		s.serve(t, "orders.example.com", "/orders/1", "app")
		s.answer(t, "orders.example.com", "/peek", 404)
	})

	s.put("teams.hcl", strings.Replace(teams, `"orders.example.com"`, `"other.example.com"`, 1))
	s.answer(t, "orders.example.com", "/orders/1", 404) // the route takes two hosts, and one is no more the team's
	s.says(t, "team-orders/own.hcl", `host "orders.example.com"`)
	s.put("teams.hcl", teams)
	s.serve(t, "orders.example.com", "/orders/1", "app")
}
