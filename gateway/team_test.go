package gateway

import (
	"slices"
	"strings"
	"testing"
)

func TestPatternsOfTeams(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"orders", "orders", true}, {"orders", "orders2", false}, {"orders-*", "orders-eu", true}, {"orders-*", "orders", false},
		{"*", "orders", true}, {"*", "a/b", false}, {"**", "a/b/c", true}, {"**", "a", true},
		{"team-a/**", "team-a/x.hcl", true}, {"team-a/**", "team-a/x/y.hcl", true}, {"team-a/**", "team-ab/x.hcl", false},
		{"team-a/**", "other/team-a/x.hcl", false}, {"**/x.hcl", "a/b/x.hcl", true}, {"**/x.hcl", "x.hcl", true},
		{"a*b*c", "aXbYc", true}, {"a*b*c", "aXc", false}, {"a*a", "a", false}, {"team-a/*.hcl", "team-a/x/y.hcl", false},
		{"team-a/**", "team-a/../team-b/x.hcl", true}, // Consul takes keys as they are, and so do teams
	} {
		if got := anyPattern([]string{c.pattern}, c.name); got != c.want {
			t.Errorf("%q over %q: %v", c.pattern, c.name, got)
		}
	}
}

func TestClaims(t *testing.T) {
	for _, c := range []struct {
		claim   Claim
		host    string
		literal string
		whole   bool
		want    bool
	}{
		{Claim{Host: "shop", Prefix: "/orders"}, "shop", "/orders", true, true},
		{Claim{Host: "shop", Prefix: "/orders"}, "shop", "/orders", false, false}, // /orders{x}
		{Claim{Host: "shop", Prefix: "/orders"}, "shop", "/orders/x", false, true},
		{Claim{Host: "shop", Prefix: "/orders/"}, "shop", "/orders", true, true},
		{Claim{Host: "shop", Prefix: "/orders"}, "shop", "/ordersx", true, false},
		{Claim{Host: "shop", Prefix: "/orders"}, "shop", "/", true, false},
		{Claim{Host: "shop", Prefix: "/"}, "shop", "", false, true},
		{Claim{Host: "Shop", Prefix: "/"}, "sHop", "/", true, true},
		{Claim{Host: "*.example.com", Prefix: "/"}, "a.example.com", "/", true, true},
		{Claim{Host: "*.example.com", Prefix: "/"}, "*.a.example.com", "/", true, true},
		{Claim{Host: "*.example.com", Prefix: "/"}, "*.example.com", "/", true, true},
		{Claim{Host: "*.example.com", Prefix: "/"}, "example.com", "/", true, false},
		{Claim{Host: "*.example.com", Prefix: "/"}, "*", "/", true, false},
		{Claim{Host: "a.example.com", Prefix: "/"}, "*.example.com", "/", true, false},
		{Claim{Host: "*", Prefix: "/"}, "*.example.com", "/", true, true},
		{Claim{Host: "*", Prefix: "/"}, "*", "/", true, true},
	} {
		if got := c.claim.covers(c.host, c.literal, c.whole); got != c.want {
			t.Errorf("%s%s covers %s%s: %v", c.claim.Host, c.claim.Prefix, c.host, c.literal, got)
		}
	}
}

// teamStage is an edge with a team whose documents are those in team/.
func teamStage(t *testing.T, team string) *stage {
	s := newStage(t)
	s.doc("ops", 1, "gateway.edge listeners=http", "upstream.app src=s", "upstream.other src=o", "policy.std", "secret.key x=1")
	s.doc("teams", 2, "team.a docs=team/*;"+team)
	return s
}

func TestATeamDoesWhatItMay(t *testing.T) {
	for name, c := range map[string]struct {
		team, line string
		says       string // in the diagnostic; "" is none
	}{
		"its host":               {"claim=h/;up=app", "route.r host=h;path=/x;up=app;weight=1", ""},
		"another host":           {"claim=h/;up=app", "route.r host=g;path=/x;up=app;weight=1", `host "g"`},
		"every host":             {"claim=h/;up=app", "route.r host=any;path=/x;up=app;weight=1", `host "*"`},
		"another prefix":         {"claim=h/y;up=app", "route.r host=h;path=/x;up=app;weight=1", "It has claimed h/y"},
		"another upstream":       {"claim=h/;up=app", "route.r host=h;path=/x;up=other;weight=1", "may not use upstream.other"},
		"a policy":               {"claim=h/;up=app;policy=std", "route.r host=h;path=/x;up=app;weight=1;policy=std", ""},
		"another policy":         {"claim=h/;up=app", "route.r host=h;path=/x;up=app;weight=1;policy=std", "may not use policy.std"},
		"its value":              {"claim=h/;up=app;kv=share", "route.r host=h;path=/x;up=app;weight=kv.share", ""},
		"another value":          {"claim=h/;up=app", "route.r host=h;path=/x;up=app;weight=kv.share", `may not read kv("share")`},
		"a gateway":              {"claim=h/;up=app;gw=edge", "route.r host=h;path=/x;up=app;weight=1", ""},
		"another gateway":        {"claim=h/;up=app;gw=inner", "route.r host=h;path=/x;up=app;weight=1", `would be on "edge"`},
		"another gateway, named": {"claim=h/;up=app;gw=inner", "route.r host=h;path=/x;up=app;weight=1;gw=edge", "may not use gateway.edge"},
		"a gateway of its own":   {"claim=*/;up=*", "gateway.mine listeners=http", "belongs to the operators"},
		"a team of its own":      {"claim=*/;up=*", "team.mine docs=x;claim=*/", "belongs to the operators"},
		"an upstream":            {"up=new;define=upstream", "upstream.new src=n", ""},
		"an upstream, undefined": {"up=new", "upstream.new src=n", "may not define upstreams"},
		"an upstream, unlisted":  {"up=app;define=upstream", "upstream.new src=n", "upstreams does not list that name"},
		"a secret":               {"define=secret;up=app", "secret.mine x=1", "secrets does not list that name"},
		"a secret of others":     {"claim=h/;up=app", "route.r host=h;path=/x;up=app;weight=1;feature=cred-key", "may not use secret.key"},
		"a function of others":   {"up=app;define=function", "function.other.f path=/d", `functions of upstream "other"`},
	} {
		t.Run(name, func(t *testing.T) {
			s := teamStage(t, c.team)
			s.doc("team/x", 3, c.line)
			address, _, _ := strings.Cut(c.line, " ")
			b := s.w.Block(id(address))
			if c.says == "" {
				if b.InForce == nil {
					t.Errorf("refused: %v", b.Diags)
				}
				return
			}
			if b.InForce != nil || len(b.Diags) == 0 || !strings.Contains(b.Diags[0].Detail, c.says) {
				t.Errorf("in force %v, says %v; want %q", b.InForce != nil, b.Diags, c.says)
			}
		})
	}
}

func TestATeamMayUseWhatItDefines(t *testing.T) {
	s := teamStage(t, "claim=h/;up=app")
	s.doc("team/x", 3, "policy.mine", "route.r host=h;path=/x;up=app;weight=1;policy=mine")
	s.is("route.r", StatePending, "")
	s.doc("ops/x", 4, "route.ops host=any;path=/x;up=other;weight=1")
	s.is("route.ops", StatePending, "")
}

func TestARightThatIsTakenAwayIsGoneAtOnce(t *testing.T) {
	s := teamStage(t, "claim=h/;up=app")
	s.doc("team/x", 3, "route.r host=h;path=/x;up=app;weight=1")
	s.ack()
	s.is("route.r", StateAccepted, "host=h")
	s.doc("teams", 2, "team.a docs=team/*;claim=g/;up=app")
	s.is("route.r", StateRejected, "-")
	if got := routesOf(s.w); slices.Contains(got, "r") {
		t.Errorf("the route is in force still: %v", got)
	}
	s.doc("teams", 2, "team.a docs=team/*;claim=h/;up=app")
	s.is("route.r", StateAccepted, "host=h")
	s.delete("teams")
	s.is("route.r", StateAccepted, "host=h")
}

func TestADocumentOfTwoTeamsDoesWhatBothMay(t *testing.T) {
	s := teamStage(t, "claim=h/;up=app")
	s.doc("more", 3, "team.b docs=team/x;claim=h/in;up=app")
	s.doc("team/x", 4, "route.out host=h;path=/x;up=app;weight=1", "route.in host=h;path=/in/x;up=app;weight=1")
	s.is("route.out", StateRejected, "-")
	s.is("route.in", StatePending, "")
}

func TestPlacesOfDocuments(t *testing.T) {
	r := &Rules{Roots: []string{"/etc/sluice/documents", "/etc/sluice/documents/more/", "examples"}}
	for name, want := range map[string]string{
		"consul:team/x.hcl": "team/x.hcl", "/etc/sluice/documents/team/x.hcl": "team/x.hcl",
		"/etc/sluice/documents/more/x.hcl": "x.hcl", "examples/a/b.hcl": "a/b.hcl", "./other/x.hcl": "other/x.hcl",
	} {
		if got := r.place(name); got != want {
			t.Errorf("%s is at %q, want %q", name, got, want)
		}
	}
}
