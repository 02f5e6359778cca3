package gateway

import (
	"slices"
	"strings"
	"testing"
)

// lowered is a world in which two routes and a policy with newer filters were in force, and the change to generation 1.
func lowered(t *testing.T) (before, after *World, change Change) {
	t.Helper()
	docs := map[string]*Document{"d": fakeDoc("d", 1,
		"gateway.edge listeners=http", "upstream.app src=s", "policy.p feature=newest",
		"route.plain host=h;path=/plain;up=app;weight=1",
		"route.new host=h;path=/new;up=app;weight=1;feature=new",
		"route.named host=h;path=/named;up=app;weight=1;policy=p",
	)}
	before, _ = Apply(New(testRules), Input{Documents: docs, Generation: 3})
	after, change = Apply(before, Input{Generation: 1})
	return before, after, change
}

func routesOf(w *World) (names []string) {
	for _, e := range w.Table(ListenerKey{"edge", "http"}, "h") {
		names = append(names, e.Route.Name)
	}
	slices.Sort(names)
	return names
}

func TestALowerGenerationTakesOutWhatNeedsANewerFilter(t *testing.T) {
	before, after, change := lowered(t)
	if got := routesOf(before); !slices.Equal(got, []string{"named", "new", "plain"}) {
		t.Fatalf("at generation 3 there are %v", got)
	}
	if got := routesOf(after); !slices.Equal(got, []string{"plain"}) {
		t.Errorf("at generation 1 there are %v", got)
	}
	if u := (Unit{UnitListener, "edge.http"}); !slices.Contains(change.Units, u) || after.Inputs(u).Generation != 1 {
		t.Errorf("the listener is built of generation %d, and the change names %v", after.Inputs(u).Generation, change.Units)
	}
	b := after.Block(ID{KindRoute, "new"})
	if b.State != StateRejected || len(b.Diags) != 1 || !strings.Contains(b.Diags[0].Detail, "needs generation 2") {
		t.Errorf("the route is %s and says %v", b.State, b.Diags)
	}
}

func TestARisingGenerationBringsItBack(t *testing.T) {
	before, after, _ := lowered(t)
	risen, _ := Apply(after, Input{Generation: 2})
	if got := routesOf(risen); !slices.Equal(got, []string{"new", "plain"}) {
		t.Errorf("at generation 2 there are %v", got)
	}
	risen, _ = Apply(risen, Input{Generation: 3})
	if got, want := routesOf(risen), routesOf(before); !slices.Equal(got, want) {
		t.Errorf("at generation 3 there are %v, want %v", got, want)
	}
}

func TestWhatWasGoodStaysWhileTheNewFormWaits(t *testing.T) {
	doc := func(feature string) map[string]*Document {
		return map[string]*Document{"d": fakeDoc("d", 1, "gateway.edge listeners=http", "upstream.app src=s",
			"route.r host=h;path=/r;up=app;weight=1"+feature)}
	}
	w, _ := Apply(New(testRules), Input{Documents: doc(""), Generation: 1})
	w, _ = Apply(w, Input{Documents: doc(";feature=new")})
	b := w.Block(ID{KindRoute, "r"})
	if got := routesOf(w); !slices.Equal(got, []string{"r"}) || b.State != StateRejected || len(b.InForce.Value.Instances["r"].(*Route).Features) > 0 {
		t.Fatalf("the tables have %v, the block is %s", got, b.State)
	}
	w, _ = Apply(w, Input{Generation: 2})
	if b := w.Block(ID{KindRoute, "r"}); b.State != StatePending || b.InForce != b.Newest {
		t.Errorf("at generation 2 the block is %s: %v", b.State, b.Diags)
	}
}

func TestWithoutAGenerationEverythingIsInForce(t *testing.T) {
	w, _ := Apply(New(testRules), Input{Documents: map[string]*Document{"d": fakeDoc("d", 1, "gateway.edge listeners=http", "upstream.app src=s",
		"route.r host=h;path=/r;up=app;weight=1;feature=newest")}})
	if got := routesOf(w); !slices.Equal(got, []string{"r"}) {
		t.Errorf("the tables have %v: %v", got, w.Block(ID{KindRoute, "r"}).Diags)
	}
}
