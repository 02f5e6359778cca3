package gateway

import (
	"slices"
	"testing"
)

func TestArgumentsAreCheckedWhereverARouteIsAccepted(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anAPI, aCaller)
	s.lists("get")
	s.doc("d", 1, aGateway, anAPI, "route.r host=h;path=/a;fn=u.get;args=a:1,bb:2;weight=1")
	s.is("route.r", StateRejected, "args=a:1;weight=1")
	s.says("route.r", `function.u.get has no argument "bb"`)
	s.lists("get=/get/{a}/{bb}")
	s.is("route.r", StatePending, "bb:2")
}

func TestAFunctionWhoseSignatureChangesUnderARouteIsCalledAsWellAsItCanBe(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anAPI, aCaller)
	s.lists("get")
	s.ack()
	s.lists("get=/get/{b}")
	s.is("route.r", StateRejected, "fn=u.get")
	s.says("route.r", `no argument "a"`)
	s.table("h", "r>u:1")
	s.lists("get")
	s.is("route.r", StateAccepted, "fn=u.get")
}

func TestANewFinderIsWaitedForWithWhatWasFoundBefore(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anAPI, aCaller)
	s.lists("get")
	s.doc("d", 1, aGateway, "upstream.u src=s;openapi=/elsewhere", aCaller, "route.n host=n;path=/n;fn=u.put;weight=1")
	s.is("route.r", StatePending, "fn=u.get")
	s.is("route.n", StateWaiting, "-")
	if b := s.w.Block(id("route.r")); len(b.Degraded)+len(b.Diags) > 0 {
		t.Errorf("%v %v", b.Degraded, b.Diags)
	}
	s.lists("put=/put")
	s.is("route.n", StatePending, "fn=u.put")
	if b := s.w.Block(id("route.r")); len(b.Degraded) != 1 {
		t.Errorf("%v %v", b.Degraded, b.Diags)
	}
}

func TestALambdaThatNobodyListsIsCalledByItsName(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, "gateway.g listeners=http", "upstream.l lambda=s0;discover=0", "secret.s0 x=1", "route.r host=h;path=/a;fn=l.divide:live;weight=1", aGateway)
	d := s.w.Table(ListenerKey{"g", "http"}, "h")[0].Destinations[0]
	if l := d.Call.Lambda; l.Function.ARN != "divide:live" || l.Function.Qualifier != "live" {
		t.Errorf("%+v", l.Function)
	}
	if got := s.w.qualified(FunctionID("l", "divide:live"), d.Function, "green"); got.Name != "divide:green" || got.Lambda.ARN != "divide:green" || got.Lambda.Qualifier != "green" {
		t.Errorf("%+v %+v", got, got.Lambda)
	}
	for name, want := range map[string]string{
		"f": "", "f:1": "1", "1:function:f": "", "1:function:f:live": "live", "arn:aws:lambda:r:1:function:f": "", "arn:aws:lambda:r:1:function:f:live": "live",
	} {
		if l := lambdaByName(name).Lambda; l.Qualifier != want || l.ARN != name {
			t.Errorf("%s: %+v", name, l)
		}
	}
	if len(s.w.Finders()) != 0 {
		t.Error("nothing is to be listed")
	}
	s.doc("e", 2, "route.m host=h;match=l.divide;fn=l.divide;weight=1")
	s.says("route.m", "which has no path of its own")
}

func TestAHostIsBuiltFromTheBlocksOnItsFunctions(t *testing.T) {
	s := newStage(t)
	s.w = New(testRules)
	s.doc("d", 1, aGateway, anAPI, aCaller, "function.u.v1/get feature=old")
	s.lists("v1/get~get")
	in := s.w.Inputs(HostUnit(ListenerKey{"g", "http"}, "h"))
	for _, want := range []string{"route.r", "upstream.u", "function.u.v1/get", "gateway.g"} {
		if !slices.ContainsFunc(in.Forms, func(f FormRef) bool { return f.ID == id(want) }) {
			t.Errorf("%s is not among %v", want, in.Forms)
		}
	}
}

func TestFunctionsAreListedWithWhoCallsThem(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anAPI, aCaller, "route.n host=n;path=/n;fn=u.gone;weight=1", "function.u.own path=/own")
	s.lists("v1/get~get", "put")
	got := map[string]FunctionStatus{}
	for _, f := range s.w.Functions() {
		got[f.ID.Name] = f
	}
	for name, want := range map[string]struct {
		state   string
		callers int
	}{"u.v1/get": {"found", 1}, "u.put": {"found", 0}, "u.gone": {"unknown", 1}, "u.own": {"declared", 0}} {
		if f := got[name]; f.State != want.state || len(f.Callers) != want.callers {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if len(got) != 4 {
		t.Errorf("%v", got)
	}
	s.lists("put")
	for _, f := range s.w.Functions() {
		if f.ID.Name == "u.v1/get" && (f.State != "vanished" || f.Function == nil) {
			t.Errorf("%+v", f)
		}
	}
}

func TestTheScriptAndTheSignerGoWhereTheyAreUsed(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, "gateway.o listeners=http", "upstream.l lambda=s0;discover=0", "secret.s0 x=1", "route.r host=h;path=/a;fn=l.f;weight=1;gw=g")
	if in := s.w.Inputs(Unit{UnitScript, ScriptName}); !slices.Equal(in.Gateways, []string{"g", "o"}) {
		t.Errorf("%+v", in)
	}
	signer := Unit{UnitSigner, "l"}
	s.apply(Input{Secrets: map[ID]string{id("secret.s0"): "7"}})
	if in := s.w.Inputs(signer); !slices.Equal(in.Gateways, []string{"g"}) || in.Version != "7" || in.Held || in.Upstream == nil || in.Secret != id("secret.s0") {
		t.Errorf("%+v", in)
	}
	if c := s.apply(Input{Secrets: map[ID]string{id("secret.s0"): "8"}}); len(c.Units) != 1 || c.Units[0] != signer {
		t.Errorf("%v", c)
	}
	if c := s.apply(Input{Secrets: map[ID]string{id("secret.s0"): "8"}}); len(c.Units) != 0 {
		t.Errorf("%v", c)
	}
}

func TestAFunctionThatEnvoyRefusesIsCalledAsItWas(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anAPI, aCaller, "route.n host=h;path=/n;fn=u.v1/put;args=a:1;weight=1")
	s.lists("get=/old/{a}", "v1/put~put")
	s.lists("get=/bad/{a}", "v1/put~put")
	host := HostUnit(ListenerKey{"g", "http"}, "h")
	path := func() string {
		for _, e := range s.w.Table(ListenerKey{"g", "http"}, "h") {
			if e.Route.Name == "r" {
				return e.Destinations[0].Function.REST.Path
			}
		}
		return "none"
	}
	var bad FormRef
	for _, f := range s.w.Inputs(host).Forms {
		if f.ID == id("function.u.get") {
			bad = f
		}
	}
	if !s.w.Current(bad) || !s.w.Current(FormRef{id("route.r"), s.w.Block(id("route.r")).InForce.Hash}) || s.w.Current(FormRef{bad.ID, "other"}) {
		t.Errorf("%v is what would be in force", bad)
	}
	if bad.Hash == "" || path() != "/bad/{a}" {
		t.Fatalf("%v %s", s.w.Inputs(host).Forms, path())
	}
	said := "no such thing"
	c := s.apply(Input{Quarantine: map[FormRef]*string{bad: &said}})
	if !slices.Contains(c.Units, host) || path() != "/old/{a}" {
		t.Errorf("touched %v, calls %s", c.Units, path())
	}
	s.says("route.r", said)
	s.is("route.r", StatePending, "fn=u.get")
	if b := s.w.Block(id("route.r")); len(b.Degraded) != 1 {
		t.Errorf("%v", b.Degraded)
	}
	s.apply(Input{Quarantine: map[FormRef]*string{bad: nil}})
	if path() != "/bad/{a}" {
		t.Errorf("calls %s", path())
	}
	s.apply(Input{Quarantine: map[FormRef]*string{bad: &said}})
	s.lists("get=/new/{a}", "v1/put~put")
	if b := s.w.Block(id("route.r")); path() != "/new/{a}" || len(b.Degraded)+len(b.Diags) > 0 {
		t.Errorf("calls %s, %v", path(), b.Diags)
	}
}

func TestAFunctionThatEnvoyRefusesFromTheStartTakesNobodyAlong(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anAPI, aCaller, "route.n host=h;path=/n;fn=u.put;args=a:1;weight=1")
	s.lists("get", "put")
	said := "no such thing"
	s.apply(Input{Quarantine: map[FormRef]*string{functionForm("u", s.w.listings.get(s.finder("u")).byName["get"]): &said}})
	s.is("route.r", StateRejected, "-")
	s.table("h", "n>u:1")
}
