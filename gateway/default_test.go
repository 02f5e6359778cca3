package gateway

import (
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

// admitting admits whom it names; "" is everybody.
type admitting struct {
	FeatureBase
	typ, who string
}

func (a *admitting) FeatureType() string    { return a.typ }
func (a *admitting) Admits() (string, bool) { return a.who, a.who != "" }

func TestAGatewayMayDenyByDefault(t *testing.T) {
	g := &Gateway{Default: "deny"}
	for name, c := range map[string]struct {
		features []Effective
		denied   bool
	}{
		"no feature":         {nil, true},
		"one that counts":    {[]Effective{{Feature: &admitting{typ: "rbac"}}}, true},
		"one that admits":    {[]Effective{{Feature: &admitting{typ: "jwt", who: "callers with a token"}}}, false},
		"one of another art": {[]Effective{{Feature: &fakeFeature{typ: "retry"}}}, true},
	} {
		if got := g.denies(c.features); got != c.denied {
			t.Errorf("%s: denied %v", name, got)
		}
	}
	if (&Gateway{}).denies(nil) || (&Gateway{Default: "allow"}).denies(nil) {
		t.Error("a gateway denies that does not say so")
	}
}

func TestWhatIsDeniedSaysSo(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, "gateway.edge listeners=http;default=deny", "upstream.app src=s", "route.r host=h;path=/x;up=app;weight=1")
	b := s.w.Block(id("route.r"))
	if b.State != StatePending || len(b.Diags) != 1 || b.Diags[0].Severity != hcl.DiagWarning || !strings.Contains(b.Diags[0].Detail, `gateway "edge"`) {
		t.Errorf("the route is %s: %v", b.State, b.Diags)
	}
	if e := s.w.Table(ListenerKey{"edge", "http"}, "h")[0]; !e.Destinations[0].Denied {
		t.Error("the destination is not denied")
	}
	s.doc("d", 1, "gateway.edge listeners=http", "upstream.app src=s", "route.r host=h;path=/x;up=app;weight=1")
	if e := s.w.Table(ListenerKey{"edge", "http"}, "h")[0]; e.Destinations[0].Denied {
		t.Error("the destination is denied still")
	}
}

func TestTheNearestBlockKnowsWhatItReplaces(t *testing.T) {
	rules := &Rules{Features: []FeatureRule{{Type: "near", Combine: Nearest}}}
	layers := func(locked bool) []layer {
		first := &admitting{typ: "near", who: "1"}
		first.Locked = locked
		return []layer{
			{[]Feature{first}, LevelGateway, ID{KindGateway, "g"}},
			{[]Feature{&admitting{typ: "near", who: "2"}}, LevelPolicy, ID{KindPolicy, "p"}},
			{[]Feature{&admitting{typ: "near", who: "3"}}, LevelRoute, ID{KindRoute, "r"}},
		}
	}
	levels := func(list []Effective) (out []Level) {
		for _, e := range list {
			out = append(out, e.Level)
		}
		return out
	}
	got := rules.merge(layers(false))
	if len(got) != 1 || got[0].Level != LevelRoute || !slices.Equal(levels(got[0].Over), []Level{LevelGateway, LevelPolicy}) || got[0].Over[1].Over != nil {
		t.Errorf("in force is %+v", got)
	}
	if got = rules.merge(layers(true)); len(got) != 1 || got[0].Level != LevelGateway || got[0].Over != nil {
		t.Errorf("a locked one gave way: %+v", got)
	}
}
