package gateway

import (
	"slices"
	"testing"
)

func TestADeletedBlockStaysWhileItIsNamed(t *testing.T) {
	s := newStage(t)
	s.doc("a", 1, aGateway, aRoute)
	s.doc("b", 2, anUp)
	s.delete("b")
	s.is("upstream.u", StateRetired, "src=s")
	if held := s.w.Block(id("upstream.u")).HeldBy; !slices.Equal(held, []ID{id("route.r")}) {
		t.Errorf("held by %v", held)
	}
	s.table("h", "r>u:1")
	s.doc("a", 1, aGateway)
	s.is("upstream.u", "", "")
	if s.w.Upstream("u") != nil {
		t.Error("the upstream is still there")
	}
}

func TestARetiredBlockComesBackWithItsDocument(t *testing.T) {
	s := newStage(t)
	s.doc("a", 1, aGateway, aRoute)
	s.doc("b", 2, anUp)
	s.ack()
	s.delete("b")
	s.doc("b", 3, "upstream.u src=other")
	s.is("upstream.u", StatePending, "src=other")
	s.table("h", "r>u:1")
}

func TestAChainOfRetiredBlocksGoesTogether(t *testing.T) {
	s := newStage(t)
	s.doc("a", 1, aGateway, aRoute+";policy=p;gw=g", anUp, "policy.p variant=v1")
	s.doc("a", 1, aRoute+";policy=p;gw=g")
	for _, b := range []string{"gateway.g", "upstream.u", "policy.p"} {
		s.is(b, StateRetired, "")
	}
	s.table("h", "r/beta>u:1 r>u:1")
	s.delete("a")
	for _, b := range []string{"route.r", "gateway.g", "upstream.u", "policy.p"} {
		s.is(b, "", "")
	}
	if units := s.w.AllUnits(); len(units) != 0 {
		t.Errorf("units that are left: %v", units)
	}
}

func TestAReplicaThatStartsServesARetiredBlockFromTheLedger(t *testing.T) {
	one := newStage(t)
	one.doc("a", 1, aGateway, aRoute, "route.bad bad=1")
	one.doc("b", 2, anUp)
	one.ack()
	one.delete("b")
	two := newStage(t)
	two.apply(Input{Ledger: one.w.Ledger()})
	two.doc("a", 1, aGateway, aRoute, "route.bad bad=1")
	two.is("upstream.u", StateRetired, "src=s")
	two.table("h", "r>u:1")
}

func TestARouteDoesNotHoldANamesakeThatItNamesNoMore(t *testing.T) {
	s := newStage(t)
	s.doc("a", 1, aGateway, aRoute, "upstream.v src=s")
	s.doc("b", 2, anUp)
	s.delete("b")
	s.doc("a", 1, aGateway, "route.r host=h;path=/a;up=v;weight=1", "upstream.v src=s")
	s.is("upstream.u", "", "")
	s.table("h", "r>v:1")
}

func TestAnInstanceThatIsStillNamedStaysUntilItIsNot(t *testing.T) {
	const eu = `route.r host=h;path=/a;up=u["eu"];weight=1`
	s := newStage(t)
	s.doc("a", 1, aGateway, eu)
	s.doc("b", 2, "upstream.u src=s;each=eu,us")
	s.table("h", `r>u["eu"]:1`)
	s.ack()
	s.doc("b", 2, "upstream.u src=s;each=us")
	s.table("h", `r>u["eu"]:1`)
	s.is("upstream.u", StateRejected, "each=us")
	s.says("upstream.u", `instance u["eu"], which route.r needs`)
	if s.w.Upstream(`u["eu"]`) == nil || s.w.Upstream(`u["us"]`) == nil {
		t.Error("an instance is missing")
	}

	two := newStage(t) // a replica that starts now serves the same
	two.apply(Input{Ledger: s.w.Ledger()})
	two.apply(Input{Documents: map[string]*Document{"a": fakeDoc("a", 1, aGateway, eu), "b": fakeDoc("b", 2, "upstream.u src=s;each=us")}})
	two.table("h", `r>u["eu"]:1`)
	two.is("upstream.u", StateRejected, "each=us")
	s.ack() // what is kept so is not what was written: the ledger goes on holding the last whole form
	if got := s.w.Accepted(id("upstream.u")).Written.Text(); got != "src=s;each=eu,us" {
		t.Errorf("the ledger holds %s", got)
	}

	s.doc("a", 1, aGateway, `route.r host=h;path=/a;up=u["us"];weight=1`)
	s.is("upstream.u", StatePending, "each=us")
	s.table("h", `r>u["us"]:1`)
	if s.w.Upstream(`u["eu"]`) != nil {
		t.Error("the instance is still there")
	}
}

func TestAnInstanceGoesTogetherWithTheReference(t *testing.T) {
	s := newStage(t)
	s.doc("a", 1, aGateway, "upstream.u src=s;each=eu,us", `route.r host=h;path=/a;up=u["eu"];weight=1`)
	s.doc("a", 1, aGateway, "upstream.u src=s;each=us", `route.r host=h;path=/a;up=u["us"];weight=1`)
	s.is("upstream.u", StatePending, "each=us")
	s.table("h", `r>u["us"]:1`)
	s.doc("a", 1, aGateway, "upstream.u src=s;each=eu") // and with the route itself
	s.is("upstream.u", StatePending, "each=eu")
}

func TestAnInstanceIsRenamedTogetherWithItsReference(t *testing.T) {
	s := newStage(t)
	s.doc("a", 1, aGateway, "upstream.u src=s;each=eu", `route.r host=h;path=/a;up=u["eu"];weight=1`)
	s.ack()
	s.doc("a", 1, aGateway, "upstream.u src=s;each=us", `route.r host=h;path=/a;up=u["us"];weight=1`)
	s.is("upstream.u", StatePending, "each=us")
	s.table("h", `r>u["us"]:1`)
	if s.w.Upstream(`u["eu"]`) != nil {
		t.Error("the old instance is still there")
	}
}

func TestAFormThatKeepsAnInstanceAndIsRefusedGoesBackToTheLastAcceptedOne(t *testing.T) {
	s := newStage(t)
	s.doc("a", 1, aGateway, "upstream.u src=s;each=eu", `route.r host=h;path=/a;up=u["eu"];weight=1`)
	s.ack()
	s.doc("a", 1, aGateway, "upstream.u src=s;each=us", `route.r host=h;path=/a;up=u["eu"];weight=1`)
	s.refuse("upstream.u")
	s.is("upstream.u", StateRejected, "each=eu")
	s.table("h", `r>u["eu"]:1`)
}

func TestABlockThatBecomesRepeatedKeepsItsPlainFormWhileItIsNamed(t *testing.T) {
	s := newStage(t)
	s.doc("a", 1, aGateway, anUp, aRoute)
	s.doc("a", 1, aGateway, "upstream.u src=s;each=eu", aRoute)
	s.table("h", "r>u:1")
	s.doc("a", 1, aGateway, "upstream.u src=s;each=eu", `route.r host=h;path=/a;up=u["eu"];weight=1`)
	s.table("h", `r>u["eu"]:1`)
}
