package gateway

import (
	"maps"
	"slices"
	"testing"
)

// shared is what a ledger gives back of what a replica writes to it.
func shared(w *World, index uint64) map[ID]*Led {
	out := map[ID]*Led{}
	for id, l := range w.Led() {
		l.Index = index
		out[id] = &l
		if l.Function == nil {
			out[id] = nil
		}
	}
	return out
}

// calls is the function that the only destination of a host calls.
func (s *stage) calls(host, want string) {
	s.t.Helper()
	got := "nothing"
	if table := s.w.Table(ListenerKey{"g", "http"}, host); len(table) == 1 && table[0].Destinations[0].Function != nil {
		got = table[0].Destinations[0].Function.Name
	}
	if got != want {
		s.t.Errorf("%s calls %s, want %s", host, got, want)
	}
}

func TestAFreshReplicaKnowsFromTheLedgerWhatIsSilentOrGone(t *testing.T) {
	one := newStage(t)
	one.doc("d", 1, aGateway, anAPI, aCaller)
	one.lists("get")
	one.ack()
	s := newStage(t)
	s.apply(Input{Ledger: one.w.Ledger(), Led: shared(one.w, 7)})
	s.doc("d", 1, aGateway, anAPI, aCaller)
	s.is("route.r", StateAccepted, "fn=u.get")
	s.calls("h", "get")
	s.lists("put")
	s.calls("h", "get")
	s.says("route.r", "is not any more")
	if l := s.w.Led()[FunctionID("u", "get")]; l.Index != 7 || l.Function == nil {
		t.Errorf("to share: %+v", l)
	}
}

func TestReplicasAgreeOnAnAmbiguousShortName(t *testing.T) {
	stages := []*stage{newStage(t), newStage(t)}
	first, second := stages[0], stages[1]
	for i, only := range []string{"v2/get~get", "v1/get~get"} {
		stages[i].doc("d", 1, aGateway, anAPI, aCaller)
		stages[i].lists(only)
		stages[i].lists("v1/get~get", "v2/get~get")
	}
	first.calls("h", "v2/get")
	second.calls("h", "v1/get")
	c := second.apply(Input{Led: shared(first.w, 7)})
	second.calls("h", "v2/get")
	if len(c.Units) == 0 {
		t.Error("the change of the target touches nothing")
	}
	if c := second.apply(Input{Led: shared(first.w, 8)}); len(c.Units)+len(c.Blocks) != 0 {
		t.Errorf("the ledger says the same again, and it touches %v", c)
	}
	second.lists("v1/get~get", "v2/get~get=/other/{a}")
	second.calls("h", "v2/get")
	if got := second.w.Led()[FunctionID("u", "get")]; got.Function.REST.Path != "/other/{a}" || got.Index != 8 {
		t.Errorf("to share: %+v", got)
	}
	late := newStage(t) // it hears of the ledger before it lists anything, and lists them in its own order
	late.apply(Input{Led: shared(first.w, 8)})
	late.doc("d", 1, aGateway, anAPI, aCaller)
	late.lists("v1/get~get")
	late.calls("h", "v1/get") // while it is the only one
	late.lists("v1/get~get", "v2/get~get")
	late.calls("h", "v2/get")
}

func TestTheLedgerDoesNotBeatWhatIsThere(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anAPI, aCaller)
	s.lists("get=/new/{a}")
	old := &Led{Function: found("get=/old/{a}")[0], Index: 7}
	if c := s.apply(Input{Led: map[ID]*Led{FunctionID("u", "get"): old}}); len(c.Units)+len(c.Blocks) != 0 {
		t.Errorf("touched %v", c)
	}
	if l := s.w.Led()[FunctionID("u", "get")]; l.Function.REST.Path != "/new/{a}" || l.Index != 7 {
		t.Errorf("to share: %+v", l)
	}
	s.lists("put")
	s.calls("h", "get")
	if d := s.w.Table(ListenerKey{"g", "http"}, "h")[0].Destinations[0]; d.Function.REST.Path != "/new/{a}" {
		t.Errorf("it calls %s", d.Function.REST.Path)
	}
	s.apply(Input{Led: map[ID]*Led{FunctionID("u", "get"): {Function: found("get=/newest/{a}")[0], Index: 8}}}) // that another saw
	if d := s.w.Table(ListenerKey{"g", "http"}, "h")[0].Destinations[0]; d.Function.REST.Path != "/newest/{a}" {
		t.Errorf("it calls %s", d.Function.REST.Path)
	}
}

func TestWhatNoBlockNamesLeavesTheLedger(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anAPI, aCaller)
	s.lists("get", "put")
	s.apply(Input{Led: shared(s.w, 7)})
	s.doc("d", 1, aGateway, anAPI)
	want := map[ID]Led{FunctionID("u", "get"): {Index: 7}}
	if got := s.w.Led(); !maps.Equal(got, want) || len(s.w.Remembered()) != 0 {
		t.Errorf("to share: %+v, remembered: %v", got, s.w.Remembered())
	}
	s.apply(Input{Led: map[ID]*Led{FunctionID("u", "get"): nil}})
	if got := s.w.Led(); len(got) != 0 {
		t.Errorf("to share: %+v", got)
	}
}

func TestARefusedFunctionGoesBackToWhatTheLedgerHadBefore(t *testing.T) {
	one := newStage(t)
	one.doc("d", 1, aGateway, anAPI, aCaller)
	one.lists("get=/old/{a}")
	one.lists("get=/bad/{a}")
	s := newStage(t)
	s.apply(Input{Led: shared(one.w, 7), Ledger: one.w.Ledger()})
	s.doc("d", 1, aGateway, anAPI, aCaller)
	s.lists("get=/bad/{a}")
	words := "no"
	s.apply(Input{Quarantine: map[FormRef]*string{functionForm("u", found("get=/bad/{a}")[0]): &words}})
	if d := s.w.Table(ListenerKey{"g", "http"}, "h")[0].Destinations[0]; d.Function.REST.Path != "/old/{a}" {
		t.Errorf("it calls %s", d.Function.REST.Path)
	}
}

func TestBadEntriesOfReferencesChangeNothing(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anAPI, aCaller)
	s.lists("get")
	c := s.apply(Input{Led: map[ID]*Led{id("route.r"): {Function: found("x")[0]}, FunctionID("u", ""): {Function: found("x")[0]}, FunctionID("u", "get"): {}}})
	if len(c.Units)+len(c.Blocks) != 0 || !slices.Equal(slices.Collect(maps.Keys(s.w.Led())), []ID{FunctionID("u", "get")}) {
		t.Errorf("%v, to share %v", c, s.w.Led())
	}
}
