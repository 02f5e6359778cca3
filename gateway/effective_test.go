package gateway

import (
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
