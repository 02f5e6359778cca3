package e2e

import (
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// TestDatacentersFailOver serves one upstream from two real datacenters, in order, and loses each.
func TestDatacentersFailOver(t *testing.T) {
	t.Parallel()
	s := newStack(t, setup{edges: 1, hold: "5s", consul: testenv.ConsulOptions{WAN: true, Keep: true}})
	there := testenv.StartConsul(t, testenv.ConsulOptions{WAN: true, Keep: true, Datacenter: "dc2", Federate: s.consul})
	near, far := s.service("near"), testenv.StartUpstream(t, "far")
	s.register("shop", near, api.HealthPassing)
	(&stack{t: t, consul: there}).register("shop", far, api.HealthPassing)
	s.put("shop.hcl", `
upstream "shop" {
  consul {
    service  = "shop"
    failover = ["dc2"]
  }
}
`+route("shop", "shop.example.com", "/", "shop"))
	s.serve(t, "shop.example.com", "/", "near")
	look(t, s.planes[0], func(list []console.Upstream) error {
		for _, u := range list {
			if u.Name == "shop" {
				if len(u.Sources) != 2 || len(u.Endpoints) != 2 {
					t.Logf("shop is %+v", u)
				}
				return contains(u.Sources[0]+" "+u.Sources[1], "consul:shop consul:shop dc=dc2")
			}
		}
		return contains("", "upstream shop")
	}, "upstreams")
	s.calm(t, "shop.example.com", "/", func() {
		t.Log("the datacenter is not healthy")
		s.register("shop", near, api.HealthCritical)
		s.serve(t, "shop.example.com", "/", "far")
		t.Log("the other datacenter is away: what it said last is in force")
		there.Kill()
		s.planes[0].waitWatches(t, "failing")
		s.serve(t, "shop.example.com", "/", "far")
		t.Log("the datacenter is healthy again")
		s.register("shop", near, api.HealthPassing)
		s.serve(t, "shop.example.com", "/", "near")
		there.Start()
		s.planes[0].waitWatches(t, "ok")
	})
}

// TestTheMeshOfAnotherDatacenter fails over to members of the mesh whose names, and whose authority's certificate, are of
// another datacenter, and not to one that is of the first.
func TestTheMeshOfAnotherDatacenter(t *testing.T) {
	t.Parallel()
	s := newStack(t, setup{edges: 1, consul: testenv.ConsulOptions{WAN: true, Mesh: true}})
	there := testenv.StartConsul(t, testenv.ConsulOptions{WAN: true, Mesh: true, Datacenter: "dc2", Federate: s.consul})
	near, far := startPeer(t, s.consul, "shop", "near"), startPeer(t, there, "shop", "far")
	s.registerPeer("shop", near.port, api.HealthPassing)
	(&stack{t: t, consul: there}).registerPeer("shop", far.port, api.HealthPassing)
	s.put("shop.hcl", `
upstream "shop" {
  consul {
    service  = "shop"
    connect  = true
    failover = ["dc2"]
  }
}
upstream "near" {
  consul {
    service = "shop"
    connect = true
  }
}
`+route("shop", "shop.example.com", "/", "shop")+route("near", "near.example.com", "/", "near"))
	s.serve(t, "shop.example.com", "/", "near")
	s.calm(t, "shop.example.com", "/", func() {
		s.registerPeer("shop", near.port, api.HealthCritical)
		s.serve(t, "shop.example.com", "/", "far")
		s.registerPeer("shop", near.port, api.HealthPassing)
		s.serve(t, "shop.example.com", "/", "near")
	})
	s.serve(t, "near.example.com", "/", "near")
	s.registerPeer("shop", far.port, api.HealthPassing) // of the first datacenter, and proves to be of the second
	s.registerPeer("shop", near.port, api.HealthCritical)
	s.gives(t, "near.example.com", "connection_failed")
}
