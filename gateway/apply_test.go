package gateway

import (
	"testing"
)

func TestAValidBlockIsInForceAtOnceAndAcceptedWithTheLedger(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anUp, aRoute)
	s.is("route.r", StatePending, "path=/a")
	s.table("h", "r>u:1")
	s.ack()
	s.is("route.r", StateAccepted, "path=/a")
}

func TestAnInvalidBlockKeepsItsLastGoodFormAndItsNeighboursProceed(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anUp, aRoute)
	s.doc("d", 1, aGateway, anUp, aBadRoute, "route.n host=h;path=/n;up=u;weight=3")
	s.is("route.r", StateRejected, "path=/a")
	s.is("route.n", StatePending, "path=/n")
	s.table("h", "r>u:1 n>u:3")
}

func TestAnInvalidBlockThatWasNeverGoodIsAbsent(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anUp, aBadRoute)
	s.is("route.r", StateRejected, "-")
	s.table("h", "")
}

func TestABlockThatNamesNothingThatExistsIsRejectedUntilItDoes(t *testing.T) {
	s := newStage(t)
	s.doc("a", 1, aGateway, aRoute)
	s.says("route.r", `There is no upstream "u".`)
	s.doc("b", 2, anUp)
	s.is("route.r", StatePending, "path=/a")
	s.table("h", "r>u:1")
}

func TestADocumentThatDoesNotParseKeepsItsBlocks(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anUp, aRoute)
	s.breakDoc("d", 1)
	s.is("route.r", StatePending, "path=/a")
	s.table("h", "r>u:1")
	s.doc("d", 1, aGateway, anUp)
	s.is("route.r", "", "")
	s.table("h", "")
}

func TestAReplicaThatNeverSawADocumentWholeTakesItsBlocksFromTheLedger(t *testing.T) {
	one := newStage(t)
	one.doc("d", 1, aGateway, anUp, aRoute)
	one.ack()
	for _, late := range []bool{false, true} {
		s := newStage(t)
		if !late {
			s.apply(Input{Ledger: one.w.Ledger()})
		}
		s.breakDoc("d", 1)
		if late {
			s.apply(Input{Ledger: one.w.Ledger()})
		}
		s.is("route.r", StateAccepted, "path=/a")
		s.table("h", "r>u:1")
	}
}

func TestTheLedgerDoesNotBringBackWhatADocumentDroppedBeforeItBroke(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anUp, aRoute)
	s.ack()
	old := s.w.Ledger()
	s.doc("d", 1, aGateway, anUp)
	s.breakDoc("d", 1)
	s.apply(Input{Ledger: old})
	s.table("h", "")
}

func TestAnOlderLedgerDoesNotReplaceWhatIsInForce(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anUp, aRoute)
	s.ack()
	old := s.w.Ledger()
	s.doc("d", 1, aGateway, anUp, aNewRoute)
	s.apply(Input{Ledger: old})
	s.is("route.r", StatePending, "path=/b")
	s.breakDoc("d", 1)
	s.is("route.r", StatePending, "path=/b")
}

func TestALedgerThatComesBeforeTheDocumentIsWhereItFallsBackTo(t *testing.T) {
	one := newStage(t)
	one.doc("d", 1, aGateway, anUp, aRoute)
	one.ack()
	s := newStage(t)
	s.apply(Input{Ledger: one.w.Ledger()})
	s.doc("d", 1, aGateway, anUp, aBadRoute)
	s.is("route.r", StateRejected, "path=/a")
	s.table("h", "r>u:1")
}

func TestARefusedFormGoesBackToTheLastAcceptedOne(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anUp, aRoute)
	s.ack()
	s.doc("d", 1, aGateway, anUp, aNewRoute)
	s.refuse("route.r")
	s.is("route.r", StateRejected, "path=/a")
	s.says("route.r", "no such thing")
	s.doc("d", 1, aGateway, anUp, "route.r host=h;path=/c;up=u;weight=2")
	s.is("route.r", StatePending, "path=/c")
}

func TestARefusalThatComesBeforeTheDocumentCounts(t *testing.T) {
	one := newStage(t)
	one.doc("d", 1, aGateway, anUp, aRoute)
	said := "no"
	s := newStage(t)
	s.apply(Input{Quarantine: map[FormRef]*string{{id("route.r"), one.w.Block(id("route.r")).Newest.Hash}: &said}})
	s.doc("d", 1, aGateway, anUp, aRoute)
	s.is("route.r", StateRejected, "-")
	s.apply(Input{Quarantine: map[FormRef]*string{{id("route.r"), one.w.Block(id("route.r")).Newest.Hash}: nil}})
	s.is("route.r", StatePending, "path=/a")
}

func TestARouteWhoseUpstreamWasRefusedIsAbsentRatherThanEmpty(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anUp, aRoute, "upstream.v src=s", "route.n host=h;path=/n;up=v;weight=1")
	s.refuse("upstream.u")
	s.is("route.r", StateRejected, "-")
	s.table("h", "n>v:1")
	s.doc("d", 1, aGateway, "upstream.u src=other", aRoute, "upstream.v src=s", "route.n host=h;path=/n;up=v;weight=1")
	s.table("h", "r>u:1 n>v:1")
}

func TestABlockInTwoDocumentsBelongsToWhoWasAcceptedFirst(t *testing.T) {
	s := newStage(t)
	s.doc("z", 9, aGateway, anUp, aRoute)
	s.doc("a", 1, aNewRoute)
	s.is("route.r", StatePending, "z: ")
	s.says("route.r", "already defined")
	s.delete("z")
	s.is("route.r", StateRejected, "")
	s.doc("z2", 9, aGateway, anUp)
	s.is("route.r", StatePending, "a: ")
}

func TestBetweenTwoNewBlocksOfOneNameTheLowerCreateIndexDecides(t *testing.T) {
	s := newStage(t)
	s.doc("base", 1, aGateway, anUp)
	s.apply(Input{Documents: map[string]*Document{"a": fakeDoc("a", 8, aRoute), "z": fakeDoc("z", 3, aNewRoute)}})
	s.is("route.r", StatePending, "z: ")
	files := newStage(t)
	files.doc("base", 0, aGateway, anUp)
	files.apply(Input{Documents: map[string]*Document{"a": fakeDoc("a", 0, aRoute), "z": fakeDoc("z", 0, aNewRoute)}})
	files.is("route.r", StatePending, "a: ")
}

func TestABlockMovesToAnotherDocumentWithoutAGap(t *testing.T) {
	s := newStage(t)
	s.doc("base", 1, aGateway, anUp)
	s.doc("old", 2, aRoute)
	s.ack()
	s.doc("new", 3, aRoute) // there before it goes from the old one
	s.table("h", "r>u:1")
	s.delete("old")
	s.table("h", "r>u:1")
	s.is("route.r", StateAccepted, "new: ")
	s.apply(Input{Documents: map[string]*Document{"new": nil, "newest": fakeDoc("newest", 4, aRoute)}})
	s.table("h", "r>u:1")
}

func TestWhoHoldsAMatchKeepsIt(t *testing.T) {
	s := newStage(t)
	s.doc("base", 5, aGateway, anUp, "route.old host=h;path=/a;up=u;weight=1")
	s.doc("a", 1, "route.new host=h;path=/a;up=u;weight=2")
	s.is("route.new", StateRejected, "-")
	s.says("route.new", "accepted first")
	s.table("h", "old>u:1")
	s.doc("base", 5, aGateway, anUp)
	s.is("route.new", StatePending, "path=/a")
	s.table("h", "new>u:2")
}

func TestBetweenTwoNewMatchesTheLowerCreateIndexDecides(t *testing.T) {
	s := newStage(t)
	s.doc("base", 1, aGateway, anUp)
	s.apply(Input{Documents: map[string]*Document{
		"a": fakeDoc("a", 8, "route.late host=h;path=/a;up=u;weight=1"),
		"z": fakeDoc("z", 3, "route.early host=h;path=/a;up=u;weight=2"),
	}})
	s.table("h", "early>u:2")
	s.is("route.late", StateRejected, "-")
}

func TestTwoRoutesSwapTheirMatches(t *testing.T) {
	at := func(name, path string) string { return "route." + name + " host=h;path=/" + path + ";up=u;weight=1" }
	s := newStage(t)
	s.doc("base", 1, aGateway, anUp)
	s.doc("a", 2, at("x", "a"))
	s.doc("b", 3, at("y", "b"))
	s.doc("a", 2, at("x", "b"))
	s.is("route.x", StateRejected, "path=/a")
	s.table("h", "x>u:1 y>u:1")
	s.doc("b", 3, at("y", "a"))
	s.is("route.x", StatePending, "path=/b")
	s.is("route.y", StatePending, "path=/a")
	s.table("h", "x>u:1 y>u:1")
}

func TestARouteThatGivesAMatchUpFreesItAtOnce(t *testing.T) {
	s := newStage(t)
	s.doc("base", 1, aGateway, anUp, "route.x host=h;path=/a;up=u;weight=1")
	s.apply(Input{Documents: map[string]*Document{"base": fakeDoc("base", 1, aGateway, anUp,
		"route.x host=h;path=/b;up=u;weight=1", "route.y host=h;path=/a;up=u;weight=2")}})
	s.table("h", "x>u:1 y>u:2")
	s.is("route.y", StatePending, "path=/a")
}

func TestARouteWhoseNewFormLostItsUpstreamGoesBackToTheAcceptedOne(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anUp, aRoute)
	s.ack()
	s.doc("d", 1, aGateway, anUp, "upstream.v src=s", "route.r host=h;path=/b;up=v;weight=1")
	s.refuse("upstream.v")
	s.is("route.r", StateRejected, "path=/a")
	s.table("h", "r>u:1")
}
