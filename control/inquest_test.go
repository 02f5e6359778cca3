package control

import (
	"bytes"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/server"
	"github.com/sluice-gateway/sluice/xds/store"
	"github.com/sluice-gateway/sluice/xds/translate"
)

func evil(res *store.Resource) bool { return bytes.Contains(res.Body.GetValue(), []byte("/evil")) }

func newHost(name, host, path string) string {
	return strings.Replace(route(name, path), "shop.example.com", host, 1)
}

func (r *rig) block(kind, name string) *gateway.Block {
	return r.World().Block(gateway.ID{Kind: kind, Name: name})
}

func (r *rig) told(kind, name string) func() bool {
	return func() bool {
		r.rec.mu.Lock()
		defer r.rec.mu.Unlock()
		for ref := range r.rec.convicts {
			if ref.Kind == kind && ref.Name == name {
				return true
			}
		}
		return false
	}
}

func TestARefusedNewHostTakesNeitherItsGatewayNorItsUpstreamAlong(t *testing.T) {
	r := newRig(t, nil)
	r.envoy(1, "edge", evil)
	r.put("base.hcl", base+route("old", "/old"))
	r.eventually("accepted", func() bool { return r.state("route", "old") == gateway.StateAccepted })
	listener := store.Key{Type: translate.ListenerType, Name: "edge.http"}
	var lost atomic.Bool
	changed, cancel := r.Subscribe()
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range changed {
			if r.World().Gateway("edge") == nil || r.World().Upstream("shop") == nil || r.store.Get(listener) == nil {
				lost.Store(true)
			}
			if r.told("route", "new")() {
				return
			}
		}
	}()
	r.put("new.hcl", newHost("new", "new.example.com", "/evil"))
	r.eventually("convicted", r.told("route", "new"))
	r.wake()
	<-done
	if lost.Load() {
		t.Error("the gateway or the upstream went with the refused host")
	}
	for _, id := range []gateway.ID{{Kind: "gateway", Name: "edge"}, {Kind: "upstream", Name: "shop"}, {Kind: "route", Name: "old"}} {
		if b := r.World().Block(id); b.State != gateway.StateAccepted {
			t.Errorf("%s is %s: %s", id, b.State, b.Diags)
		}
	}
}

func (r *rig) wake() { r.subs.wake() }

func TestAnEnvoyThatComesLateFindsTheCulpritToo(t *testing.T) {
	r := newRig(t, nil)
	r.put("base.hcl", base+route("good1", "/good1")+route("bad", "/evil")+route("good2", "/good2"))
	r.eventually("valid without any Envoy", func() bool { return r.state("route", "bad") == gateway.StateAccepted })
	r.envoy(1, "edge", evil)
	r.eventually("sorted out", func() bool {
		return r.state("route", "bad") == gateway.StateRejected &&
			r.state("route", "good1") == gateway.StateAccepted && r.state("route", "good2") == gateway.StateAccepted
	})
	if r.World().Gateway("edge") == nil || r.World().Upstream("shop") == nil {
		t.Error("gateway or upstream are gone")
	}
}

func TestARouteIsBlamedBeforeTheNewUpstreamThatItNames(t *testing.T) {
	r := newRig(t, nil)
	r.envoy(1, "edge", evil)
	r.put("base.hcl", base+route("old", "/old"))
	r.eventually("accepted", func() bool { return r.state("route", "old") == gateway.StateAccepted })
	r.put("new.hcl", `
upstream "fresh" {
  fixed { name = "fresh" }
}
`+strings.Replace(route("bad", "/evil"), "upstream.shop", "upstream.fresh", 1))
	r.eventually("convicted", r.told("route", "bad"))
	r.eventually("the upstream is accepted", func() bool { return r.state("upstream", "fresh") == gateway.StateAccepted })
}

// steps is a loop without a goroutine of its own: the test says when it works, and speaks for the Envoys.
type steps struct {
	*Loop
	t  *testing.T
	st *store.Store
	r  *rig
}

func newSteps(t *testing.T, adjust func(*Config)) *steps {
	t.Helper()
	tr, err := translate.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, schema: testSchema(), store: store.New(), gate: &fakeGate{}, rec: &fakeRecorder{convicts: map[gateway.FormRef]string{}}}
	cfg := Config{Schema: r.schema, Translator: tr, Store: r.store, Gate: r.gate, Recorder: r.rec}
	if adjust != nil {
		adjust(&cfg)
	}
	l, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.Loop = l
	return &steps{Loop: l, t: t, st: r.store, r: r}
}

func (s *steps) put(name, text string) {
	s.r.put(name, text)
	s.drain()
}

// ack says yes to all that the store has but what is refused; a refused resource is left unanswered.
func (s *steps) ack(n server.Node) {
	for again := true; again; {
		again = false
		for _, res := range s.st.List(n.Gateway) {
			e := s.book.entries[res.Key]
			if _, waits := e.left[n.Stream]; waits && !evil(res) {
				s.Acked(n, []server.Versioned{{Key: res.Key, Version: res.Version}})
				s.drain()
				again = true
			}
		}
	}
}

func (s *steps) nack(n server.Node) {
	s.t.Helper()
	res := s.st.Get(hostKey())
	s.Nacked(n, []server.Versioned{{Key: res.Key, Version: res.Version}}, "cannot take that")
	s.drain()
}

func (s *steps) publishes(path string) bool {
	res := s.st.Get(hostKey())
	return res != nil && bytes.Contains(res.Body.GetValue(), []byte(path))
}

var edgeNode = server.Node{Stream: 1, ID: "n", Gateway: "edge"}

func TestABlockThatComesDuringATrialDoesNotConvictWhoIsOnTrial(t *testing.T) {
	s := newSteps(t, nil)
	s.Connected(edgeNode)
	s.put("base.hcl", base+route("old", "/old"))
	s.ack(edgeNode)
	s.put("new.hcl", route("a", "/aaa")+route("b", "/bbb"))
	s.nack(edgeNode)
	if !s.publishes("/aaa") || s.publishes("/bbb") {
		t.Fatal("route a is not on trial alone")
	}
	s.put("late.hcl", route("late", "/evil"))
	s.nack(edgeNode) // of a and late together
	s.ack(edgeNode)  // a alone
	s.ack(edgeNode)
	if st := s.r.state("route", "a"); st != gateway.StateAccepted {
		t.Errorf("route a is %s: %s", st, s.r.block("route", "a").Diags)
	}
}

func TestATrialWhoseEnvoyLeavesIsHeardAgainWhenOneComes(t *testing.T) {
	s := newSteps(t, nil)
	s.Connected(edgeNode)
	s.put("base.hcl", base+route("a", "/old"))
	s.ack(edgeNode)
	s.put("base.hcl", base+route("a", "/evil")+route("b", "/bbb"))
	s.nack(edgeNode)
	if !s.publishes("/evil") {
		t.Fatal("route a is not on trial")
	}
	s.Disconnected(edgeNode)
	s.drain()
	if s.publishes("/evil") || !s.publishes("/old") {
		t.Error("what nobody tried is in force")
	}
	if f := s.World().Accepted(gateway.ID{Kind: "route", Name: "a"}); f == nil || strings.Contains(f.Written.Text(), "/evil") {
		t.Errorf("the ledger holds %v", f)
	}
	again := server.Node{Stream: 2, ID: "n", Gateway: "edge"}
	s.Connected(again)
	s.drain()
	s.nack(again)
	s.ack(again)
	if !s.publishes("/old") || !s.publishes("/bbb") || s.r.state("route", "b") != gateway.StateAccepted || s.r.state("route", "a") != gateway.StateRejected {
		t.Errorf("blocks: %s", s.r.blocks())
	}
}

func TestATrialEndsThoughAnEnvoyNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		silent := server.Node{Stream: 9, ID: "silent", Gateway: "edge"}
		r.put("base.hcl", base+route("old", "/old"))
		synctest.Wait()
		r.Connected(edgeNode)
		r.Connected(silent)
		r.put("new.hcl", route("a", "/aaa")+route("b", "/bbb"))
		synctest.Wait()
		res := r.store.Get(hostKey())
		r.Acked(edgeNode, nil)
		r.Nacked(edgeNode, []server.Versioned{{Key: res.Key, Version: res.Version}}, "cannot take that")
		time.Sleep(10 * trialPatience)
		synctest.Wait()
		if body := r.store.Get(hostKey()).Body.GetValue(); !bytes.Contains(body, []byte("/aaa")) {
			t.Errorf("route a waits for ever: %s", r.blocks())
		}
		r.stop()
	})
}

func TestAConvictionByAnotherReplicaEndsTheTrialHere(t *testing.T) {
	s := newSteps(t, nil)
	s.Connected(edgeNode)
	s.put("base.hcl", base+route("old", "/old"))
	s.ack(edgeNode)
	s.put("new.hcl", route("a", "/evil")+route("b", "/bbb"))
	s.nack(edgeNode)
	ref := gateway.FormRef{ID: gateway.ID{Kind: "route", Name: "a"}, Hash: s.r.block("route", "a").Newest.Hash}
	s.Quarantine(map[gateway.FormRef]*string{ref: ptr("an Envoy elsewhere said no")})
	s.drain()
	s.ack(edgeNode)
	s.ack(edgeNode)
	b := s.r.block("route", "a")
	if b.State != gateway.StateRejected || !strings.Contains(b.Diags.Error(), "elsewhere") || s.r.state("route", "b") != gateway.StateAccepted {
		t.Errorf("blocks: %s", s.r.blocks())
	}
}

func TestARefusalFromAnotherReplicaCountsBeforeTheDocumentComes(t *testing.T) {
	donor := newSteps(t, nil)
	donor.put("a.hcl", base+route("a", "/evil"))
	ref := gateway.FormRef{ID: gateway.ID{Kind: "route", Name: "a"}, Hash: donor.r.block("route", "a").Newest.Hash}
	s := newSteps(t, nil)
	s.Quarantine(map[gateway.FormRef]*string{ref: ptr("no")})
	s.drain()
	s.put("a.hcl", base+route("a", "/evil"))
	if s.r.state("route", "a") != gateway.StateRejected || s.st.Get(hostKey()) != nil {
		t.Errorf("blocks: %s", s.r.blocks())
	}
}

func TestAResourceThatGoesAndComesBackUnchangedWaitsForNobody(t *testing.T) {
	s := newSteps(t, nil)
	s.Connected(edgeNode)
	s.put("base.hcl", base)
	s.put("r.hcl", route("a", "/aaa"))
	s.ack(edgeNode)
	s.put("r.hcl", "")
	s.put("r.hcl", route("a", "/aaa")) // the Envoy never saw the removal: it has nothing to answer
	if st := s.r.state("route", "a"); st != gateway.StateAccepted {
		t.Errorf("route a is %s", st)
	}
}

func TestAnAnswerToAVersionThatComesBackCounts(t *testing.T) {
	s := newSteps(t, nil)
	s.Connected(edgeNode)
	s.put("r.hcl", base+route("a", "/one"))
	s.ack(edgeNode)
	s.put("r.hcl", base+route("a", "/two"))
	two := s.st.Get(hostKey())
	s.put("r.hcl", base+route("a", "/one"))
	s.Acked(edgeNode, []server.Versioned{{Key: two.Key, Version: two.Version}})
	s.drain()
	s.put("r.hcl", base+route("a", "/two"))
	if st := s.r.state("route", "a"); st != gateway.StateAccepted {
		t.Errorf("route a is %s", st)
	}
}

func TestOneOfTwoEnvoysRefuses(t *testing.T) {
	s := newSteps(t, nil)
	other := server.Node{Stream: 2, ID: "m", Gateway: "edge"}
	s.Connected(edgeNode)
	s.Connected(other)
	s.put("r.hcl", base+route("a", "/one"))
	s.ack(edgeNode)
	s.ack(other)
	s.put("r.hcl", base+route("a", "/two"))
	s.ack(edgeNode)
	s.nack(other)
	if s.publishes("/two") || s.r.state("route", "a") != gateway.StateRejected {
		t.Errorf("blocks: %s", s.r.blocks())
	}
	b := s.r.block("route", "a")
	if b.InForce == nil || !strings.Contains(b.InForce.Written.Text(), "/one") {
		t.Errorf("in force: %v", b.InForce)
	}
}

func TestATranslationThatFailsIsTheBlocksAloneThatCauseIt(t *testing.T) {
	s := newSteps(t, nil)
	s.Connected(edgeNode)
	s.put("base.hcl", base+route("old", "/old"))
	s.ack(edgeNode)
	key := hostKey()
	bad := s.r.block("route", "old").InForce
	s.inquest.refused(store.Key{Type: key.Type, Name: "edge.http/never-published"}, []gateway.FormRef{
		{ID: gateway.ID{Kind: "gateway", Name: "edge"}, Hash: s.r.block("gateway", "edge").InForce.Hash},
		{ID: gateway.ID{Kind: "upstream", Name: "shop"}, Hash: s.r.block("upstream", "shop").InForce.Hash},
		{ID: gateway.ID{Kind: "route", Name: "old"}, Hash: bad.Hash},
	}, "cannot be translated", nil)
	s.drain()
	if s.World().Gateway("edge") == nil || s.World().Upstream("shop") == nil {
		t.Error("gateway or upstream are gone")
	}
}
