package server_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sluice-gateway/sluice/xds/server"
	"github.com/sluice-gateway/sluice/xds/store"
)

// world is a listener with one host in front of one backend.
func world(t *testing.T, port int) []*store.Resource {
	return []*store.Resource{
		envoyListener(t, "edge.web"), envoyTable(t, "edge.web"), envoyHost(t, "edge.web", "a.test", "pets"),
		envoyCluster(t, "pets", "1", time.Second), assignment(t, "pets", port),
	}
}

func TestEnvoyServesHostAndFollowsEndpoints(t *testing.T) {
	p := newPlane(t, 0, server.Options{})
	p.set(world(t, backend(t, "one"))...)
	e := startEnvoy(t, "e1", p.port)
	port := e.port("edge.web")
	awaitBody(t, port, "a.test", "one")

	p.set(assignment(t, "pets", backend(t, "two")))
	awaitBody(t, port, "a.test", "two")

	p.set(envoyHost(t, "edge.web", "b.test", "pets"))
	awaitBody(t, port, "b.test", "two")

	p.publish(store.Change{Remove: []store.Key{key(vhds, "edge.web/a.test")}})
	eventually(t, "removal of the host", func() bool {
		code, _ := ask(port, "a.test")
		return code == http.StatusNotFound
	})
	awaitBody(t, port, "b.test", "two")
	n := p.server.Nodes()
	if len(n) != 1 || n[0].Version != "1.40.0" || !n[0].Has("envoy.filters.http.router") || n[0].Types[vhds].Acked == 0 {
		t.Errorf("status of the node is %+v", n)
	}
}

// A changed cluster with an assignment name of its own is live at once, and no request fails meanwhile.
func TestEnvoyTakesChangedClusterAtOnce(t *testing.T) {
	p := newPlane(t, 0, server.Options{})
	p.set(world(t, backend(t, "one"))...)
	e := startEnvoy(t, "e1", p.port)
	port := e.port("edge.web")
	awaitBody(t, port, "a.test", "one")

	stop, failed := make(chan struct{}), make(chan string, 1)
	go func() {
		defer close(failed)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if code, body := ask(port, "a.test"); code != http.StatusOK {
				failed <- fmt.Sprint(code, body)
				return
			}
		}
	}()
	for i := 2; i < 7; i++ {
		start := time.Now()
		next := envoyCluster(t, "pets", fmt.Sprint(i), time.Duration(i)*time.Second)
		p.set(next)
		eventually(t, "ACK of the cluster", func() bool {
			n := p.server.Nodes()
			return len(n) == 1 && p.server.Versions(n[0].Stream, cds)["pets"] == next.Version
		})
		if took := time.Since(start); took > time.Second {
			t.Errorf("revision %d was acknowledged after %s", i, took)
		}
	}
	close(stop)
	if why, bad := <-failed; bad {
		t.Errorf("a request failed: %s", why)
	}
}

// An Envoy that moves to a server with an equal store is sent nothing.
func TestEnvoyMovesWithoutTraffic(t *testing.T) {
	first := newPlane(t, 0, server.Options{})
	w := world(t, backend(t, "one"))
	first.set(w...)
	e := startEnvoy(t, "e1", first.port)
	port := e.port("edge.web")
	awaitBody(t, port, "a.test", "one")
	first.stop()

	second := newPlane(t, first.port, server.Options{})
	second.set(w...)
	eventually(t, "return with all types", func() bool {
		n := second.server.Nodes()
		return len(n) == 1 && len(n[0].Types) == 5
	})
	next := assignment(t, "pets", backend(t, "two"))
	second.set(next)
	awaitBody(t, port, "a.test", "two")
	for url, c := range second.server.Nodes()[0].Types {
		if want := map[bool]uint64{true: 1}[url == eds]; c.Sent != want {
			t.Errorf("%s: %d responses to an Envoy that had it all, want %d", url, c.Sent, want)
		}
	}
}

// Two tables take their hosts from the one VHDS subscription of a stream, whenever they come.
func TestEnvoyTwoTablesOnOneStream(t *testing.T) {
	p := newPlane(t, 0, server.Options{RemovalGrace: 100 * time.Millisecond})
	p.set(world(t, backend(t, "one"))...)
	e := startEnvoy(t, "e1", p.port)
	awaitBody(t, e.port("edge.web"), "a.test", "one")

	second := []*store.Resource{
		envoyListener(t, "edge.admin"), envoyTable(t, "edge.admin"), envoyHost(t, "edge.admin", "c.test", "pets"),
	}
	p.set(second...)
	port := e.port("edge.admin")
	awaitBody(t, port, "c.test", "one")

	p.publish(store.Change{Remove: []store.Key{key(lds, "edge.admin"), key(rds, "edge.admin"), key(vhds, "edge.admin/c.test")}})
	eventually(t, "end of the listener", func() bool { return !strings.Contains(e.get("/listeners"), "edge.admin") })
	eventually(t, "end of the table", func() bool { return e.stat("listener_manager.total_listeners_draining") == 0 })

	p.set(second...) // back again: Envoy has dropped the hosts with the table, without a word
	awaitBody(t, e.port("edge.admin"), "c.test", "one")
	awaitBody(t, e.port("edge.web"), "a.test", "one")

	changed := must(t, rds, "edge.web", &routev3.RouteConfiguration{
		Name: "edge.web", Vhds: &routev3.Vhds{ConfigSource: ads()}, ResponseHeadersToRemove: []string{"x-inside"},
	}, nil)
	p.set(changed) // a changed table keeps its hosts
	eventually(t, "ACK of the changed table", func() bool {
		return p.server.Versions(p.server.Nodes()[0].Stream, rds)["edge.web"] == changed.Version
	})
	awaitBody(t, e.port("edge.web"), "a.test", "one")
}

// One host that Envoy refuses stops none of those that were published with it.
func TestEnvoyRefusesOneHostAmongGood(t *testing.T) {
	for _, good := range []int{4, 30} {
		t.Run(fmt.Sprint(good), func(t *testing.T) {
			o := newRecorder()
			p := newPlane(t, 0, server.Options{Observer: o})
			p.set(world(t, backend(t, "one"))...)
			e := startEnvoy(t, "e1", p.port)
			port := e.port("edge.web")
			awaitBody(t, port, "a.test", "one")

			bad := must(t, vhds, "edge.web/bad.test", &routev3.VirtualHost{
				Name: "edge.web/bad.test", Domains: []string{"bad.test"},
				Routes: []*routev3.Route{{
					Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: "("}}},
					Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: "pets"}}},
				}},
			}, nil)
			set := []*store.Resource{bad}
			for i := range good {
				set = append(set, envoyHost(t, "edge.web", fmt.Sprintf("h%d.test", i), "pets"))
			}
			p.set(set...)
			for i := range good {
				awaitBody(t, port, fmt.Sprintf("h%d.test", i), "one")
			}
			o.await(t, "the NACK", func() bool { return len(o.nacked) > 0 })
			if len(o.nacked) != 1 || o.nacked[0].Key != bad.Key || o.nacked[0].Version != bad.Version {
				t.Errorf("refused: %v", o.nacked)
			}
			t.Logf("Envoy says: %s", o.text)
			p.set(envoyHost(t, "edge.web", "bad.test", "pets"))
			awaitBody(t, port, "bad.test", "one")
		})
	}
}

// What Envoy dumps of a resource that breaks a field rule is not kept: it may hold secrets.
func TestEnvoysDumpIsRedacted(t *testing.T) {
	o := newRecorder()
	p := newPlane(t, 0, server.Options{Observer: o})
	p.set(world(t, backend(t, "one"))...)
	e := startEnvoy(t, "e1", p.port)
	awaitBody(t, e.port("edge.web"), "a.test", "one")
	p.set(must(t, vhds, "edge.web/bad.test", &routev3.VirtualHost{
		Name: "edge.web/bad.test", RequestHeadersToRemove: []string{"x-canary"}, // no domain
	}, nil), must(t, cds, "bad", &clusterv3.Cluster{Name: "bad", AltStatName: "x-canary", ConnectTimeout: durationpb.New(-time.Second)}, nil))
	o.await(t, "the NACKs", func() bool { return len(o.nacked) == 2 })
	for _, text := range o.texts {
		t.Logf("Envoy says: %s", text)
		if strings.Contains(text, "canary") || !strings.Contains(text, "duration") && !strings.Contains(text, "Domains: value must contain") {
			t.Errorf("NACK text is %q", text)
		}
	}
}

// A cluster whose assignment does not exist starts empty at once instead of holding up the others.
func TestEnvoyIsToldOfMissingAssignment(t *testing.T) {
	p := newPlane(t, 0, server.Options{})
	p.set(world(t, backend(t, "one"))...)
	p.set(envoyCluster(t, "ghost", "1", time.Second), envoyHost(t, "edge.web", "ghost.test", "ghost"))
	start := time.Now()
	e := startEnvoy(t, "e1", p.port)
	port := e.port("edge.web")
	awaitBody(t, port, "a.test", "one")
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("served after %s", took)
	}
	p.set(assignment(t, "ghost", backend(t, "boo")))
	awaitBody(t, port, "ghost.test", "boo")
}

// Envoy names all the clusters of a response that it refuses, and takes the others: each culprit is told, none of its
// neighbours waits, and nothing is taken from those that the Envoy has.
func TestEnvoyRefusesSeveralClustersAmongGood(t *testing.T) {
	o := newRecorder()
	p := newPlane(t, 0, server.Options{Observer: o})
	p.set(world(t, backend(t, "one"))...)
	e := startEnvoy(t, "e1", p.port)
	port := e.port("edge.web")
	awaitBody(t, port, "a.test", "one")

	bad := func(name string) *store.Resource { // passes every field rule
		return must(t, cds, name, &clusterv3.Cluster{
			Name: name, ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
			TransportSocket: &corev3.TransportSocket{Name: "no.such.socket", ConfigType: &corev3.TransportSocket_TypedConfig{
				TypedConfig: packed(t, &routerv3.Router{}),
			}},
		}, nil)
	}
	set := []*store.Resource{bad("bad-1"), bad("bad-2")}
	for i := range 30 {
		set = append(set, must(t, cds, fmt.Sprintf("good-%02d", i), &clusterv3.Cluster{
			Name: fmt.Sprintf("good-%02d", i), ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		}, nil))
	}
	p.set(set...)
	o.await(t, "both culprits", func() bool { return len(o.nacked) == 2 })
	refused := []string{o.nacked[0].Name, o.nacked[1].Name}
	slices.Sort(refused)
	same(t, "refused", refused, []string{"bad-1", "bad-2"})
	eventually(t, "the good ones", func() bool {
		return len(p.server.Versions(p.server.Nodes()[0].Stream, cds)) == 1+30
	})
	awaitBody(t, port, "a.test", "one")
}

// A listener without hosts opens its port, at Envoy's start and later, and serves the first host that comes.
func TestEnvoyOpensPortsWithoutHosts(t *testing.T) {
	p := newPlane(t, 0, server.Options{})
	p.set(envoyListener(t, "edge.first"), envoyTable(t, "edge.first"))
	e := startEnvoy(t, "e1", p.port)
	awaitStatus := func(listener string) int {
		port := e.port(listener)
		eventually(t, "404 of "+listener, func() bool {
			status, _ := ask(port, "a.test")
			return status == http.StatusNotFound
		})
		return port
	}
	first := awaitStatus("edge.first")
	p.set(envoyListener(t, "edge.second"), envoyTable(t, "edge.second"))
	second := awaitStatus("edge.second")
	p.set(world(t, backend(t, "one"))...)
	p.set(envoyHost(t, "edge.first", "a.test", "pets"), envoyHost(t, "edge.second", "a.test", "pets"))
	awaitBody(t, first, "a.test", "one")
	awaitBody(t, second, "a.test", "one")
}
