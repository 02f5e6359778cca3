package server_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-gateway/sluice/xds/server"
	"github.com/sluice-gateway/sluice/xds/store"
)

func TestReturnWithEqualVersionsIsSilent(t *testing.T) {
	bubble(t, server.Options{}, func(t *testing.T, r *rig) {
		r.set(cluster(t, "pets", 0, "pets@1"), assignment(t, "pets", 80), host(t, "edge.web/a", 0, nil))
		c := r.full("e")
		c.subscribe(eds, "pets@1")
		synctest.Wait()
		have := c.have
		c.close()

		d := r.connect("e", "edge")
		d.resume(cds, have[cds])
		d.resume(eds, have[eds], "pets@1")
		d.resume(vhds, have[vhds])
		time.Sleep(time.Minute)
		synctest.Wait()
		same(t, "responses", len(d.responses), 0)
		next := assignment(t, "pets", 81)
		r.set(next)
		synctest.Wait()
		same(t, "responses after a change", d.sentNames(eds), [][]string{{"pets@1"}})
	})
}

func TestReturnGetsDifferencesOnly(t *testing.T) {
	bubble(t, server.Options{RemovalGrace: -1}, func(t *testing.T, r *rig) {
		same1, held := cluster(t, "same", 0, ""), key(cds, "held")
		r.set(same1, cluster(t, "new", 0, ""), cluster(t, "changed", 1, ""))
		r.publish(store.Change{Hold: []store.Key{held}})
		c := r.connect("e", "edge")
		c.resume(cds, map[string]string{"same": same1.Version, "changed": "before", "gone": "x", "held": "y"})
		synctest.Wait()
		same(t, "responses", c.sentNames(cds), [][]string{{"changed", "new"}, {"-gone"}})
		r.publish(store.Change{Remove: []store.Key{held}})
		synctest.Wait()
		same(t, "released", c.sentNames(cds)[2:], [][]string{{"-held"}})
	})
}

func TestHeldIsLeftAlone(t *testing.T) {
	bubble(t, server.Options{RemovalGrace: time.Second}, func(t *testing.T, r *rig) {
		a, b := cluster(t, "a", 0, ""), cluster(t, "b", 0, "")
		r.set(a, b, listener(t, "edge.web"))
		c := r.full("e")
		r.publish(store.Change{Remove: []store.Key{a.Key}})
		synctest.Wait()
		r.publish(store.Change{Hold: []store.Key{a.Key, b.Key}}) // before the grace has passed
		d := r.connect("new", "edge")
		d.subscribe(cds)
		time.Sleep(time.Minute)
		synctest.Wait()
		c.awaitHave(cds, "a", "b")
		same(t, "a new client's clusters", d.sentNames(cds), [][]string(nil))
		r.set(b)
		synctest.Wait()
		same(t, "a new client's clusters once released", d.sentNames(cds), [][]string{{"b"}})
		same(t, "responses to the old one", len(c.sentNames(cds)), 1)
	})
}

// An Envoy of a gateway that is not known keeps what it has until the gateway is.
func TestUnknownGatewayIsNotWiped(t *testing.T) {
	bubble(t, server.Options{RemovalGrace: -1}, func(t *testing.T, r *rig) {
		r.set(cluster(t, "pets", 0, ""))
		c := r.connect("e", "lost")
		c.resume(cds, map[string]string{"pets": "x"})
		time.Sleep(time.Hour)
		synctest.Wait()
		same(t, "responses", len(c.responses), 0)
		n := r.server.Nodes()
		if len(n) != 1 || !n[0].Unknown || c.err != nil {
			t.Errorf("nodes %+v, error %v", n, c.err)
		}
		r.set(cluster(t, "cats", 0, "", "lost"))
		synctest.Wait()
		c.awaitHave(cds, "cats")
		r.publish(store.Change{Remove: []store.Key{key(cds, "cats")}})
		time.Sleep(time.Hour)
		c.awaitHave(cds, "cats") // the last resource of a gateway is not taken away either
	})
}

func TestGateways(t *testing.T) {
	bubble(t, server.Options{RemovalGrace: -1}, func(t *testing.T, r *rig) {
		r.set(cluster(t, "both", 0, "", "edge", "inside"), cluster(t, "mine", 0, "", "edge"), cluster(t, "yours", 0, "", "inside"))
		e, i := r.connect("e", "edge"), r.connect("i", "inside")
		e.subscribe(cds)
		i.subscribe(cds)
		e.awaitHave(cds, "both", "mine")
		i.awaitHave(cds, "both", "yours")
		r.set(cluster(t, "both", 0, "", "inside")) // same bytes, fewer gateways
		e.awaitHave(cds, "mine")
		synctest.Wait()
		same(t, "responses to the other", len(i.sentNames(cds)), 1)
	})
}

func TestAssignmentsByAnyName(t *testing.T) {
	bubble(t, server.Options{}, func(t *testing.T, r *rig) {
		r.set(assignment(t, "pets", 80), assignment(t, "a@b", 80))
		c := r.connect("e", "edge")
		c.subscribe(eds, "pets", "pets@1", "a@b", "a@b@2", "ghost@1")
		synctest.Wait()
		c.awaitHave(eds, "pets", "pets@1", "a@b", "a@b@2")
		same(t, "ghost", c.sentNames(eds)[len(c.sentNames(eds))-1], []string{"-ghost@1"})
		next := assignment(t, "pets", 81)
		r.set(next)
		synctest.Wait()
		for _, name := range []string{"pets", "pets@1"} {
			var got endpointv3.ClusterLoadAssignment
			if err := proto.Unmarshal(c.bodies[eds][name], &got); err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(&got, assignmentProto(name, 81)) || c.have[eds][name] != next.Version {
				t.Errorf("%s is %v", name, &got)
			}
		}
		r.publish(store.Change{Hold: []store.Key{key(eds, "held")}})
		before := len(c.responses)
		c.subscribe(eds, "held@1")
		c.unsubscribe(eds, "pets")
		synctest.Wait()
		same(t, "responses for a held name", len(c.responses), before)
		r.set(assignment(t, "pets", 82), assignment(t, "ghost", 1), assignment(t, "held", 1))
		synctest.Wait()
		same(t, "names", c.sentNames(eds)[before:], [][]string{{"ghost@1"}, {"held@1"}, {"pets@1"}})
		other := r.connect("other", "edge")
		other.unsubscribe(eds, "pets@1") // never asked for: nothing to anybody else
		other.close()
		r.set(assignment(t, "pets", 83))
		synctest.Wait()
		same(t, "after another's mistake", c.sentNames(eds)[before+3:], [][]string{{"pets@1"}})
		before++
		c.subscribe(eds, "pets@1") // asked again: it may have dropped it
		synctest.Wait()
		same(t, "asked again", c.sentNames(eds)[before+3:], [][]string{{"pets@1"}})
	})
}

// While an assignment is held its cluster is not changed: Envoy would swap a warm cluster for an empty one.
func TestClusterWaitsForHeldAssignment(t *testing.T) {
	bubble(t, server.Options{}, func(t *testing.T, r *rig) {
		r.set(cluster(t, "pets", 0, "pets@1"), assignment(t, "pets", 80), listener(t, "edge.web"))
		c := r.full("e")
		r.publish(store.Change{Hold: []store.Key{key(eds, "pets")}, Set: []*store.Resource{cluster(t, "pets", 1, "pets@2")}})
		time.Sleep(time.Hour)
		synctest.Wait()
		same(t, "while held", len(c.sentNames(cds)), 1)
		r.set(assignment(t, "pets", 80))
		synctest.Wait()
		same(t, "once released", len(c.sentNames(cds)), 2)
	})
}

func TestVirtualHostsByTable(t *testing.T) {
	bubble(t, server.Options{}, func(t *testing.T, r *rig) {
		r.set(host(t, "edge.web/a", 0, nil), host(t, "edge.web/b", 0, nil), host(t, "edge.admin/a", 0, nil))
		c := r.connect("named", "edge")
		c.subscribe(vhds, "edge.web")
		c.awaitHave(vhds, "edge.web/a", "edge.web/b")
		c.subscribe(vhds, "edge.admin")
		c.awaitHave(vhds, "edge.admin/a", "edge.web/a", "edge.web/b")
		c.unsubscribe(vhds, "edge.web")
		synctest.Wait()
		r.set(host(t, "edge.web/a", 1, nil), host(t, "edge.admin/a", 1, nil))
		synctest.Wait()
		same(t, "responses", len(c.sentNames(vhds)), 4)
		star := r.connect("star", "edge")
		star.subscribe(vhds, "*")
		star.awaitHave(vhds, "edge.admin/a", "edge.web/a", "edge.web/b")
	})
}

// Hosts follow the ACK of their table, again when the table is asked for again.
func TestVirtualHostsFollowTheirTable(t *testing.T) {
	bubble(t, server.Options{}, func(t *testing.T, r *rig) {
		r.set(table(t, "edge.web"), host(t, "edge.web/a", 0, nil), table(t, "edge.admin"), host(t, "edge.admin/a", 0, nil))
		c := r.connect("e", "edge")
		c.setAnswer(silent(rds))
		c.subscribe(rds, "edge.web")
		c.subscribe(vhds)
		synctest.Wait()
		same(t, "before the ACK", c.sentNames(vhds), [][]string(nil))
		c.setAnswer(nil)
		c.reply(c.lastOf(rds), "")
		synctest.Wait()
		same(t, "after the ACK", c.sentNames(vhds), [][]string{{"edge.web/a"}})
		c.unsubscribe(rds, "edge.web")
		c.subscribe(rds, "edge.admin")
		synctest.Wait()
		c.subscribe(rds, "edge.web")
		synctest.Wait()
		same(t, "after coming back", c.sentNames(vhds), [][]string{{"edge.web/a"}, {"edge.admin/a"}, {"edge.web/a"}})
	})
}

func (c *client) code() codes.Code {
	c.await("end of the stream", func() bool { return c.err != nil })
	return status.Code(c.err)
}

func TestWhoIsRefused(t *testing.T) {
	st := store.New()
	closed, err := server.New(st, server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if closed.IsOpen() {
		t.Error("the gate is open before Open")
	}
	denied := errors.New("not yours")
	bubble(t, server.Options{Identity: func(_ context.Context, g string) error {
		if g == "edge" {
			return nil
		}
		return denied
	}}, func(t *testing.T, r *rig) {
		r.set(cluster(t, "pets", 0, ""))
		try := func(what string, want codes.Code, node *corev3.Node, reqs ...*discoveryv3.DeltaDiscoveryRequest) {
			t.Helper()
			c := r.connect("e", "edge")
			c.node = node
			for _, req := range reqs {
				c.send(req)
			}
			same(t, what, c.code(), want)
		}
		ask := func() *discoveryv3.DeltaDiscoveryRequest { return &discoveryv3.DeltaDiscoveryRequest{TypeUrl: cds} }
		try("another's gateway", codes.PermissionDenied, &corev3.Node{Id: "e", Cluster: "inside"}, ask())
		try("no gateway", codes.InvalidArgument, &corev3.Node{Id: "e"}, ask())
		try("no type", codes.InvalidArgument, &corev3.Node{Id: "e", Cluster: "edge"}, &discoveryv3.DeltaDiscoveryRequest{})
		for _, changed := range []*corev3.Node{{Id: "e", Cluster: "inside"}, {Cluster: "inside"}, {Id: "other", Cluster: "edge"}, {Id: "other"}} {
			c := r.connect("e", "edge")
			c.subscribe(cds)
			c.awaitHave(cds, "pets")
			c.node = changed
			c.subscribe(eds)
			same(t, fmt.Sprint("changed to ", changed), c.code(), codes.PermissionDenied)
		}

		r.server.RefuseResumed(time.Now().Add(time.Minute))
		resumed := func() *discoveryv3.DeltaDiscoveryRequest {
			return &discoveryv3.DeltaDiscoveryRequest{TypeUrl: cds, InitialResourceVersions: map[string]string{"pets": "x"}}
		}
		try("resumed", codes.Unavailable, &corev3.Node{Id: "e", Cluster: "edge"}, resumed())
		fresh := r.connect("fresh", "edge")
		fresh.subscribe(cds)
		fresh.awaitHave(cds, "pets")
		time.Sleep(time.Minute)
		later := r.connect("later", "edge")
		later.resume(cds, map[string]string{"pets": "x"})
		synctest.Wait()
		same(t, "later", len(later.sentNames(cds)), 1)
	})
}

func TestGateIsClosedBeforeOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, server.Options{})
		shut, err := server.New(r.store, server.Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = shut.DeltaAggregatedResources(nil)
		same(t, "delta", status.Code(err), codes.Unavailable)
		same(t, "state of the world", status.Code(shut.StreamAggregatedResources(nil)), codes.Unimplemented)
	})
}
