package gateway

import "testing"

func TestRoutesGoToTheGatewaysThatTheyNameElseToThoseThatAttachElseToTheOnlyOne(t *testing.T) {
	const route = "route.r host=h;path=/a;up=u;weight=1"
	for name, c := range map[string]struct {
		lines   []string
		on, off string
	}{
		"the only one":       {[]string{"gateway.g listeners=http,https", route}, "g.https", ""},
		"one attaches":       {[]string{"gateway.g listeners=http", "gateway.i listeners=http;attach=1", route}, "i.http", "g.http"},
		"both attach":        {[]string{"gateway.g listeners=http;attach=1", "gateway.i listeners=http;attach=1", route}, "g.http", ""},
		"named":              {[]string{"gateway.g listeners=http", "gateway.i listeners=http;attach=1", route + ";gw=g"}, "g.http", "i.http"},
		"a listener of it":   {[]string{"gateway.g listeners=http,https", route + ";gw=g.https"}, "g.https", "g.http"},
		"two, none attaches": {[]string{"gateway.g listeners=http", "gateway.i listeners=http", route}, "", "g.http"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.doc("d", 1, append(c.lines, "upstream.u src=s")...)
			if c.on != "" {
				s.tableOn(c.on, "h", "r>u:1")
			} else {
				s.says("route.r", "No gateway")
			}
			if c.off != "" {
				s.tableOn(c.off, "h", "")
			}
		})
	}
}

func TestASecondGatewayDoesNotLeaveTheRoutesOfTheOnlyOneWithoutAny(t *testing.T) {
	s := newStage(t)
	s.doc("a", 1, aGateway, anUp, aRoute)
	s.doc("b", 2, "gateway.i listeners=http")
	s.table("h", "r>u:1")
	s.is("gateway.i", StateRejected, "-")
	s.says("gateway.i", "attach = true")
	s.doc("b", 2, "gateway.i listeners=http;attach=1")
	s.is("gateway.i", StatePending, "attach=1")
	s.tableOn("i.http", "h", "r>u:1")
	s.doc("b", 2, "gateway.i listeners=http") // nor does taking the mark away
	s.is("gateway.i", StateRejected, "attach=1")
	s.tableOn("i.http", "h", "r>u:1")
}

func TestAGatewayThatWaitedIsAcceptedWhenNoRouteNeedsTheOtherAsTheOnlyOne(t *testing.T) {
	s := newStage(t)
	s.doc("a", 1, aGateway, anUp, aRoute)
	s.doc("b", 2, "gateway.i listeners=http")
	s.is("gateway.i", StateRejected, "-")
	s.doc("a", 1, aGateway, anUp, aRoute+";gw=g")
	s.is("gateway.i", StatePending, "listeners=http")
	s.table("h", "r>u:1")
}

func TestAnotherGatewayIsWelcomeWhereRoutesNameTheirs(t *testing.T) {
	s := newStage(t)
	s.doc("a", 1, aGateway, anUp, aRoute+";gw=g")
	s.doc("b", 2, "gateway.i listeners=http")
	s.is("gateway.i", StatePending, "listeners=http")
}

func TestAReplicaThatStartsWithASecondGatewayServesWhatTheOtherServes(t *testing.T) {
	one := newStage(t)
	one.doc("a", 1, aGateway, anUp, aRoute)
	one.ack()
	one.doc("b", 2, "gateway.i listeners=http")
	two := newStage(t)
	two.apply(Input{Ledger: one.w.Ledger()})
	two.apply(Input{Documents: map[string]*Document{"a": fakeDoc("a", 1, aGateway, anUp, aRoute), "b": fakeDoc("b", 2, "gateway.i listeners=http")}})
	two.table("h", "r>u:1")
	two.is("gateway.i", StateRejected, "-")
}

func TestALastGatewayThatIsReplacedByTwoTakesNoneOfThemDown(t *testing.T) {
	s := newStage(t)
	s.doc("a", 1, aGateway, anUp, aRoute)
	s.doc("a", 1, "gateway.x listeners=http;attach=1", "gateway.y listeners=http", anUp, aRoute)
	s.tableOn("x.http", "h", "r>u:1")
	s.is("gateway.g", "", "")
}

func TestAListenerThatARouteNamesStaysUntilNoneDoes(t *testing.T) {
	s := newStage(t)
	s.doc("a", 1, "gateway.g listeners=http,https", anUp, aRoute+";gw=g.https")
	s.doc("a", 1, "gateway.g listeners=http", anUp, aRoute+";gw=g.https")
	s.tableOn("g.https", "h", "r>u:1")
	s.says("gateway.g", `no listener "https"`)
	s.doc("a", 1, "gateway.g listeners=http", anUp, aRoute+";gw=g.http")
	s.is("gateway.g", StatePending, "listeners=http")
	s.tableOn("g.http", "h", "r>u:1")
	s.tableOn("g.https", "h", "")
}

func TestVariantsOfRoutePolicyAndGatewayTheNearestOfANameWins(t *testing.T) {
	for name, c := range map[string]struct{ gateway, policy, route, want string }{
		"gateway": {"v1", "", "", "v1"},
		"policy":  {"v1", "v2", "", "v2"},
		"route":   {"v1", "v2", "v3", "v3"},
		"none":    {"", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.doc("d", 1, "gateway.g listeners=http;variant="+c.gateway, "policy.p variant="+c.policy, anUp,
				aRoute+";policy=p;variant="+c.route)
			table := s.w.Table(ListenerKey{"g", "http"}, "h")
			if c.want == "" {
				s.table("h", "r>u:1")
				return
			}
			s.table("h", "r/beta>u:1 r>u:1")
			if got := table[0].Destinations[0].Subset.Tag; got != c.want {
				t.Errorf("subset %q, want %q", got, c.want)
			}
			in := s.w.Inputs(Unit{UnitCluster, "u"})
			if len(in.Subsets) != 1 || in.Subsets[0].Keys != SubsetKey(c.want) {
				t.Errorf("selectors %v", in.Subsets)
			}
		})
	}
}

func TestAVariantIsInNobodysWay(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, "gateway.g listeners=http;variant=v1", anUp, aRoute,
		"route.own host=h;path=/a;header=x;up=u;weight=2", "route.same host=h;path=/s;header=x;up=u;weight=3")
	for _, r := range []string{"route.r", "route.own", "route.same"} {
		s.is(r, StatePending, "")
	}
	if got := s.w.Table(ListenerKey{"g", "http"}, "h")[0]; got.Route.Name != "own" {
		t.Errorf("the route that was written for the header comes after %s", got.Route.Name)
	}
}

func TestAnUpstreamIsSeenByTheGatewaysWhoseRoutesUseIt(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, "gateway.g listeners=http", "gateway.i listeners=http", anUp, aRoute+";gw=g",
		"route.n host=h;path=/n;up=u;weight=1;gw=i;tag=t1")
	in := s.w.Inputs(Unit{UnitCluster, "u"})
	if len(in.Gateways) != 2 || len(in.Subsets) != 1 {
		t.Errorf("gateways %v, subsets %v", in.Gateways, in.Subsets)
	}
	s.doc("d", 1, "gateway.g listeners=http", "gateway.i listeners=http", anUp, aRoute+";gw=g")
	in = s.w.Inputs(Unit{UnitCluster, "u"})
	if len(in.Gateways) != 1 || in.Gateways[0] != "g" || len(in.Subsets) != 0 {
		t.Errorf("gateways %v, subsets %v", in.Gateways, in.Subsets)
	}
}
