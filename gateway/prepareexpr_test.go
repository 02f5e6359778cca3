package gateway

import "testing"

// A variable that no match has is said where it is read, or where the policy is named that reads it.
func TestVariablesOfThePathThatNoMatchHas(t *testing.T) {
	route := func(more string) []string { return []string{"route.r host=h;match=u.get;fn=u.get;weight=1" + more} }
	const said = "Unknown path variable"
	for name, c := range map[string]struct {
		lines []string
		says  string // of route.r; "" takes it
	}{
		"the function's own":               {route(";feature=reads-pet_id"), ""},
		"misspelt":                         {route(";feature=reads-pet_ip"), `No match of the route has a variable {pet_ip}. Did you mean "pet_id"?`},
		"misspelt in a destination":        {route(";tofeature=reads-pet_ip"), `No match of the route has a variable {pet_ip}. Did you mean "pet_id"?`},
		"a new path":                       {[]string{"route.r host=h;match=u.get;up=u;weight=1;topath=/n/{pet_id}"}, ""},
		"misspelt in a new path":           {[]string{"route.r host=h;match=u.get;up=u;weight=1;topath=/n/{pet_ip}"}, `The path "/n/{pet_ip}" uses {pet_ip}, which not every match of the route has. Did you mean "pet_id"?`},
		"misspelt in a policy":             {append(route(";policy=p"), "policy.p feature=reads-pet_ip"), `The reads block of policy.p reads request.path.pet_ip at d:301,`},
		"a policy's hint":                  {append(route(";policy=p"), "policy.p feature=reads-pet_ip"), `and no match of this route has a variable {pet_ip}. Did you mean "pet_id"?`},
		"a policy's own":                   {append(route(";policy=p"), "policy.p feature=reads-pet_id"), ""},
		"a policy that is off here":        {append(route(";policy=p;feature=off"), "policy.p feature=reads-pet_ip"), ""},
		"a policy over a written path":     {[]string{"route.r host=h;path=/x;up=u;weight=1;policy=p", "policy.p feature=reads-pet_ip"}, "has a variable {pet_ip}."},
		"a function that is not known":     {[]string{"route.r host=h;match=u.other;up=u;weight=1;feature=reads-pet_ip"}, "no function"},
		"what the language sees by itself": {[]string{"route.r host=h;path=/x;up=u;weight=1;feature=reads-pet_ip"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.w = New(&Rules{Features: []FeatureRule{{Type: "reads", Combine: Compose, Levels: AllLevels}}})
			s.doc("d", 1, append([]string{aGateway, anAPI}, c.lines...)...)
			s.lists("get=/get/{pet-id}")
			if c.says == "" {
				s.is("route.r", StatePending, "")
				return
			}
			s.is("route.r", StateRejected, "-")
			s.says("route.r", c.says)
			for _, d := range s.w.Block(id("route.r")).Diags {
				if d.Summary == said && d.Subject.Start.Line != 201 {
					t.Errorf("said at %s", d.Subject)
				}
			}
		})
	}
}

// A policy that changes is no mistake of its own, and takes no route away that is served.
func TestAPolicyThatReadsAVariableThatARouteHasNotLeavesItAsItIs(t *testing.T) {
	s := newStage(t)
	s.w = New(&Rules{Features: []FeatureRule{{Type: "reads", Combine: Compose, Levels: AllLevels}}})
	s.doc("d", 1, aGateway, anAPI, "route.r host=h;match=u.get;fn=u.get;weight=1;policy=p", "route.n host=n;path=/n;up=u;weight=1")
	s.doc("p", 2, "policy.p feature=reads-a")
	s.lists("get=/get/{a}")
	s.is("route.r", StatePending, "")
	s.doc("p", 2, "policy.p feature=reads-b")
	s.is("policy.p", StatePending, "reads-b")
	s.is("route.r", StateRejected, "fn=u.get")
	s.says("route.r", "at p:1,")
	s.table("h", "r>u:1")
	s.lists("get=/get/{b}")
	s.is("route.r", StatePending, "")
}
