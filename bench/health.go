package main

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/sluice-gateway/sluice/bench/floor"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// healthSmall measures a health change with 10 services beside.
func healthSmall(s *stage) {
	h := s.healthRig(10, 2, false)
	all := h.measure(s.peer(h.agent, h.upstream))
	s.latency("endpoint in, 10 services", all[0], all[2], all[4], 2*all[2].p50(), 0)
	s.latency("endpoint out, 10 services", all[1], all[3], all[5], 2*all[3].p50(), 0)
}

// healthLarge measures it with 5,000 services of 15 endpoints each, and Consul over TLS.
func healthLarge(s *stage) {
	h := s.healthRig(5000, 15, true)
	all := h.measure(nil)
	const size = "5,000 services of 15 endpoints"
	s.latency("endpoint in, "+size+", Consul over TLS", all[0], all[2], taken{}, 0, 50)
	s.latency("endpoint out, "+size+", Consul over TLS", all[1], all[3], taken{}, 0, 50)
	s.note(Entry{Name: "control plane, " + size + " in Consul: resident memory", Unit: "MB", Value: s.memory(h.plane.pid)})
}

// healthRig is a rig with a service for each of the two that are compared. A service has an instance that is critical
// for ever, so that its list is never empty, and one that comes and goes.
type healthRig struct {
	*rig
	port int // of what the instance leads to
}

const (
	probeHost = "probe.example.com"
	probeNode = "probe-node"
	ourProbe  = "probe-ours"
	bareProbe = "probe-bare"
	stays     = "stays" // the instance that is always critical
)

func (s *stage) healthRig(services, instances int, tls bool) *healthRig {
	up := s.role("upstream")
	port, err := strconv.Atoi(up.word)
	s.must(err)
	agent := testenv.StartConsul(s, testenv.ConsulOptions{TLS: tls, Extra: manyConnections})
	h := &healthRig{rig: &rig{s: s, agent: agent, upstream: up.word, consul: s.writer(agent), host: probeHost}, port: port}
	s.registerServices(h.consul, services, instances)
	for _, name := range []string{ourProbe, bareProbe, peerProbe} {
		s.must(h.register(name, stays, api.HealthCritical))
	}
	ports := testenv.FreePorts(s, 2)
	docs := map[string]string{"base/gateway.hcl": gatewayDocument(ports[0], up.word), "base/probe.hcl": probeDocument}
	for n := range services {
		docs[fmt.Sprintf("services-%02d/%s.hcl", n%100, serviceName(n))] = serviceDocument(n)
	}
	s.putAll(h.consul, below(prefix+"routes/", docs))

	start := time.Now()
	h.plane = s.sluice(agent)
	h.envoy = int(s.edge(h.plane.word).Process)
	h.edge = s.prober(ports[0])
	s.awaitStatus(h.edge, request(probeHost, "/"), http.StatusServiceUnavailable)
	s.Logf("%d services are served after %s", services, time.Since(start).Round(time.Millisecond))

	args := []string{"-service", bareProbe, "-consul", agent.Addr}
	if tls {
		args = []string{"-service", bareProbe, "-consul", agent.TLSAddr, "-ca", agent.CAFile}
	}
	xds := s.role("floor", args...)
	xdsPort, err := strconv.Atoi(xds.word)
	s.must(err)
	testenv.StartEnvoy(s, testenv.EnvoyOptions{Bootstrap: floor.Bootstrap(ports[1], xdsPort, 0, true)})
	h.bare = s.prober(ports[1])
	s.awaitStatus(h.bare, request("any", "/"), http.StatusServiceUnavailable)
	s.quiet(h.consul, len(docs))
	return h
}

var probeDocument = fmt.Sprintf(`upstream "probe" {
  consul { service = "%s" }
}

route "probe" {
  hosts = ["%s"]
  to { upstream = upstream.probe }
}
`, ourProbe, probeHost)

// measure returns in and out of sluice, of the floor, and of the peer where there is one.
func (h *healthRig) measure(peer *prober) []taken {
	things := []thing{h.in(h.edge, ourProbe), h.out(h.edge, ourProbe), h.in(h.bare, bareProbe), h.out(h.bare, bareProbe), nil, nil}
	if peer != nil {
		things[4], things[5] = h.in(peer, peerProbe), h.out(peer, peerProbe)
	}
	return h.inTurn(things...)
}

// in registers a new instance and waits for its first answer.
func (h *healthRig) in(p *prober, service string) thing {
	return func() (time.Duration, error) {
		if err := h.warm(); err != nil {
			return 0, err
		}
		h.n++
		return p.change(func() error { return h.register(service, h.instance(), api.HealthPassing) }, request(probeHost, "/"), is(http.StatusOK))
	}
}

// out makes the instance critical, waits until it gets nothing any more, and removes it.
func (h *healthRig) out(p *prober, service string) thing {
	return func() (time.Duration, error) {
		if err := h.warm(); err != nil {
			return 0, err
		}
		took, err := p.change(func() error { return h.register(service, h.instance(), api.HealthCritical) }, request(probeHost, "/"), is(http.StatusServiceUnavailable))
		if err != nil {
			return 0, err
		}
		_, err = h.consul.Catalog().Deregister(&api.CatalogDeregistration{Node: probeNode, ServiceID: service + h.instance()}, nil)
		return took, err
	}
}

func (h *healthRig) instance() string { return fmt.Sprintf("up-%06d", h.n) }

func (h *healthRig) register(service, instance, state string) error {
	id, port := service+instance, h.port
	if instance == stays {
		port = 1 // nothing listens there, and one address is one endpoint
	}
	_, err := h.consul.Catalog().Register(&api.CatalogRegistration{
		Node: probeNode, Address: "127.0.0.1", SkipNodeUpdate: h.n > 0,
		Service: &api.AgentService{ID: id, Service: service, Address: "127.0.0.1", Port: port},
		Check:   &api.AgentCheck{Node: probeNode, CheckID: "check-" + id, Name: "probe", Status: state, ServiceID: id},
	}, nil)
	return err
}

// registerServices writes services with as many instances each, all passing, on ten times as many nodes.
func (s *stage) registerServices(c *api.Client, services, instances int) {
	var ops api.TxnOps
	flush := func(least int) {
		if len(ops) < least || len(ops) == 0 {
			return
		}
		ok, answer, _, err := c.Txn().Txn(ops, nil)
		s.must(err)
		if !ok {
			s.Fatalf("register in consul: %s", answer.Errors[0].What)
		}
		ops = nil
	}
	for i := range 10 * instances {
		ops = append(ops, &api.TxnOp{Node: &api.NodeTxnOp{Verb: api.NodeSet, Node: api.Node{Node: nodeName(i), Address: "10.0.0.1"}}})
		flush(64)
	}
	flush(0)
	for n := range services {
		for i := range instances {
			node, id := nodeName(n%10*instances+i), fmt.Sprintf("%s-%02d", serviceName(n), i)
			ops = append(ops, &api.TxnOp{Service: &api.ServiceTxnOp{Verb: api.ServiceSet, Node: node, Service: api.AgentService{
				ID: id, Service: serviceName(n), Address: fmt.Sprintf("10.%d.%d.%d", i+1, n/250, n%250+1), Port: 8080,
			}}}, &api.TxnOp{Check: &api.CheckTxnOp{Verb: api.CheckSet, Check: api.HealthCheck{
				Node: node, CheckID: "check-" + id, Name: "alive", Status: api.HealthPassing, ServiceID: id, ServiceName: serviceName(n),
			}}})
			flush(64)
		}
	}
	flush(0)
}

func nodeName(n int) string { return fmt.Sprintf("node-%03d", n) }
