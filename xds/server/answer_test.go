package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/xds/server"
	"github.com/sluice-gateway/sluice/xds/store"
)

// refusing refuses every response in which one of the named resources is, whole.
func refusing(names ...string) func(*discoveryv3.DeltaDiscoveryResponse) (bool, string) {
	return func(r *discoveryv3.DeltaDiscoveryResponse) (bool, string) {
		for _, x := range r.GetResources() {
			if slices.Contains(names, x.GetName()) {
				return true, "no " + x.GetName()
			}
		}
		return true, ""
	}
}

func TestRefusedBatchIsBisected(t *testing.T) {
	for _, typeURL := range []string{vhds, cds} {
		o := newRecorder()
		bubble(t, server.Options{Observer: o}, func(t *testing.T, r *rig) {
			r.set(listener(t, "edge.web"))
			c := r.full("e")
			c.setAnswer(refusing("r/042", "r/077"))
			var all []*store.Resource
			var want []string
			for i := range 100 {
				name := fmt.Sprintf("r/%03d", i)
				if typeURL == vhds {
					all = append(all, host(t, name, 0, nil))
				} else {
					all = append(all, cluster(t, name, 0, ""))
				}
				if i != 42 && i != 77 {
					want = append(want, name)
				}
			}
			r.set(all...)
			synctest.Wait()
			c.awaitHave(typeURL, want...)
			same(t, "refused", o.nacked, []server.Versioned{{Key: all[42].Key, Version: all[42].Version}, {Key: all[77].Key, Version: all[77].Version}})
			if n := len(c.sentNames(typeURL)); n > 30 {
				t.Errorf("%d responses to find two culprits among 100", n)
			}
		})
	}
}

func TestRefusedVersionIsNotSentAgain(t *testing.T) {
	o := newRecorder()
	bubble(t, server.Options{Observer: o}, func(t *testing.T, r *rig) {
		good, bad := host(t, "edge.web/a", 0, nil), host(t, "edge.web/a", 1, nil)
		r.set(good)
		c := r.full("e")
		c.setAnswer(refusing("edge.web/a"))
		r.set(bad)
		synctest.Wait()
		r.set(host(t, "edge.web/b", 0, nil))
		c.subscribe(cds, "*") // any request is a reason to plan
		time.Sleep(time.Minute)
		synctest.Wait()
		same(t, "responses", c.sentNames(vhds), [][]string{{"edge.web/a"}, {"edge.web/a"}, {"edge.web/b"}})
		same(t, "what it has", r.server.Versions(r.server.Nodes()[0].Stream, vhds)["edge.web/a"], good.Version)
		same(t, "last NACK", r.server.Nodes()[0].Types[vhds].LastNack, "no edge.web/a")
		c.setAnswer(nil)
		r.set(good) // rolled back: the client has it already
		synctest.Wait()
		same(t, "responses after rolling back", len(c.sentNames(vhds)), 3)
		r.set(host(t, "edge.web/a", 2, nil))
		synctest.Wait()
		same(t, "responses after a new version", len(c.sentNames(vhds)), 4)
	})
}

func TestObserverHearsAnswers(t *testing.T) {
	o := newRecorder()
	bubble(t, server.Options{Observer: o}, func(t *testing.T, r *rig) {
		pets, eps := cluster(t, "pets", 0, "pets@1"), assignment(t, "pets", 80)
		r.set(pets, eps)
		c := r.connect("e", "edge")
		c.resume(cds, map[string]string{"pets": pets.Version})
		c.subscribe(eds, "pets@1")
		synctest.Wait()
		c.close()
		synctest.Wait()
		same(t, "acknowledged", o.acked, []server.Versioned{{Key: pets.Key, Version: pets.Version}, {Key: eps.Key, Version: eps.Version}})
		if len(o.came) != 1 || len(o.left) != 1 || o.came[0].ID != "e" || o.came[0].Gateway != "edge" {
			t.Errorf("came %v, left %v", o.came, o.left)
		}
	})
}

func TestNackTextIsRedacted(t *testing.T) {
	o := newRecorder()
	bubble(t, server.Options{Observer: o, Redact: func(s string) string { return strings.ReplaceAll(s, "hunter2", "…") }}, func(t *testing.T, r *rig) {
		r.set(host(t, "edge.web/a", 0, nil))
		c := r.connect("e", "edge")
		for _, tt := range []struct{ says, want string }{
			{"Proto constraint validation failed (field: \"name\", reason: (x) is required): password: canary", "Proto constraint validation failed (field: \"name\", reason: (x) is required)…"},
			{"Unable to unpack as a.B: [type] {canary}", "Unable to unpack as a.B: …"},
			{"bad x: goo.gle/debugstr  \nname: \"canary\"\nb {\n}\n: is wrong, y: goo.gle/debugonly  \ncanary: 1\n: too", "bad x: …: is wrong, y: …: too"},
			{"goo.gle/debugproto canary: 1 : Proto constraint validation failed (no name)", "…: Proto constraint validation failed (no name)"},
			{"Expected more: goo.gle/debugstr \ncanary", "Expected more: …"},
			{"bad word hunter2", "bad word …"},
			{"Proto constraint validation failed (unclosed canary", "Proto constraint validation failed (…"},
		} {
			c.setAnswer(func(*discoveryv3.DeltaDiscoveryResponse) (bool, string) { return true, tt.says })
			r.set(host(t, "edge.web/a", len(tt.says), nil))
			c.subscribe(vhds)
			synctest.Wait()
			same(t, "text", o.text, tt.want)
		}
		c.setAnswer(func(*discoveryv3.DeltaDiscoveryResponse) (bool, string) { return true, strings.Repeat("x", 1<<16) })
		r.set(host(t, "edge.web/a", 99, nil))
		synctest.Wait()
		if len(o.text) > 3<<10 {
			t.Errorf("text has %d bytes", len(o.text))
		}
	})
}

// fragile panics when it hears of one resource.
type fragile struct{ *recorder }

func (f fragile) Acked(n server.Node, k []server.Versioned) {
	for _, v := range k {
		if v.Name == "poison" {
			panic("poisoned")
		}
	}
	f.recorder.Acked(n, k)
}

func TestPanicEndsOneStream(t *testing.T) {
	reg := prometheus.NewRegistry()
	bubble(t, server.Options{Observer: fragile{newRecorder()}, Registerer: reg}, func(t *testing.T, r *rig) {
		r.set(cluster(t, "fine", 0, ""), listener(t, "poison"))
		fine, ill := r.connect("fine", "edge"), r.connect("ill", "edge")
		fine.subscribe(cds)
		ill.subscribe(lds)
		synctest.Wait()
		ill.await("end of the stream", func() bool { return ill.err != nil })
		r.set(cluster(t, "more", 0, ""))
		fine.awaitHave(cds, "fine", "more")
		same(t, "streams", len(r.server.Nodes()), 1)
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "sluice_xds_panics_total" {
				same(t, "panics", f.GetMetric()[0].GetCounter().GetValue(), 1.0)
				return
			}
		}
		t.Error("panics are not counted")
	})
}

// A client that never reads blocks nobody.
func TestFrozenClientBlocksNobody(t *testing.T) {
	r := newRig(t, server.Options{})
	r.set(cluster(t, "c", 0, ""))
	frozen, live := r.connect("frozen", "edge"), r.connect("live", "edge")
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	frozen.setAnswer(func(*discoveryv3.DeltaDiscoveryResponse) (bool, string) { <-hold; return false, "" })
	frozen.subscribe(lds)
	live.subscribe(lds)
	for i := range 200 {
		big := must(t, lds, "big", bigListener(i), nil)
		r.set(big)
		live.await("listener", func() bool { return live.have[lds]["big"] == big.Version })
	}
	if n := len(r.server.Nodes()); n != 2 {
		t.Errorf("%d streams", n)
	}
}
