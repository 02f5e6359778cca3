package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/sluice-gateway/sluice/bench/floor"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

const patienceForWriting = 5 * time.Minute

// routesSmall measures a route change at 10 routes, and two changes 20 ms apart.
func routesSmall(s *stage) {
	r := s.routeRig(1, 10)
	ours, bare := r.alternate(r.routeOnce, r.floorOnce)
	s.note(Entry{Name: "route change, 10 routes, p50", Unit: "ms", Value: ours.p50()}.over(bare.p50()).atMost(2 * bare.p50()))
	s.note(Entry{Name: "route change, 10 routes, p99", Unit: "ms", Value: ours.p99()}.over(bare.p99()))

	ours, bare = r.alternate(r.routeTwice, r.floorTwice)
	s.note(Entry{Name: "second of two route changes 20 ms apart, p50", Unit: "ms", Value: ours.p50()}.over(bare.p50()))
	s.note(Entry{Name: "second of two route changes 20 ms apart, p99", Unit: "ms", Value: ours.p99()}.over(bare.p99()))
	s.note(Entry{Name: "second of two route changes 20 ms apart, lost", Unit: "of " + strconv.Itoa(s.settings.samples), Value: float64(r.lost)}.atMost(0))
}

// routesLarge measures a route change at 10,000 routes.
func routesLarge(s *stage) {
	r := s.routeRig(100, 100)
	plane, envoy := r.plane.cpu(), s.cpuOf(r.envoy)
	ours, bare := r.alternate(r.routeOnce, r.floorOnce)
	each := float64(len(ours) + 1)
	s.note(Entry{Name: "route change, 10,000 routes: CPU of Envoy", Unit: "ms", Value: ms(s.cpuOf(r.envoy)-envoy) / each})
	s.note(Entry{Name: "route change, 10,000 routes: CPU of the control plane", Unit: "ms", Value: ms(r.plane.cpu()-plane) / each})
	s.note(Entry{Name: "route change, 10,000 routes, p50", Unit: "ms", Value: ours.p50()}.over(bare.p50()))
	s.note(Entry{Name: "route change, 10,000 routes, p99", Unit: "ms", Value: ours.p99()}.over(bare.p99()).atMost(150))
	s.coldStart(r.agent, 100, 10_000)
}

// rig is a Consul with documents, sluice and the floor beside each other on it, an Envoy and a prober for each.
type rig struct {
	s      *stage
	agent  *testenv.Consul
	consul *api.Client
	plane  *child
	envoy  int     // process of sluice's Envoy
	edge   *prober // of sluice's Envoy
	bare   *prober // of the floor's
	host   string  // whose table the changed documents are in
	folder string
	n      int // of the last change
	lost   int // second changes that sluice did not serve in time
}

const floorKey = "floor/routes"

func (s *stage) routeRig(folders, each int) *rig {
	up := s.role("upstream")
	agent := testenv.StartConsul(s, testenv.ConsulOptions{Extra: manyConnections})
	r := &rig{s: s, agent: agent, consul: s.writer(agent), host: hostName(folders / 2), folder: fmt.Sprintf("team-%02d/", folders/2)}
	ports := testenv.FreePorts(s, 2)
	docs := routeDocuments(folders, each)
	s.putAll(r.consul, below(prefix+"routes/", docs))
	s.put(r.consul, prefix+"routes/base/gateway.hcl", []byte(gatewayDocument(ports[0], up.word)))
	s.put(r.consul, floorKey, lines("/first"))

	r.plane = s.sluice(agent)
	r.envoy = int(s.edge(r.plane.word).Process)
	r.edge = s.prober(ports[0])
	s.awaitStatus(r.edge, request(r.host, "/nothing"), http.StatusNotFound)

	xds := s.role("floor", "-consul", agent.Addr, "-key", floorKey)
	upPort, err := strconv.Atoi(up.word)
	s.must(err)
	xdsPort, err := strconv.Atoi(xds.word)
	s.must(err)
	testenv.StartEnvoy(s, testenv.EnvoyOptions{Bootstrap: floor.Bootstrap(ports[1], xdsPort, upPort, false)})
	r.bare = s.prober(ports[1])
	s.awaitStatus(r.bare, request("any", "/first"), http.StatusOK)
	s.quiet(r.consul, len(docs)+1)
	return r
}

func (s *stage) put(c *api.Client, key string, value []byte) {
	s.must(put(c, key, value))
}

func put(c *api.Client, key string, value []byte) error {
	_, err := c.KV().Put(&api.KVPair{Key: key, Value: value}, nil)
	return err
}

func (s *stage) prober(port int) *prober {
	p := newProber("127.0.0.1:" + strconv.Itoa(port))
	s.Cleanup(p.close)
	return p
}

func (s *stage) awaitStatus(p *prober, req []byte, want int) {
	testenv.Eventually(s, time.Minute, func() error {
		status, err := p.get(req)
		if err == nil && status != want {
			err = fmt.Errorf("%s answers with %d", p.addr, status)
		}
		return err
	})
}

// alternate takes samples of two things in turn.
func (r *rig) alternate(ours, bare func() (time.Duration, error)) (a, b series) {
	all := r.inTurn(ours, bare)
	return all[0], all[1]
}

// inTurn takes samples of several things in turn, with pauses of 0.3 to 0.9 s between, so that all see the same
// machine. The first round is a warm-up.
func (r *rig) inTurn(things ...func() (time.Duration, error)) []series {
	out := make([]series, len(things))
	for round := range r.s.settings.samples + 1 {
		for i, f := range things {
			pause(r.s)
			took, err := f()
			if err != nil {
				r.s.Fatalf("sample %d: %v", round, err)
			}
			if round > 0 {
				out[i] = append(out[i], took)
			}
		}
	}
	return out
}

// pause is 0.3 to 0.9 s.
func pause(s *stage) {
	t := time.NewTimer(300*time.Millisecond + rand.N(600*time.Millisecond))
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.ctx.Done():
	}
}

// warm makes sure that the connection for writing is open.
func (r *rig) warm() error {
	_, _, err := r.consul.KV().Get("floor/warm", nil)
	return err
}

// next is a path that was never routed.
func (r *rig) next() string {
	r.n++
	return fmt.Sprintf("/new/%06d", r.n)
}

// write puts a document with a route for a path in the place of the one before.
func (r *rig) write(document, path string) error {
	return put(r.consul, prefix+"routes/"+r.folder+document+".hcl", []byte(routeDocument(document, r.host, path)))
}

func (r *rig) routeOnce() (time.Duration, error) {
	if err := r.warm(); err != nil {
		return 0, err
	}
	path := r.next()
	return r.edge.change(func() error { return r.write("changed", path) }, request(r.host, path), is(http.StatusOK))
}

func (r *rig) floorOnce() (time.Duration, error) {
	if err := r.warm(); err != nil {
		return 0, err
	}
	path := r.next()
	return r.bare.change(func() error { return put(r.consul, floorKey, lines(path)) }, request("any", path), is(http.StatusOK))
}

// apart is the time between two changes that follow each other closely.
const apart = 20 * time.Millisecond

// routeTwice changes two documents, and measures the second.
func (r *rig) routeTwice() (time.Duration, error) {
	first, second := r.next(), r.next()
	took, err := r.second(r.edge, r.host, second, func() error { return r.write("changed", first) }, func() error { return r.write("second", second) })
	if err == errLost { //nolint:errorlint // it is ours, and not wrapped
		r.lost++
		return patience, nil
	}
	return took, err
}

func (r *rig) floorTwice() (time.Duration, error) {
	first, second := r.next(), r.next()
	return r.second(r.bare, "any", second, func() error { return put(r.consul, floorKey, lines(first)) }, func() error {
		return put(r.consul, floorKey, lines(first, second))
	})
}

func (r *rig) second(p *prober, host, path string, first, second func() error) (time.Duration, error) {
	if err := r.warm(); err != nil {
		return 0, err
	}
	start := time.Now()
	if err := first(); err != nil {
		return 0, err
	}
	wait := time.NewTimer(time.Until(start.Add(apart)))
	<-wait.C
	return p.change(second, request(host, path), is(http.StatusOK))
}
