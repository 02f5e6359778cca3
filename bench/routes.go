package main

import (
	"errors"
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
	peer := s.peer(r.agent, r.upstream)
	all := r.inTurn(r.routeOnce, r.floorOnce, r.peerOnce(peer))
	s.latency("route change, 10 routes", all[0], all[1], all[2], 2*all[1].p50(), 0)

	const second = "second of two route changes 20 ms apart"
	all = r.inTurn(r.routeTwice, r.floorTwice, r.peerTwice(peer))
	lost := all[0].lost
	all[0].lost = 0
	s.latency(second, all[0], all[1], all[2], 0, 0)
	e := Entry{Name: second + ", lost", Unit: fmt.Sprintf("of %d", s.settings.samples), Value: float64(lost)}.over(float64(all[1].lost))
	if peer != nil {
		v := float64(all[2].lost)
		e.Peer = &v
	}
	s.note(e.atMost(0))
}

// routesLarge measures a route change at 10,000 routes.
func routesLarge(s *stage) {
	r := s.routeRig(100, 100)
	plane, envoy := r.plane.cpu(), s.cpuOf(r.envoy)
	all := r.inTurn(r.routeOnce, r.floorOnce)
	each := float64(s.settings.samples + 1)
	const name = "route change, 10,000 routes"
	s.latency(name, all[0], all[1], taken{}, 0, 150)
	s.note(Entry{Name: name + ": CPU of Envoy", Unit: "ms", Value: ms(s.cpuOf(r.envoy)-envoy) / each})
	s.note(Entry{Name: name + ": CPU of the control plane", Unit: "ms", Value: ms(r.plane.cpu()-plane) / each})
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

	upstream string // its port
}

const floorKey = "floor/routes"

func (s *stage) routeRig(folders, each int) *rig {
	up := s.role("upstream")
	agent := testenv.StartConsul(s, testenv.ConsulOptions{Extra: manyConnections})
	r := &rig{s: s, agent: agent, upstream: up.word, consul: s.writer(agent), host: hostName(folders / 2), folder: fmt.Sprintf("team-%02d/", folders/2)}
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
	testenv.Eventually(s, 3*time.Minute, func() error {
		status, err := p.get(req)
		if err == nil && status != want {
			err = fmt.Errorf("%s answers with %d", p.addr, status)
		}
		return err
	})
}

// taken is the samples of one thing.
type taken struct {
	series
	lost int // beside them, not served in time
}

// thing is what samples are taken of: it makes a change and says how long it took.
type thing func() (time.Duration, error)

// inTurn takes samples of several things in turn, with pauses of 0.3 to 0.9 s between, so that all see the same
// machine. The first round is a warm-up. A thing that is nil has no samples.
func (r *rig) inTurn(things ...thing) []taken {
	out := make([]taken, len(things))
	for round := range r.s.settings.samples + 1 {
		for i, f := range things {
			if f == nil {
				continue
			}
			pause(r.s)
			took, err := f()
			lost := errors.Is(err, errLost)
			if err != nil && !lost {
				r.s.Fatalf("sample %d of thing %d: %v", round, i, err)
			}
			if round == 0 {
				continue
			}
			if lost {
				out[i].lost++
			} else {
				out[i].series = append(out[i].series, took)
			}
		}
	}
	return out
}

// beside gives an entry its floor and, where there was one, its peer.
func (e Entry) beside(floor, peer taken, of func(series) float64) Entry {
	e = e.over(of(floor.series))
	if len(peer.series) > 0 {
		v := of(peer.series)
		e.Peer = &v
	}
	return e
}

// latency makes entries of the median and the 99th percentile, with their limits; 0 is none.
func (s *stage) latency(name string, ours, floor, peer taken, limit50, limit99 float64) {
	p50 := Entry{Name: name + ", p50", Unit: "ms", Value: ours.p50()}.beside(floor, peer, series.p50)
	p99 := Entry{Name: name + ", p99", Unit: "ms", Value: ours.p99()}.beside(floor, peer, series.p99)
	if limit50 > 0 {
		p50 = p50.atMost(limit50)
	}
	if limit99 > 0 {
		p99 = p99.atMost(limit99)
	}
	s.note(p50)
	s.note(p99)
	if ours.lost > 0 {
		s.note(Entry{Name: name + ", lost", Unit: fmt.Sprintf("of %d", s.settings.samples), Value: float64(ours.lost)}.atMost(0))
	}
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
	return r.second(r.edge, r.host, second, func() error { return r.write("changed", first) }, func() error { return r.write("second", second) })
}

func (r *rig) peerOnce(p *prober) thing {
	if p == nil {
		return nil
	}
	return func() (time.Duration, error) {
		path := r.next()
		return p.change(func() error { return put(r.consul, peerKey, lines(path)) }, request("any", path), is(http.StatusOK))
	}
}

func (r *rig) peerTwice(p *prober) thing {
	if p == nil {
		return nil
	}
	return func() (time.Duration, error) {
		first, second := r.next(), r.next()
		return r.second(p, "any", second, func() error { return put(r.consul, peerKey, lines(first)) }, func() error {
			return put(r.consul, peerKey, lines(first, second))
		})
	}
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
