package server_test

import (
	"testing"
	"testing/synctest"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/sluice-gateway/sluice/xds/server"
	"github.com/sluice-gateway/sluice/xds/store"
)

// A gateway that only redirects or answers by itself has no clusters. Envoy asks for listeners once it was told so.
func TestAGatewayWithoutClustersIsTold(t *testing.T) {
	bubble(t, server.Options{RemovalGrace: -1}, func(t *testing.T, r *rig) {
		r.set(listener(t, "edge.web"))
		c := r.connect("e", "edge")
		c.subscribe(cds)
		synctest.Wait()
		same(t, "answers", len(c.responses), 1)
		same(t, "clusters", len(c.responses[0].GetResources()), 0)
		c.subscribe(lds)
		synctest.Wait()
		c.awaitHave(lds, "edge.web")
		same(t, "answers", len(c.responses), 2)
		r.set(cluster(t, "pets", 0, ""))
		synctest.Wait()
		c.awaitHave(cds, "pets")
	})
}

// An Envoy without an extension is not sent what needs it, and everything else.
func TestAnExtensionThatAnEnvoyLacksIsAStatus(t *testing.T) {
	bubble(t, server.Options{RemovalGrace: -1}, func(t *testing.T, r *rig) {
		fancy := cluster(t, "fancy", 0, "")
		fancy.Requires = []string{"acme.lua"}
		r.set(fancy, cluster(t, "plain", 0, ""))
		for id, extensions := range map[string][]string{"able": {"acme.lua", "x"}, "unable": {"x"}, "silent": nil} {
			c := r.connect(id, "edge")
			for _, e := range extensions {
				c.node.Extensions = append(c.node.Extensions, &corev3.Extension{Name: e})
			}
			c.subscribe(cds)
			time.Sleep(time.Minute)
			synctest.Wait()
			if id == "unable" {
				c.awaitHave(cds, "plain")
			} else {
				c.awaitHave(cds, "fancy", "plain")
			}
		}
		for _, n := range r.server.Nodes() {
			want := []string(nil)
			if n.ID == "unable" {
				want = []string{"Cluster fancy needs acme.lua"}
			}
			same(t, n.ID+" lacks", n.Lacks, want)
		}
	})
}

// A table without hosts is told to be one, once for each time that the client asks for it; a table with hosts is not.
func TestATableWithoutHostsIsTold(t *testing.T) {
	bubble(t, server.Options{RemovalGrace: -1}, func(t *testing.T, r *rig) {
		r.set(table(t, "edge.web"), table(t, "edge.admin"), host(t, "edge.web/a", 0, nil))
		c := r.connect("e", "edge")
		c.subscribe(rds, "edge.web")
		c.subscribe(vhds)
		synctest.Wait()
		same(t, "of a table with hosts", c.sentNames(vhds), [][]string{{"edge.web/a"}})
		c.subscribe(rds, "edge.admin")
		synctest.Wait()
		same(t, "of one without", c.lastOf(vhds).GetRemovedResources(), []string{"edge.admin/"})
		n := len(c.sentNames(vhds))
		r.set(cluster(t, "pets", 0, ""))
		synctest.Wait()
		same(t, "afterwards", len(c.sentNames(vhds)), n)
		r.set(host(t, "edge.admin/a", 0, nil))
		synctest.Wait()
		c.awaitHave(vhds, "edge.admin/a", "edge.web/a")
	})
}

// A table whose only host is held is not told to be empty: its port opens when it is known what stands there.
func TestATableWithAHeldHostWaits(t *testing.T) {
	for _, released := range []bool{true, false} {
		bubble(t, server.Options{RemovalGrace: -1}, func(t *testing.T, r *rig) {
			a := host(t, "edge.web/a", 0, nil)
			r.publish(store.Change{Set: []*store.Resource{table(t, "edge.web")}, Hold: []store.Key{a.Key}})
			c := r.connect("e", "edge")
			c.subscribe(rds, "edge.web")
			c.subscribe(vhds)
			time.Sleep(time.Minute)
			synctest.Wait()
			same(t, "while it is held", c.sentNames(vhds), [][]string(nil))
			if released {
				r.set(a)
				synctest.Wait()
				same(t, "released", c.sentNames(vhds), [][]string{{"edge.web/a"}})
				return
			}
			r.publish(store.Change{Remove: []store.Key{a.Key}})
			synctest.Wait()
			same(t, "gone", c.lastOf(vhds).GetRemovedResources(), []string{"edge.web/"})
		})
	}
}

// An Envoy that another replica served may bring a version that this store does not hold yet. It is told of when it
// comes, since nothing will be sent and acknowledged then.
func TestWhatAnEnvoyBringsIsTold(t *testing.T) {
	seen := newRecorder()
	bubble(t, server.Options{RemovalGrace: -1, Observer: seen}, func(t *testing.T, r *rig) {
		next := cluster(t, "pets", 1, "")
		r.set(cluster(t, "pets", 0, ""), listener(t, "edge.web"))
		c := r.connect("e", "edge")
		c.resume(cds, map[string]string{"pets": next.Version})
		synctest.Wait()
		if len(seen.acked) == 0 || seen.acked[0] != (server.Versioned{Key: next.Key, Version: next.Version}) {
			t.Errorf("told of %v, want the version that it brought first", seen.acked)
		}
	})
}
