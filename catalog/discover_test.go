package catalog_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

func TestDiscoverListsServices(t *testing.T) {
	consul := testenv.StartConsul(t, testenv.ConsulOptions{ACL: true})
	register := func(name, id, address string, port int, tags ...string) {
		consul.Register(&api.CatalogRegistration{Node: "n1", Address: "10.0.0.1", SkipNodeUpdate: true, Service: &api.AgentService{
			ID: id, Service: name, Address: address, Port: port, Tags: tags,
		}})
	}
	consul.Register(&api.CatalogRegistration{Node: "n1", Address: "10.0.0.1"})
	register("shop", "shop-1", "10.0.0.1", 80, "v1")
	register("shop", "shop-2", "10.0.0.2", 80, "v2", "v1")
	register("shop", "shop-3", "shop.example.com", 80)
	register("web", "web-1", "", 0)
	register("hidden", "hidden-1", "10.0.0.4", 80)
	consul.Register(&api.CatalogRegistration{Node: "n1", Address: "10.0.0.1", SkipNodeUpdate: true, Service: &api.AgentService{
		ID: "proxy", Service: "shop-sidecar-proxy", Kind: api.ServiceKindConnectProxy, Address: "10.0.0.1", Port: 81,
		Proxy: &api.AgentServiceConnectProxyConfig{DestinationServiceName: "shop"},
	}})
	const policy = `
node_prefix "" { policy = "read" }
service_prefix "" { policy = "read" }
service_prefix "hidden" { policy = "deny" }
`
	client := func(name, token string) *catalog.Client {
		c, err := catalog.New(catalog.Config{Name: name, Addresses: []string{consul.Addr}, Token: token})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	main := client("main", consul.CreateToken(policy))
	found, err := catalog.Kind(main).Discover(t.Context())
	if got, want := summary(found), `shop 2 [shop] datacenter dc1, tags v1, v2; 1 more without an IP address or a port
web 0 [web] datacenter dc1; 1 more without an IP address or a port
`; err != nil || got != want {
		t.Errorf("%v:\n%s, want\n%s", err, got, want)
	}
	for _, c := range []struct {
		spec catalog.ServiceSpec
		want bool
	}{
		{catalog.ServiceSpec{Service: "shop"}, true},
		{catalog.ServiceSpec{Service: "shop", Tags: []string{"v1"}, Connection: "main", Datacenter: "dc1"}, true},
		{catalog.ServiceSpec{Service: "web"}, false},
		{catalog.ServiceSpec{Service: "shop", Datacenter: "dc2"}, false},
		{catalog.ServiceSpec{Service: "shop", Connection: "other"}, false},
		{catalog.ServiceSpec{Service: "shop", Namespace: "team"}, false},
		{catalog.ServiceSpec{Service: "shop", Partition: "team"}, false},
	} {
		if got := found[0].Covered(&c.spec); got != c.want {
			t.Errorf("covered by %s: %v", c.spec.SourceKey(), got)
		}
	}

	// Of several, one that is refused is named, and the others are listed.
	found, err = catalog.Kind(main, client("second", "no such token")).Discover(t.Context())
	if len(found) != 2 || !strings.Contains(summary(found), "[shop connection=main]") || found[0].Covered(&catalog.ServiceSpec{Service: "shop"}) {
		t.Errorf("%s", summary(found))
	}
	if err == nil || !strings.Contains(err.Error(), "consul second: list services: ") || strings.Contains(err.Error(), "no such token") {
		t.Errorf("%v", err)
	}
}

func summary(found []discovery.Found) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%s %d [%s] %s\n", f.Name, f.Count, f.Spec.SourceKey().Query, f.Note)
	}
	return b.String()
}
