package server_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/xds/server"
	"github.com/sluice-gateway/sluice/xds/store"
)

// bubble runs a test with a virtual clock: settle returns when nothing moves any more.
func bubble(t *testing.T, o server.Options, f func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newRig(t, o)) })
}

// silent answers nothing of a type by itself.
func silent(typeURL string) func(*discoveryv3.DeltaDiscoveryResponse) (bool, string) {
	return func(r *discoveryv3.DeltaDiscoveryResponse) (bool, string) { return r.GetTypeUrl() != typeURL, "" }
}

func (c *client) lastOf(typeURL string) *discoveryv3.DeltaDiscoveryResponse {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range slices.Backward(c.responses) {
		if r.GetTypeUrl() == typeURL {
			return r
		}
	}
	return nil
}

// full is a client that subscribes to everything, as an Envoy with one listener would.
func (r *rig) full(id string) *client {
	c := r.connect(id, "edge")
	c.subscribe(cds)
	c.subscribe(eds)
	c.subscribe(lds)
	c.subscribe(vhds)
	synctest.Wait()
	return c
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestResourceWaitsForWhatItNeedsAlone(t *testing.T) {
	bubble(t, server.Options{}, func(t *testing.T, r *rig) {
		r.set(cluster(t, "old", 0, ""))
		c := r.full("e")
		c.setAnswer(silent(cds))
		r.set(cluster(t, "pets", 0, ""),
			host(t, "edge.web/a", 0, []store.Key{key(cds, "pets"), key(cds, "old")}),
			host(t, "edge.web/b", 0, []store.Key{key(cds, "old")}))
		synctest.Wait()
		same(t, "hosts before the ACK", c.sentNames(vhds), [][]string{{"edge.web/b"}})
		c.reply(c.lastOf(cds), "")
		synctest.Wait()
		same(t, "hosts after the ACK", c.sentNames(vhds), [][]string{{"edge.web/b"}, {"edge.web/a"}})
	})
}

func TestNeedTimesOut(t *testing.T) {
	bubble(t, server.Options{}, func(t *testing.T, r *rig) {
		r.set(listener(t, "edge.web"))
		c := r.full("e")
		c.setAnswer(silent(cds))
		r.set(cluster(t, "pets", 0, ""), host(t, "edge.web/a", 0, []store.Key{key(cds, "pets")}))
		time.Sleep(999 * time.Millisecond) // virtual
		synctest.Wait()
		same(t, "hosts within the limit", c.sentNames(vhds), [][]string(nil))
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		same(t, "hosts after the limit", c.sentNames(vhds), [][]string{{"edge.web/a"}})
	})
}

// One cluster that warms withholds the ACKs of all; the ACK of an assignment says as much.
func TestAssignmentAckMakesClusterReady(t *testing.T) {
	bubble(t, server.Options{NeedTimeout: time.Hour}, func(t *testing.T, r *rig) {
		r.set(listener(t, "edge.web"))
		c := r.full("e")
		c.setAnswer(silent(cds))
		r.set(cluster(t, "slow", 0, "slow@1"), cluster(t, "pets", 0, "pets@1"), assignment(t, "pets", 80),
			host(t, "edge.web/a", 0, []store.Key{key(cds, "pets")}))
		synctest.Wait()
		same(t, "hosts before the assignment", c.sentNames(vhds), [][]string(nil))
		c.subscribe(eds, "pets@1")
		synctest.Wait()
		same(t, "hosts after its ACK", c.sentNames(vhds), [][]string{{"edge.web/a"}})

		r.set(cluster(t, "more", 0, "")) // several responses may be in flight
		synctest.Wait()
		same(t, "clusters", c.sentNames(cds), [][]string{nil, {"pets", "slow"}, {"more"}})
	})
}

func TestNeedBroughtAlongIsReady(t *testing.T) {
	bubble(t, server.Options{NeedTimeout: time.Hour}, func(t *testing.T, r *rig) {
		pets := cluster(t, "pets", 0, "")
		r.set(pets, host(t, "edge.web/a", 0, []store.Key{key(cds, "pets")}))
		c := r.connect("e", "edge")
		c.setAnswer(silent(cds))
		c.resume(cds, map[string]string{"pets": pets.Version})
		c.subscribe(vhds)
		synctest.Wait()
		same(t, "hosts", c.sentNames(vhds), [][]string{{"edge.web/a"}})
		same(t, "clusters", c.sentNames(cds), [][]string(nil))
	})
}

func TestEndpointsNeverWait(t *testing.T) {
	bubble(t, server.Options{NeedTimeout: time.Hour}, func(t *testing.T, r *rig) {
		r.set(cluster(t, "pets", 0, "pets@1"), assignment(t, "pets", 80))
		c := r.full("e")
		c.subscribe(eds, "pets@1")
		synctest.Wait()
		c.setAnswer(func(*discoveryv3.DeltaDiscoveryResponse) (bool, string) { return false, "" })
		for i := range 5 {
			r.set(cluster(t, "pets", i+1, "pets@1"), assignment(t, "pets", 81+i))
			synctest.Wait()
		}
		same(t, "assignments", len(c.sentNames(eds)), 6)
	})
}

func TestRemovalsComeLast(t *testing.T) {
	bubble(t, server.Options{RemovalGrace: 5 * time.Second}, func(t *testing.T, r *rig) {
		r.set(cluster(t, "old", 0, ""), host(t, "edge.web/a", 0, nil), host(t, "edge.web/gone", 0, nil))
		c := r.full("e")
		c.setAnswer(silent(vhds))
		r.publish(store.Change{
			Set:    []*store.Resource{host(t, "edge.web/a", 1, nil)},
			Remove: []store.Key{key(cds, "old"), key(vhds, "edge.web/gone")},
		})
		time.Sleep(8 * time.Second)
		synctest.Wait()
		c.awaitHave(cds, "old")
		c.awaitHave(vhds, "edge.web/a", "edge.web/gone")
		c.setAnswer(nil)
		c.reply(c.lastOf(vhds), "")
		synctest.Wait()
		c.awaitHave(vhds, "edge.web/a") // nothing refers to a host: no grace
		c.awaitHave(cds, "old")
		time.Sleep(5*time.Second - time.Millisecond)
		synctest.Wait()
		c.awaitHave(cds, "old")
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		c.awaitHave(cds)
	})
}

func TestRemovalIsCancelledByReturn(t *testing.T) {
	bubble(t, server.Options{}, func(t *testing.T, r *rig) {
		pets := cluster(t, "pets", 0, "")
		r.set(pets, listener(t, "edge.web"))
		c := r.full("e")
		r.publish(store.Change{Remove: []store.Key{pets.Key}})
		time.Sleep(time.Second)
		r.set(pets)
		time.Sleep(time.Minute)
		synctest.Wait()
		same(t, "clusters", c.sentNames(cds), [][]string{{"pets"}})
	})
}

// An assignment stays until its clusters are gone.
func TestAssignmentOutlivesCluster(t *testing.T) {
	bubble(t, server.Options{RemovalGrace: time.Second}, func(t *testing.T, r *rig) {
		r.set(cluster(t, "pets", 0, "pets@1"), assignment(t, "pets", 80), listener(t, "edge.web"))
		c := r.full("e")
		c.subscribe(eds, "pets@1")
		synctest.Wait()
		c.setAnswer(silent(cds))
		r.publish(store.Change{Remove: []store.Key{key(cds, "pets"), key(eds, "pets")}})
		time.Sleep(3 * time.Second)
		synctest.Wait()
		same(t, "clusters", c.sentNames(cds), [][]string{{"pets"}, {"-pets"}})
		c.awaitHave(eds, "pets@1")
		c.reply(c.lastOf(cds), "")
		synctest.Wait()
		c.awaitHave(eds)
	})
}

func TestSmallChangesGoOneToAResponse(t *testing.T) {
	bubble(t, server.Options{}, func(t *testing.T, r *rig) {
		r.set(listener(t, "edge.web"))
		c := r.full("e")
		r.set(host(t, "edge.web/a", 0, nil), host(t, "edge.web/b", 0, nil))
		synctest.Wait()
		same(t, "few", c.sentNames(vhds), [][]string{{"edge.web/a"}, {"edge.web/b"}})
		var many []*store.Resource
		for i := range 100 {
			many = append(many, host(t, fmt.Sprintf("edge.web/m%03d", i), 0, nil))
		}
		r.set(many...)
		synctest.Wait()
		if n := len(c.sentNames(vhds)); n != 3 {
			t.Errorf("%d responses, want one for the 100", n-2)
		}
	})
}

// A client that answers nothing is sent what fits into the window, and the rest gathers.
func TestUnansweredResponsesAreBounded(t *testing.T) {
	bubble(t, server.Options{}, func(t *testing.T, r *rig) {
		r.set(listener(t, "edge.web"))
		c := r.full("e")
		c.setAnswer(silent(vhds))
		for i := range 300 {
			r.set(host(t, "edge.web/a", i, nil))
			synctest.Wait()
		}
		last := r.store.Get(key(vhds, "edge.web/a")).Version
		c.mu.Lock()
		sent := len(c.responses)
		c.mu.Unlock()
		if sent > 260 {
			t.Errorf("%d responses without an answer", sent)
		}
		c.setAnswer(nil)
		c.reply(c.lastOf(vhds), "")
		c.await("the last version", func() bool { return c.have[vhds]["edge.web/a"] == last })
	})
}
