package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/sluice-gateway/sluice/catalog/policies"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// stack is what an operator runs: Consul, replicas of the control plane, Envoys of one gateway, and a service.
type stack struct {
	consul *testenv.Consul
	planes []*plane
	edges  []*edge
	app    *testenv.Upstream // service "app", which the route "steady" calls

	t      *testing.T
	port   int // of the gateway's listener
	hold   string
	policy string // ID of the replicas' policy, with ACLs
	token  string // of the replicas, with ACLs
	xdsTLS string // block of the replicas' configuration
}

// setup says what a stack is made of. The zero value is one replica without ACLs, and no Envoy; with none, no replica
// is started, and no Envoy.
type setup struct {
	planes int // 1 when 0
	edges  int
	none   bool
	consul testenv.ConsulOptions
	hold   string // how long a lost list is held; "60s" when empty
}

// newStack starts everything and returns once each Envoy serves the steady route.
func newStack(t *testing.T, o setup) *stack {
	t.Helper()
	s := &stack{t: t, port: testenv.FreePort(t), hold: o.hold}
	if s.hold == "" {
		s.hold = "60s"
	}
	s.consul = testenv.StartConsul(t, o.consul)
	if o.consul.ACL {
		rules := policies.Reader("sluice/") + policies.Writer("sluice/")
		if o.consul.Mesh {
			rules += policies.Mesh("sluice")
		}
		s.policy, s.token = s.consul.CreatePolicy(rules)
	}
	s.app = s.service("app")
	s.put("base.hcl", s.base())
	if o.none {
		return s
	}
	for range max(o.planes, 1) {
		s.addPlane()
	}
	for range o.edges {
		s.addEdge("edge")
	}
	for _, e := range s.edges {
		e.serves(t, "steady.example.com", "/", "app")
	}
	return s
}

func (s *stack) base() string {
	return fmt.Sprintf(`
gateway "edge" {
  listener "http" {
    address = "127.0.0.1"
    port    = %d
  }
}

upstream "app" {
  consul { service = "app" }
}

route "steady" {
  hosts = ["steady.example.com"]
  to { upstream = upstream.app }
}
`, s.port)
}

// service starts an upstream and registers it as a service of that name, healthy.
func (s *stack) service(name string) *testenv.Upstream {
	s.t.Helper()
	u := testenv.StartUpstream(s.t, name)
	s.register(name, u, api.HealthPassing)
	return u
}

// register makes an upstream an instance of a service.
func (s *stack) register(service string, u *testenv.Upstream, health string) {
	s.t.Helper()
	id := fmt.Sprintf("%s-%d", service, u.Port())
	s.consul.Register(&api.CatalogRegistration{
		Node: "vm-" + id, Address: "127.0.0.1",
		Service: &api.AgentService{ID: id, Service: service, Address: "127.0.0.1", Port: u.Port()},
		Checks: api.HealthChecks{{
			Node: "vm-" + id, CheckID: "alive-" + id, Name: "alive", Status: health, ServiceID: id, ServiceName: service,
		}},
	})
}

// deregister takes an instance out of the catalog, with its node.
func (s *stack) deregister(service string, u *testenv.Upstream) {
	s.t.Helper()
	d := &api.CatalogDeregistration{Node: fmt.Sprintf("vm-%s-%d", service, u.Port())}
	if _, err := s.consul.Client().Catalog().Deregister(d, nil); err != nil {
		s.t.Fatalf("deregister %s: %v", d.Node, err)
	}
}

// put writes a document.
func (s *stack) put(name, text string) {
	s.t.Helper()
	s.consul.Put("sluice/routes/"+name, text)
}

// remove deletes documents.
func (s *stack) remove(names ...string) {
	s.t.Helper()
	for _, name := range names {
		s.consul.Delete("sluice/routes/" + name)
	}
}

// route is the text of a route from a host to an upstream, by prefix.
func route(name, host, prefix, upstream string) string {
	return fmt.Sprintf(`
route %q {
  hosts = [%q]
  match { prefix = %q }
  to { upstream = upstream.%s }
}
`, name, host, prefix, upstream)
}

// upstream is the text of an upstream of a Consul service with the same name.
func upstream(name string) string {
	return fmt.Sprintf(`
upstream %q {
  consul { service = %q }
}
`, name, name)
}

// tempDir is short, so that Unix sockets fit into it.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func writeFile(t testing.TB, dir, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
