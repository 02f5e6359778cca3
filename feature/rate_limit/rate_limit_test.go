package ratelimit

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/ratelimit"
	"github.com/sluice-gateway/sluice/xds/translate"
)

func TestFeature(t *testing.T) { featuretest.Run(t, Kind()) }

// service is the control plane's part, at a port of its own. stop ends it.
func service(t *testing.T) (port int, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer()
	ratelimit.NewService(ratelimit.New(1000), time.Now).Register(g)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = g.Serve(l)
	}()
	stop = func() {
		g.Stop()
		<-done
	}
	t.Cleanup(stop)
	return l.Addr().(*net.TCPAddr).Port, stop
}

// asking adds the cluster of the control planes.
func asking(t *testing.T, port int) func(*bootstrapv3.Bootstrap) {
	return func(b *bootstrapv3.Bootstrap) {
		c := &clusterv3.Cluster{}
		text := fmt.Sprintf(`{"name":"xds","connect_timeout":"1s","load_assignment":{"cluster_name":"xds","endpoints":[{"lb_endpoints":[
			{"endpoint":{"address":{"socket_address":{"address":"127.0.0.1","port_value":%d}}}}]}]},"http2_protocol_options":{}}`, port)
		if err := protojson.Unmarshal([]byte(text), c); err != nil {
			t.Fatal(err)
		}
		b.StaticResources.Clusters = append(b.StaticResources.Clusters, c)
	}
}

// Two Envoys share the counters; without the service each block does as it says.
func TestEnvoysShareALimit(t *testing.T) {
	backend := featuretest.Backend(t, func(http.ResponseWriter, *http.Request) {})
	port, stop := service(t)
	docs := featuretest.Documents{"edge.hcl": fmt.Sprintf(`
gateway "edge" {
  listener "http" { port = 8080 }
}
upstream "shop" {
  static { endpoints = [%q] }
}
route "tenant" {
  match { prefix = "/tenant" }
  rate_limit "per_tenant" {
    requests = 10
    per      = "1h"
    key      = request.headers["x-tenant"]
  }
  to { upstream = upstream.shop }
}
route "strict" {
  match { prefix = "/strict" }
  rate_limit "all" {
    requests        = 10
    per             = "1h"
    without_service = "deny"
  }
  to { upstream = upstream.shop }
}
`, backend)}
	resources := featuretest.Translate(t, []translate.Kind{Kind()}, docs).Must(t).Resources
	var edges []*featuretest.Edge
	for range 2 {
		edges = append(edges, featuretest.ServeResources(t, resources, asking(t, port)))
	}
	for _, tenant := range []string{"x-tenant: a", "x-tenant: b", "x-none: c"} {
		passed := 0
		for i := range 30 {
			a := edges[i%2].Do(t, "GET", "shop.example.com", "/tenant", tenant)
			switch a.Status {
			case http.StatusOK:
				passed++
			case http.StatusTooManyRequests:
				if !strings.Contains(a.Body, `"rate_limited"`) || a.Header.Get("Retry-After") == "" || a.Header.Get("Content-Type") != "application/json" {
					t.Fatalf("%v %s", a.Header, a.Body)
				}
			default:
				t.Fatal(a)
			}
			if a.Header.Get("RateLimit-Policy") != `"per_tenant";q=10;w=3600` || a.Header.Get("RateLimit") == "" {
				t.Fatal(a.Header)
			}
		}
		if passed != 10 {
			t.Errorf("%s: %d requests passed", tenant, passed)
		}
	}
	stop()
	if a := edges[0].Do(t, "GET", "shop.example.com", "/tenant", "x-tenant: a"); a.Status != http.StatusOK {
		t.Errorf("without the service: %d", a.Status)
	}
	if a := edges[0].Do(t, "GET", "shop.example.com", "/strict"); a.Status != http.StatusServiceUnavailable {
		t.Errorf("without the service, deny: %d", a.Status)
	}
}
