package gateway

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
)

// fakeFeature is a feature of some type; its name tells it apart.
type fakeFeature struct {
	FeatureBase
	typ, name string
	Reads     map[string]Expr
}

func (f *fakeFeature) FeatureType() string { return f.typ }

// SecretUses is, of a type "cred-NAME", a field of that secret.
func (f *fakeFeature) SecretUses() []SecretUse {
	if name, ok := strings.CutPrefix(f.typ, "cred-"); ok {
		return []SecretUse{{ID: ID{KindSecret, name}, Field: "f"}}
	}
	return nil
}

// features reads "TYPE:NAME", with "!" behind for locked and "-" for enabled = false.
func features(words string) (out []Feature) {
	for _, w := range strings.Fields(words) {
		f := &fakeFeature{}
		f.typ, f.name, _ = strings.Cut(w, ":")
		if n, ok := strings.CutSuffix(f.name, "!"); ok {
			f.name, f.Locked = n, true
		}
		if n, ok := strings.CutSuffix(f.name, "-"); ok {
			off := false
			f.name, f.Enabled = n, &off
		}
		out = append(out, f)
	}
	return out
}

func TestFeaturesOfSeveralLevelsCombine(t *testing.T) {
	rules := &Rules{Features: []FeatureRule{{Type: "admit", Combine: Add}, {Type: "near", Combine: Nearest}, {Type: "chain", Combine: Compose}}}
	for name, c := range map[string]struct {
		gateway, upstream, policy, second, route, to string
		want                                         string
	}{
		"nothing":                                      {},
		"those that admit add up":                      {gateway: "admit:g", upstream: "admit:u", policy: "admit:p", route: "admit:r", to: "admit:t", want: "g u p r t"},
		"a route cannot drop what admits":              {upstream: "admit:u", route: "admit:r-", want: "u"},
		"one that admits and is off does not count":    {upstream: "admit:u-", route: "admit:r", want: "r"},
		"the nearest wins whole":                       {gateway: "near:g", upstream: "near:u", route: "near:r", want: "r"},
		"the destination is nearest":                   {route: "near:r", to: "near:t", want: "t"},
		"the later policy is nearer":                   {policy: "near:p", second: "near:q", want: "q"},
		"a policy is nearer than the upstream":         {upstream: "near:u", policy: "near:p", want: "p"},
		"off turns an inherited one off":               {gateway: "near:g", route: "near:r-", want: ""},
		"a nearer one turns it on again":               {gateway: "near:g", policy: "near:p-", to: "near:t", want: "t"},
		"locked is not replaced":                       {gateway: "near:g!", route: "near:r", want: "g"},
		"locked is not turned off":                     {gateway: "near:g!", route: "near:r-", want: "g"},
		"locked off stays off":                         {gateway: "near:g-!", route: "near:r", want: ""},
		"composed in order":                            {gateway: "chain:g", upstream: "chain:u", policy: "chain:p", second: "chain:q", route: "chain:r", to: "chain:t", want: "g u p q r t"},
		"off takes what is inherited away":             {gateway: "chain:g", route: "chain:r-", to: "chain:t", want: "t"},
		"off leaves what is locked":                    {gateway: "chain:g!", upstream: "chain:u", route: "chain:r-", want: "g"},
		"types in filter order, whatever the levels":   {gateway: "chain:g", route: "near:r", to: "admit:t", want: "t r g"},
		"a type that is not in the list is left out":   {gateway: "other:g", want: ""},
		"several of one type at one level all compose": {route: "chain:r1 chain:r2", want: "r1 r2"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.w.rules = rules
			policy := func(name, words string) *Policy { return &Policy{Name: name, Features: features(words)} }
			r := &Route{Name: "r", Features: features(c.route)}
			for n, words := range map[string]string{"p": c.policy, "q": c.second} {
				form := &Form{Value: Value{Instances: map[string]any{n: policy(n, words)}}}
				s.w.blocks.set(ID{KindPolicy, n}, &Block{ID: ID{KindPolicy, n}, InForce: form})
			}
			r.Policies = []Ref{{ID: ID{KindPolicy, "p"}}, {ID: ID{KindPolicy, "q"}}}
			got := s.w.effective(&Gateway{Name: "g", Features: features(c.gateway)}, &Upstream{Name: "u", Features: features(c.upstream)},
				r, &Destination{Features: features(c.to)}, nil)
			var names []string
			for _, e := range got {
				names = append(names, e.Feature.(*fakeFeature).name)
				if from := map[Level]string{LevelGateway: "gateway", LevelUpstream: "upstream", LevelPolicy: "policy", LevelRoute: "route", LevelTo: "route"}[e.Level]; from != e.From.Kind {
					t.Errorf("%s is from %s", names[len(names)-1], e.From)
				}
			}
			if have := strings.Join(names, " "); have != c.want {
				t.Errorf("%s, want %s", have, c.want)
			}
		})
	}
}

func TestAnUpstreamsFeatureIsTheSameOnEveryGateway(t *testing.T) {
	w := New(&Rules{Features: []FeatureRule{{Type: "near", Combine: Nearest}}})
	u := &Upstream{Name: "u", Features: features("near:u")}
	for _, g := range []*Gateway{{Name: "a", Features: features("near:a")}, {Name: "b"}} {
		got := w.effective(g, u, &Route{Name: "r"}, &Destination{}, nil)
		if len(got) != 1 || fmt.Sprint(got[0].From) != "upstream.u" {
			t.Errorf("on %s: %v", g.Name, got)
		}
	}
}

func TestFeaturesOfFunctionBlocksHoldOnTheirFunction(t *testing.T) {
	rules := &Rules{Features: []FeatureRule{{Type: "admit", Combine: Add}, {Type: "near", Combine: Nearest}, {Type: "chain", Combine: Compose}}}
	for name, c := range map[string]struct {
		blocks                               map[string]string // features by the name that the block is laid on
		gateway, upstream, policy, route, to string
		calls                                string // "" is v1/get
		want                                 string
	}{
		"between the upstream and policies":      {blocks: map[string]string{"v1/get": "chain:f"}, gateway: "chain:g", upstream: "chain:u", policy: "chain:p", route: "chain:r", to: "chain:t", want: "g u f p r t"},
		"a route cannot drop what admits":        {blocks: map[string]string{"v1/get": "admit:f"}, route: "admit:r-", want: "f"},
		"nearer than the upstream":               {blocks: map[string]string{"v1/get": "near:f"}, upstream: "near:u", want: "f"},
		"a policy is nearer":                     {blocks: map[string]string{"v1/get": "near:f"}, policy: "near:p", want: "p"},
		"a route is nearer":                      {blocks: map[string]string{"v1/get": "near:f"}, route: "near:r", want: "r"},
		"off turns the upstream's off":           {blocks: map[string]string{"v1/get": "near:f-"}, upstream: "near:u", want: ""},
		"a route turns it off":                   {blocks: map[string]string{"v1/get": "near:f"}, route: "near:r-", want: ""},
		"locked is not replaced":                 {blocks: map[string]string{"v1/get": "near:f!"}, route: "near:r", want: "f"},
		"locked above is not replaced":           {blocks: map[string]string{"v1/get": "near:f"}, gateway: "near:g!", want: "g"},
		"of another function":                    {blocks: map[string]string{"put": "chain:f"}, want: ""},
		"by the short name":                      {blocks: map[string]string{"get": "chain:f"}, want: "f"},
		"called by the short name":               {blocks: map[string]string{"v1/get": "chain:f"}, calls: "get", want: "f"},
		"by both names":                          {blocks: map[string]string{"v1/get": "chain:f", "get": "chain:s"}, want: "f s"},
		"by both names, the short one is nearer": {blocks: map[string]string{"v1/get": "near:f", "get": "near:s"}, calls: "get", want: "s"},
		"by a short name of several":             {blocks: map[string]string{"list": "chain:f"}, calls: "v1/list", want: "f"},
		"by a short name that means another":     {blocks: map[string]string{"list": "chain:f"}, calls: "v2/list", want: ""},
		"of what a block declares":               {blocks: map[string]string{"own=/own": "chain:f"}, calls: "own", want: "f"},
		"of what a block declares again":         {blocks: map[string]string{"put=/own": "chain:f"}, calls: "put", want: "f"},
		"of no call":                             {blocks: map[string]string{"v1/get": "chain:f"}, upstream: "chain:u", calls: "-", want: "u"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.w = New(rules)
			s.doc("d", 1, aGateway, anAPI)
			s.lists("v1/get~get", "put", "v1/list~list", "v2/list~list")
			for on, words := range c.blocks {
				on, path, _ := strings.Cut(on, "=")
				s.w.functions.set(FunctionID("u", on), bindFunction(&FunctionBlock{Upstream: "u", Name: on, Path: path, Features: features(words)}))
			}
			s.w.blocks.set(ID{KindPolicy, "p"}, &Block{InForce: &Form{Value: Value{Instances: map[string]any{"p": &Policy{Features: features(c.policy)}}}}})
			to := &Destination{Features: features(c.to)}
			var fn *Function
			if c.calls != "-" {
				to.Function = Ref{ID: FunctionID("u", cmp.Or(c.calls, "v1/get"))}
				if fn = s.w.lead(to.Function.ID).fn; fn == nil {
					t.Fatalf("%s leads nowhere", to.Function)
				}
			}
			r := &Route{Name: "r", Features: features(c.route), Policies: []Ref{{ID: ID{KindPolicy, "p"}}}}
			var names []string
			for _, e := range s.w.effective(&Gateway{Name: "g", Features: features(c.gateway)}, &Upstream{Name: "u", Features: features(c.upstream)}, r, to, fn) {
				names = append(names, e.Feature.(*fakeFeature).name)
				if (e.Level == LevelFunction) != (e.From.Kind == KindFunction) {
					t.Errorf("%s is from %s, on the level %s", names[len(names)-1], e.From, e.Level)
				}
			}
			if have := strings.Join(names, " "); have != c.want {
				t.Errorf("%s, want %s", have, c.want)
			}
		})
	}
}
