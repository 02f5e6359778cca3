package loadbalancer

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/xds/translate"
)

func TestFeature(t *testing.T) { featuretest.Run(t, Kind()) }

const setting = `
		gateway "edge" {
		  listener "http" { port = 8080 }
		}
`

// backends start n servers that answer with a letter each, from a on.
func backends(t *testing.T, n int) (addresses []string) {
	for i := range n {
		addresses = append(addresses, featuretest.Backend(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte{'a' + byte(i)})
		}))
	}
	return addresses
}

func TestRequestsOfOneHashMeetOneEndpoint(t *testing.T) {
	edge := featuretest.Serve(t, []translate.Kind{Kind()}, featuretest.Documents{"a.hcl": setting + `
		route "shop" {
		  to { upstream = upstream.shop }
		}
		upstream "shop" {
		  static { endpoints = ["` + strings.Join(backends(t, 3), `", "`) + `"] }
		  load_balancer {
		    policy = "maglev"
		    hash {
		      header   = "x-user"
		      terminal = true
		    }
		    hash {
		      cookie = "seat"
		      ttl    = "1h"
		    }
		  }
		}`})
	used := map[string]bool{}
	for user := range 30 {
		var first string
		for n := range 4 {
			a := edge.Do(t, "GET", "shop.example.com", "/", fmt.Sprint("x-user: ", user))
			if n == 0 {
				first = a.Body
			}
			if a.Body != first {
				t.Fatalf("user %d met %s, then %s", user, first, a.Body)
			}
		}
		used[first] = true
	}
	if len(used) != 3 {
		t.Errorf("30 users met the endpoints %v, want all three", used)
	}
	a := edge.Do(t, "GET", "shop.example.com", "/")
	cookie, _, _ := strings.Cut(a.Header.Get("set-cookie"), ";")
	if !strings.HasPrefix(cookie, "seat=") {
		t.Fatalf("a client without a seat is given none: %v", a.Header)
	}
	for range 5 {
		if again := edge.Do(t, "GET", "shop.example.com", "/", "cookie: "+cookie); again.Body != a.Body {
			t.Errorf("a client with a seat met %s, then %s", a.Body, again.Body)
		}
	}
}

func TestTrafficStaysInTheZone(t *testing.T) {
	const documents = setting + `
		route "tagged" {
		  match { prefix = "/tagged" }
		  to {
		    upstream = upstream.shop
		    subset   = { tag = "new" }
		  }
		}
		route "shop" {
		  to { upstream = upstream.shop }
		}
		upstream "shop" {
		  static {
		    endpoint %q {
		      zone = "east"
		      tags = ["new"]
		    }
		    endpoint %q {
		      zone = "west"
		      tags = ["new"]
		    }
		    endpoint %q {
		      zone = "west"
		    }
		  }
		  load_balancer {
		    prefer_zone { endpoints = %d }
		  }
		}`
	at := backends(t, 3)
	for _, c := range []struct {
		zone              string
		least             int
		shop, tagged, why string
	}{
		{"west", 1, "bc", "b", "the zone has endpoints"},
		{"east", 1, "a", "a", "the zone has endpoints"},
		{"east", 2, "abc", "ab", "the zone has too few"},
		{"south", 1, "abc", "ab", "the zone has none"},
		{"", 1, "abc", "ab", "the Envoy has no zone"},
	} {
		docs := featuretest.Documents{"a.hcl": fmt.Sprintf(documents, at[0], at[1], at[2], c.least)}
		edge := featuretest.ServeResources(t, featuretest.Translate(t, []translate.Kind{Kind()}, docs).Must(t).Resources, inZone(c.zone))
		for path, want := range map[string]string{"/": c.shop, "/tagged": c.tagged} {
			met := map[string]bool{}
			for range 100 {
				met[edge.Do(t, "GET", "shop.example.com", path).Body] = true
			}
			got := ""
			for _, letter := range "abc" {
				if met[string(letter)] {
					got += string(letter)
				}
			}
			if got != want || len(met) != len(want) {
				t.Errorf("zone %q, at least %d: %s met %v, want %s: %s", c.zone, c.least, path, met, want, c.why)
			}
		}
	}
}

// inZone makes an Envoy know its zone, as package bootstrap does.
func inZone(zone string) func(*bootstrapv3.Bootstrap) {
	return func(b *bootstrapv3.Bootstrap) {
		if zone == "" {
			return
		}
		at := &corev3.Locality{Zone: zone}
		b.Node.Locality = at
		b.ClusterManager = &bootstrapv3.ClusterManager{LocalClusterName: "local"}
		b.StaticResources.Clusters = append(b.StaticResources.Clusters, &clusterv3.Cluster{
			Name: "local", ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
			LoadAssignment: &endpointv3.ClusterLoadAssignment{ClusterName: "local", Endpoints: []*endpointv3.LocalityLbEndpoints{{
				Locality: at,
				LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{
					Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
						Address: "127.0.0.1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 1},
					}}},
				}}}},
			}}},
		})
	}
}
