package gateway

import (
	"strings"
	"testing"
)

// found is the answer of a finder: "NAME" or "NAME=/path" or "NAME~SHORT".
func found(words ...string) []*Function {
	out := []*Function{}
	for _, w := range words {
		name, path, _ := strings.Cut(w, "=")
		name, short, _ := strings.Cut(name, "~")
		if path == "" {
			path = "/" + name + "/{a}"
		}
		f := &Function{Name: name, Short: short, Kind: FunctionREST, REST: &RESTOperation{Method: "GET", Path: path}}
		f.Signature.Known = true
		for _, v := range templateNames(path) {
			f.Signature.Args = append(f.Signature.Args, Argument{Name: v, In: InPath, Required: true, Type: Type{Kind: TypeString}})
		}
		out = append(out, f)
	}
	return out
}

// lists is what the finder of upstream u says.
func (s *stage) lists(words ...string) Change {
	return s.apply(Input{Functions: map[FinderKey][]*Function{s.finder("u"): found(words...)}})
}

func (s *stage) finder(upstream string) FinderKey {
	s.t.Helper()
	for k := range s.w.Finders() {
		if k.Upstream == upstream {
			return k
		}
	}
	s.t.Fatalf("upstream %s asks for nothing", upstream)
	return FinderKey{}
}

const (
	anAPI   = "upstream.u src=s;openapi=/api"
	aCaller = "route.r host=h;path=/a;fn=u.get;args=a:1;weight=1"
)

func TestARouteWaitsForAFinderAndThenForNothing(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anAPI, aCaller)
	s.is("route.r", StateWaiting, "-")
	s.says("route.r", "has not said yet")
	s.lists("get", "put")
	s.is("route.r", StatePending, "fn=u.get")
	s.table("h", "r>u:1")
	d := s.w.Table(ListenerKey{"g", "http"}, "h")[0].Destinations[0]
	if d.Function == nil || d.Function.Name != "get" || d.Call == nil || d.Degraded != "" {
		t.Fatalf("%+v", d)
	}
}

func TestAnUnknownFunctionIsRejectedWithAHint(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anAPI, strings.Replace(aCaller, "u.get", "u.gte", 1))
	s.lists("get", "put")
	s.is("route.r", StateRejected, "-")
	s.says("route.r", `Did you mean "get"?`)
}

func TestAFunctionThatVanishesDegradesItsRoutesAndHealsWhenItComesBack(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anAPI, aCaller)
	s.lists("get")
	s.lists("put")
	s.is("route.r", StatePending, "fn=u.get")
	s.table("h", "r>u:1")
	s.says("route.r", "is not any more")
	if b := s.w.Block(id("route.r")); len(b.Degraded) != 1 {
		t.Errorf("degraded: %v", b.Degraded)
	}
	s.doc("e", 2, "route.n host=h;path=/n;fn=u.get;args=a:1;weight=1")
	s.is("route.n", StateRejected, "-")
	s.lists("get")
	s.is("route.n", StatePending, "fn=u.get")
	if b := s.w.Block(id("route.r")); len(b.Degraded) != 0 || len(b.Diags) != 0 {
		t.Errorf("not healed: %v %v", b.Degraded, b.Diags)
	}
}

func TestAReplicaThatStartsWhileAFunctionIsGoneHasTheMemoryOfIt(t *testing.T) {
	one := newStage(t)
	one.doc("d", 1, aGateway, anAPI, aCaller)
	one.lists("get")
	one.ack()
	s := newStage(t)
	s.apply(Input{Ledger: one.w.Ledger(), Remembered: one.w.Remembered()})
	s.doc("d", 1, aGateway, anAPI, aCaller)
	s.is("route.r", StateAccepted, "fn=u.get")
	s.table("h", "r>u:1")
	s.lists("put")
	s.table("h", "r>u:1")
	s.says("route.r", "is not any more")
}

func TestOneFunctionOfManyTouchesItsCallersAlone(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anAPI, aCaller, "route.n host=n;path=/n;fn=u.put;args=a:1;weight=1")
	s.lists("get", "put", "other")
	if c := s.lists("get", "put", "other"); len(c.Units) != 0 || len(c.Blocks) != 0 {
		t.Errorf("nothing changed, and yet %v", c)
	}
	if c := s.lists("get=/new/{a}", "put", "other=/x"); len(c.Units) != 1 || c.Units[0].Name != "g.http/h" {
		t.Errorf("touched %v", c.Units)
	}
}

func TestAShortNameThatIsAmbiguousFromTheBeginningMeansNothing(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anAPI)
	s.lists("v1/get~get", "v2/get~get")
	s.doc("d", 2, aGateway, anAPI, aCaller)
	s.is("route.r", StateRejected, "-")
	s.says("route.r", "means several functions: \"v1/get\", \"v2/get\"")
	s.lists("v2/get~get")
	s.is("route.r", StatePending, "fn=u.get")
}

func TestAShortNameKeepsItsTargetWhenItBecomesAmbiguous(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anAPI, aCaller)
	s.lists("v2/get~get")
	s.is("route.r", StatePending, "fn=u.get")
	s.lists("v1/get~get", "v2/get~get")
	s.says("route.r", "several functions by now")
	if d := s.w.Table(ListenerKey{"g", "http"}, "h")[0].Destinations[0]; d.Function.Name != "v2/get" {
		t.Errorf("it means %s", d.Function.Name)
	}
	s.doc("e", 2, "route.n host=n;path=/n;fn=u.get;args=a:1;weight=1")
	s.is("route.n", StatePending, "fn=u.get")
}

func TestABlockDeclaresAFunctionAndBeatsADiscoveredOne(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anAPI, aCaller, "function.u.get path=/declared/{a}")
	s.is("route.r", StatePending, "fn=u.get")
	s.lists("get")
	s.says("function.u.get", "by itself")
	if d := s.w.Table(ListenerKey{"g", "http"}, "h")[0].Destinations[0]; d.Function.REST.Path != "/declared/{a}" {
		t.Errorf("it calls %s", d.Function.REST.Path)
	}
	s.doc("d", 1, aGateway, anAPI, aCaller)
	s.is("function.u.get", "", "")
	if d := s.w.Table(ListenerKey{"g", "http"}, "h")[0].Destinations[0]; d.Function.REST.Path != "/get/{a}" {
		t.Errorf("it calls %s", d.Function.REST.Path)
	}
	s.doc("f", 2, "function.u.only path=/only", "route.o host=o;path=/o;fn=u.only;weight=1")
	s.doc("f", 2, "route.o host=o;path=/o;fn=u.only;weight=1")
	s.is("function.u.only", StateRetired, "path=/only")
}

func TestFeaturesOfAFunctionHoldWhereverItIsCalledFrom(t *testing.T) {
	s := newStage(t)
	s.w = New(testRules)
	s.doc("d", 1, aGateway, anAPI, aCaller, "route.n host=n;path=/n;fn=u.v1/get;args=a:1;weight=1", "function.u.v1/get feature=new")
	s.lists("v1/get~get", "put")
	for _, host := range []string{"h", "n"} {
		d := s.w.Table(ListenerKey{"g", "http"}, host)[0].Destinations[0]
		if len(d.Features) != 1 || d.Features[0].Level != LevelFunction {
			t.Errorf("on %s: %v", host, d.Features)
		}
	}
	s.doc("d", 1, aGateway, anAPI, aCaller, "route.n host=n;path=/n;fn=u.v1/get;args=a:1;weight=1")
	for _, host := range []string{"h", "n"} {
		if d := s.w.Table(ListenerKey{"g", "http"}, host)[0].Destinations[0]; len(d.Features) != 0 {
			t.Errorf("on %s: %v", host, d.Features)
		}
	}
}

func TestAMatchTakesMethodAndPathOfAFunction(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anAPI, "route.r host=h;match=u.get;fn=u.get;weight=1")
	s.table("h", "")
	s.lists("get=/get/{pet-id}/x")
	e := s.w.Table(ListenerKey{"g", "http"}, "h")[0]
	if e.Match.Path != "/get/{pet_id}/x" || e.Match.Method != "GET" || !e.Destinations[0].Call.Path.IsZero() {
		t.Errorf("%+v %+v", e.Match, e.Destinations[0].Call)
	}
	s.lists("put")
	s.table("h", "r>u:1")
}

func TestOfflineAFunctionThatOnlyDiscoveryKnowsIsUnverified(t *testing.T) {
	s := newStage(t)
	s.w = New(&Rules{Offline: true})
	s.doc("d", 1, aGateway, anAPI, aCaller)
	s.is("route.r", StatePending, "fn=u.get")
	b := s.w.Block(id("route.r"))
	if len(b.Diags) != 1 || Unverified(b.Diags[0]) == "" || b.Diags.HasErrors() {
		t.Errorf("%v", b.Diags)
	}
}

func TestSecretsAreWhatBlocksInForceName(t *testing.T) {
	s := newStage(t)
	s.w = New(testRules)
	s.doc("d", 1, aGateway, anUp, "secret.s0 x=1", "secret.s1 x=1", "upstream.l lambda=s1;discover=0",
		"route.r host=h;path=/a;up=u;weight=1;feature=cred-s0", "route.l host=l;path=/l;fn=l.any;weight=1")
	if got := s.w.Secrets(); len(got) != 2 {
		t.Errorf("secrets: %v", got)
	}
	use, signer := SecretUse{ID: id("secret.s0"), Field: "f"}.Unit(), Unit{UnitSigner, "l"}
	for _, u := range []Unit{use, signer} {
		if in := s.w.Inputs(u); !in.Held || len(in.Gateways) != 1 || len(in.Forms) == 0 {
			t.Errorf("%v: %+v", u, in)
		}
	}
	c := s.apply(Input{Secrets: map[ID]string{id("secret.s0"): "1"}})
	if len(c.Units) != 1 || c.Units[0] != use || len(c.Blocks) != 0 {
		t.Errorf("touched %v", c)
	}
	if in := s.w.Inputs(use); in.Held || in.Version != "1" || in.Secret != id("secret.s0") || in.Field != "f" {
		t.Errorf("%+v", in)
	}
	s.apply(Input{Secrets: map[ID]string{id("secret.s0"): ""}})
	if in := s.w.Inputs(use); in.Held || in.Version != "" || len(in.Gateways) != 1 {
		t.Errorf("an empty value takes the place of an expired one: %+v", in)
	}
	s.doc("d", 1, aGateway, anUp, aRoute, "secret.s0 x=1")
	if got := s.w.Secrets(); len(got) != 0 {
		t.Errorf("secrets: %v", got)
	}
}
