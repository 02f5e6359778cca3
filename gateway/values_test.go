package gateway

import "testing"

const (
	readsK   = "route.r host=h;path=/a;up=u;weight=kv.k"
	readsToo = "route.n host=h;path=/n;up=u;weight=kv.k"
)

func TestAValueReachesItsReaders(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anUp, readsK, readsToo)
	s.table("h", "r>u:10 n>u:10")
	s.value("k", "50")
	s.table("h", "r>u:50 n>u:50")
	s.noValue("k")
	s.table("h", "r>u:10 n>u:10")
}

func TestAValueThroughALocal(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anUp, "local.l v=kv.k", "route.r host=h;path=/a;up=u;weight=local.l")
	s.value("k", "50")
	s.table("h", "r>u:50")
	s.value("k", "500")
	s.table("h", "r>u:50")
	s.value("k", "60")
	s.table("h", "r>u:60")
}

func TestABadValueKeepsTheLastAcceptedOneForAllReaders(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anUp, readsK, "local.l v=kv.k")
	s.value("k", "20")
	s.value("k", "500") // the local could live with it
	s.table("h", "r>u:20")
	s.is("route.r", StatePending, "")
	if bad := s.w.BadValues(); len(bad) != 1 || bad[0].Key != "k" || !bad[0].Diags.HasErrors() {
		t.Errorf("bad values %v", bad)
	}
	if raw := s.w.Leaves()[ID{KindValue, "k"}]; raw == nil || *raw != "20" {
		t.Errorf("in force is %v", raw)
	}
	s.value("k", "30")
	s.table("h", "r>u:30")
	if bad := s.w.BadValues(); len(bad) != 0 {
		t.Errorf("bad values %v", bad)
	}
	s.value("k", "500")
	s.noValue("k")
	s.table("h", "r>u:10")
	if bad := s.w.BadValues(); len(bad) != 0 {
		t.Errorf("bad values %v", bad)
	}
}

func TestABadFirstValueLeavesTheReaderAsItWas(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anUp, readsK)
	s.value("k", "many")
	s.is("route.r", StateRejected, "")
	s.table("h", "r>u:10")
}

func TestAReaderThatIsWrongInItselfDoesNotStopAValueFromBeingAccepted(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anUp, readsK, "local.m v=5")
	s.value("k", "10")
	s.doc("e", 2, "route.wrong host=h;path=/w;up=u;weight=kv.k;also=local.none")
	s.value("k", "20")
	s.value("k", "500")
	s.table("h", "r>u:20")
}

func TestTwoValuesThatAreBadAtOnceBothKeepTheirLastAcceptedForm(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anUp, "route.r host=h;path=/a;up=u;weight=kv.k;also=kv.o", "route.n host=h;path=/n;up=u;weight=kv.k")
	five, six, bad := "5", "6", "500"
	k, o := ID{KindValue, "k"}, ID{KindValue, "o"}
	s.apply(Input{Leaves: map[ID]*string{k: &five, o: &six}})
	s.apply(Input{Leaves: map[ID]*string{k: &bad, o: &bad}})
	s.table("h", "r>u:5 n>u:5")
	if got := s.w.BadValues(); len(got) != 2 {
		t.Errorf("bad values %v", got)
	}
	s.apply(Input{Leaves: map[ID]*string{k: &six}})
	s.table("h", "r>u:6 n>u:6")
	if got := s.w.BadValues(); len(got) != 1 || got[0].Key != "o" {
		t.Errorf("bad values %v", got)
	}
}

func TestAValueGetsAnotherChanceWithANewReader(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anUp, readsK)
	s.value("k", "20")
	s.value("k", "500")
	s.doc("d", 1, aGateway, anUp, "route.r host=h;path=/a;up=u;weight=1", "local.l v=kv.k")
	if bad := s.w.BadValues(); len(bad) != 0 {
		t.Errorf("bad values %v", bad)
	}
}

func TestABadValueStaysBadWhileOneReaderCannotLiveWithIt(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anUp, readsK)
	s.doc("e", 2, readsToo)
	s.value("k", "20")
	s.value("k", "500")
	if bad := s.w.BadValues(); len(bad) != 1 || len(bad[0].Diags) != 2 {
		t.Fatalf("bad values %v", bad)
	}
	s.doc("d", 1, aGateway, anUp, "route.r host=h;path=/a;up=u;weight=1")
	s.table("h", "r>u:1 n>u:20")
	if bad := s.w.BadValues(); len(bad) != 1 || len(bad[0].Diags) != 1 {
		t.Errorf("bad values %v", bad)
	}
	s.doc("d", 1, aGateway, anUp, "route.r host=h;path=/x;up=u;weight=kv.k") // reads it again, and could not live with it
	s.delete("e")
	s.table("h", "r>u:20")
	if bad := s.w.BadValues(); len(bad) != 1 || len(bad[0].Diags) != 1 {
		t.Errorf("bad values %v", bad)
	}
	s.doc("d", 1, aGateway, anUp)
	if bad := s.w.BadValues(); len(bad) != 0 {
		t.Errorf("bad values %v", bad)
	}
}

func TestTheAcceptedFormOfABadValueMayComeFromAnotherReplica(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anUp, readsK)
	s.value("k", "20")
	s.value("k", "500")
	s.apply(Input{Ledger: map[ID]*Form{{KindValue, "k"}: {Value: Value{Instances: map[string]any{"": "30"}}}}})
	s.table("h", "r>u:30")
}
