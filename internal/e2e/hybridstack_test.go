package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/hashicorp/consul/api"

	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/discovery/ec2/policies"
	"github.com/sluice-gateway/sluice/internal/testenv"
	nomadpolicies "github.com/sluice-gateway/sluice/nomad/policies"
)

// hybrid is a stack with one of each platform, where instances of one service run: a real Consul, and simulators of
// vSphere, Nomad and EC2. Each platform has credentials of its own that can be revoked.
type hybrid struct {
	*stack
	plane *plane
	edge  *edge

	vc    *testenv.VCenter
	nomad *testenv.Nomad
	aws   *testenv.AWS
	ec2   *gate // the way to EC2

	vmPort     int    // of all machines
	nomadToken string // in force
	awsKey     *testenv.AWSKey
}

const vmFolder = "/DC0/vm/calculator"

// newHybrid starts everything, without an instance of the service.
func newHybrid(t *testing.T) *hybrid {
	t.Helper()
	h := &hybrid{
		stack: newStack(t, setup{none: true, consul: testenv.ConsulOptions{ACL: true}}),
		vc:    testenv.StartVCenter(t), nomad: testenv.StartNomad(t, testenv.NomadOptions{ACL: true}), aws: testenv.StartAWS(t),
		vmPort: testenv.FreePort(t),
	}
	h.ec2 = startGate(t, h.aws.Endpoint)
	h.nomad.SetPolicy(t, "sluice", nomadpolicies.Reader())
	h.plane = h.makePlane()
	h.awsKey = h.aws.CreateUser("sluice", policies.EC2)
	h.give(t, h.vc.Password)
	text, err := os.ReadFile(h.plane.config)
	must(t, err)
	h.vc.AddFolder(t, vmFolder)
	writeFile(t, h.plane.dir, "sluice.hcl", string(text)+fmt.Sprintf(`
nomad "main" {
  address    = %q
  token_file = "%[2]s/nomad-token"
}

aws "main" {}

vsphere "main" {
  address       = %[3]q
  username      = %[4]q
  password_file = "%[2]s/vcenter-password"
  ca_file       = %[5]q
}
`, h.nomad.Addr, h.plane.dir, h.vc.Address, h.vc.Username, h.vc.CAFile))
	h.plane.env = []string{"AWS_ACCESS_KEY_ID=" + h.awsKey.ID, "AWS_SECRET_ACCESS_KEY=" + h.awsKey.Secret, "AWS_EC2_METADATA_DISABLED=true"}
	h.plane.start(t)
	h.edge = h.addEdge("edge")
	h.edge.serves(t, "steady.example.com", "/", "app")
	return h
}

// give puts credentials that are good where the control plane reads them.
func (h *hybrid) give(t *testing.T, vcenter string) {
	t.Helper()
	h.nomadToken = h.nomad.NewToken(0, "sluice")
	writeFile(t, h.plane.dir, "nomad-token", h.nomadToken)
	writeFile(t, h.plane.dir, "vcenter-password", vcenter)
}

// The sources of the calculator on each platform; more stands in the block.
func (h *hybrid) onVSphere(more string) string {
	return fmt.Sprintf("  vsphere {\n    folder = %q\n    port = %d\n    cidr = \"127.0.0.0/8\"\n    %s\n  }\n", vmFolder, h.vmPort, more)
}

func (h *hybrid) onEC2(more string) string {
	return fmt.Sprintf("  ec2 {\n    region = %q\n    endpoint = %q\n    tags = { service = \"calculator\" }\n    port_tag = \"port\"\n    interval = \"5s\"\n    %s\n  }\n",
		h.aws.Region, h.ec2.URL, more)
}

func (*hybrid) onNomad(more string) string {
	return "  nomad {\n    service = \"calculator\"\n    " + more + "\n  }\n"
}

func (*hybrid) onConsul(more string) string {
	return "  consul {\n    service = \"calculator\"\n    " + more + "\n  }\n"
}

// retries makes up for what an instance that is dying refuses.
const retries = `
  retry {
    attempts = 5
    on       = ["connect-failure", "refused-stream", "reset", "503"]
  }
`

// budget lets so many of them run at a time: Envoy's own bound is 3, which is few when an instance has just died.
const budget = `
  circuit_breaker {
    retry_budget {
      percent = 50
      least   = 20
    }
  }
`

// calculator puts an upstream of that name, and a route on calculator.example.com.
func (h *hybrid) calculator(blocks ...string) {
	text := "upstream \"calculator\" {\n"
	for _, b := range blocks {
		text += b
	}
	h.put("calculator.hcl", text+budget+"}\n"+`
route "calculator" {
  hosts = ["calculator.example.com"]
`+retries+`
  to { upstream = upstream.calculator }
}
`)
}

// instance is one instance of the service: its answers name it, and /health says whether it is well.
type instance struct {
	name, address string
	id            string // that its platform gave it
	hits          atomic.Int64
	sick          atomic.Bool
	server        *httptest.Server
}

// startInstance serves at an address of loopback until the end of the test.
func startInstance(t *testing.T, name, address string) *instance {
	t.Helper()
	l, err := net.Listen("tcp", address)
	must(t, err)
	i := &instance{name: name, address: l.Addr().String()}
	i.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			if i.sick.Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return
		}
		i.hits.Add(1)
		_ = json.NewEncoder(w).Encode(testenv.Echo{Upstream: name}) // the client may be gone
	}))
	_ = i.server.Listener.Close() // its own, in favour of l
	i.server.Listener = l
	i.server.Start()
	t.Cleanup(i.die)
	return i
}

// die refuses connections and cuts those that are open, as a machine does that loses its power. Dying twice is fine.
func (i *instance) die() {
	i.server.CloseClientConnections()
	i.server.Close()
}

func (i *instance) port() int {
	_, port, _ := net.SplitHostPort(i.address) // it listens there
	n, _ := strconv.Atoi(port)
	return n
}

// vm starts an instance on a virtual machine: the n-th, which has an address of its own. Custom attributes follow.
func (h *hybrid) vm(t *testing.T, n int, attributes ...string) *instance {
	t.Helper()
	ip := fmt.Sprintf("127.0.0.%d", 10+n)
	i := startInstance(h.t, fmt.Sprintf("vm-%d", n), net.JoinHostPort(ip, strconv.Itoa(h.vmPort)))
	i.id = h.vc.AddVM(t, vmFolder, fmt.Sprintf("calculator-%d", n), ip)
	for k := 0; k+1 < len(attributes); k += 2 {
		h.vc.SetAttribute(t, i.id, attributes[k], attributes[k+1])
	}
	return i
}

// alloc starts an instance that a job of Nomad registers.
func (h *hybrid) alloc(t *testing.T, id string, tags ...string) *instance {
	t.Helper()
	i := startInstance(h.t, "alloc-"+id, "127.0.0.1:0")
	r := h.nomad.Service("calculator", id, "127.0.0.1", i.port(), tags...)
	i.id = r.ID
	h.nomad.Register(r)
	return i
}

// cloud starts an instance of EC2, with tags: names and values in turn.
func (h *hybrid) cloud(t *testing.T, name string, tags ...string) *instance {
	t.Helper()
	i := startInstance(h.t, name, "127.0.0.1:0")
	all := []types.Tag{{Key: aws.String("service"), Value: aws.String("calculator")}, {Key: aws.String("port"), Value: aws.String(strconv.Itoa(i.port()))}}
	for k := 0; k+1 < len(tags); k += 2 {
		all = append(all, types.Tag{Key: aws.String(tags[k]), Value: aws.String(tags[k+1])})
	}
	out, err := ec2.NewFromConfig(h.aws.Config(h.aws.Root)).RunInstances(t.Context(), &ec2.RunInstancesInput{
		ImageId: aws.String("ami-1"), MinCount: aws.Int32(1), MaxCount: aws.Int32(1), PrivateIpAddress: aws.String("127.0.0.1"),
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeInstance, Tags: all}},
	})
	must(t, err)
	i.id = aws.ToString(out.Instances[0].InstanceId)
	return i
}

func (h *hybrid) terminate(t *testing.T, i *instance) {
	t.Helper()
	_, err := ec2.NewFromConfig(h.aws.Config(h.aws.Root)).TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{i.id}})
	must(t, err)
}

// bare starts an instance that is registered in Consul, with metadata and tags.
func (h *hybrid) bare(t *testing.T, name string, meta map[string]string, tags ...string) *instance {
	t.Helper()
	i := startInstance(h.t, name, "127.0.0.1:0")
	h.consul.Register(&api.CatalogRegistration{Node: "node-" + name, Address: "127.0.0.1", Service: &api.AgentService{
		ID: name, Service: "calculator", Address: "127.0.0.1", Port: i.port(), Tags: tags, Meta: meta,
	}})
	return i
}

// takes waits until instances take part in a load that is under way.
func takes(t *testing.T, list ...*instance) {
	t.Helper()
	for _, i := range list {
		before := i.hits.Load()
		testenv.Eventually(t, 30*time.Second, func() error {
			if i.hits.Load() < before+3 {
				return fmt.Errorf("%s takes no part", i.name)
			}
			return nil
		})
	}
}

// rests waits until instances take no part in a load that is under way.
func rests(t *testing.T, list ...*instance) {
	t.Helper()
	for _, i := range list {
		seen, since := i.hits.Load(), time.Now()
		testenv.Eventually(t, 30*time.Second, func() error {
			if n := i.hits.Load(); n != seen {
				seen, since = n, time.Now()
			}
			if time.Since(since) < 500*time.Millisecond {
				return fmt.Errorf("%s still takes part", i.name)
			}
			return nil
		})
	}
}

// source waits until the status of a kind of source is as wanted.
func (h *hybrid) source(t *testing.T, kind string, want func(console.Source) error) {
	t.Helper()
	h.plane.waitStatus(t, func(s console.Status) error {
		for _, x := range s.Sources {
			if x.Kind == kind {
				return want(x)
			}
		}
		return fmt.Errorf("there is no %s source: %+v", kind, s.Sources)
	})
}

// fails waits until a source of a kind says that it fails, and still has its endpoints.
func (h *hybrid) fails(t *testing.T, kind string, endpoints int) {
	t.Helper()
	h.source(t, kind, func(s console.Source) error {
		if s.Error == "" || s.Endpoints != endpoints {
			return fmt.Errorf("the source is %+v, want an error and %d endpoints", s, endpoints)
		}
		return nil
	})
}

// well waits until a source of a kind has no error.
func (h *hybrid) well(t *testing.T, kind string) {
	t.Helper()
	h.source(t, kind, func(s console.Source) error {
		if s.Error != "" {
			return errors.New(s.Error)
		}
		return nil
	})
}

// gate is the way to AWS, which can be throttled. Signatures hold: the host stays as it was asked for.
type gate struct {
	*httptest.Server
	mu        sync.Mutex
	throttled bool
	refused   int
}

func startGate(t *testing.T, to string) *gate {
	t.Helper()
	u, err := url.Parse(to)
	must(t, err)
	transport := &http.Transport{}
	proxy := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = u.Scheme, u.Host
	}}
	g := &gate{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		throttled := g.throttled
		if throttled {
			g.refused++
		}
		g.mu.Unlock()
		if !throttled {
			proxy.ServeHTTP(w, r)
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message></Error></Errors></Response>`)
	}))
	t.Cleanup(func() {
		g.Close()
		transport.CloseIdleConnections()
	})
	return g
}

// throttle refuses every call, or none.
func (g *gate) throttle(on bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.throttled = on
}
