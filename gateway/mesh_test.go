package gateway

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func meshWorld(t *testing.T, sources string) *World {
	t.Helper()
	w, _ := Apply(New(testRules), Input{Settled: true, Documents: map[string]*Document{"d": fakeDoc("d", 1,
		"gateway.edge listeners=http",
		"upstream.shop src="+sources,
		"route.r host=h;path=/;up=shop;weight=1",
	)}})
	return w
}

func TestAMeshUpstreamNeedsAnIdentity(t *testing.T) {
	w := meshWorld(t, "mesh-stock,mesh-shop/1")
	id := MeshSecret("")
	if s := w.Secrets()[id]; len(w.Secrets()) != 1 || s.Mesh == nil || s.Mesh.Connection != "" {
		t.Fatalf("the secrets are %+v", w.Secrets())
	}
	if users := w.UsersOf(id); !slices.Equal(users, []ID{{KindUpstream, "shop"}}) {
		t.Errorf("it is used by %v", users)
	}
	uses := w.Upstream("shop").MeshUses()
	if len(uses) != 2 || uses[1].Field != "svc/shop,svc/stock" {
		t.Fatalf("the uses are %+v", uses)
	}
	for _, use := range uses {
		in := w.Inputs(use.Unit())
		if !in.Held || !slices.Equal(in.Gateways, []string{"edge"}) || in.Field != use.Field || in.Form != use.Form || in.Secret != id {
			t.Errorf("before the identity is known, %s is %+v", use.Unit().Name, in)
		}
	}
	w, change := Apply(w, Input{Secrets: map[ID]string{id: "1"}})
	for _, use := range uses {
		if in := w.Inputs(use.Unit()); in.Held || in.Version != "1" || !slices.Contains(change.Units, use.Unit()) {
			t.Errorf("%s is %+v after %v", use.Unit().Name, in, change.Units)
		}
	}
	w, _ = Apply(w, Input{Documents: map[string]*Document{"d": fakeDoc("d", 2, "gateway.edge listeners=http")}})
	if in := w.Inputs(uses[0].Unit()); len(in.Gateways) > 0 || len(w.Secrets()) > 0 || len(w.UsersOf(id)) > 0 {
		t.Errorf("without the upstream there is %+v", in)
	}
}

func TestWhatCannotBeTogetherInAMesh(t *testing.T) {
	b := fakeBlock{}
	for sources, want := range map[string][]string{
		"s0,s1":             nil,
		"mesh-a,mesh-b":     nil,
		"mesh-a,s0":         {"spoken to over its mutual TLS"},
		"mesh-a@x,mesh-a@y": {`two connections, "x" and "y"`},
	} {
		requireSays(t, b.upstream("u", sources).CheckMesh(), want)
	}
	u := b.upstream("u", "mesh-a")
	u.Features = []Feature{&fakeFeature{typ: "tls"}}
	u.OpenAPI, u.GRPC = &OpenAPI{Path: "/x"}, &GRPC{}
	requireSays(t, u.CheckMesh(), []string{"Remove the tls block", "Put the document into a file", "Declare its functions"})
	u.OpenAPI, u.GRPC, u.Features = &OpenAPI{File: "x"}, nil, nil
	requireSays(t, u.CheckMesh(), nil)
}

func requireSays[D interface{ Error() string }](t *testing.T, got []D, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("it says %v, want %q", got, want)
		return
	}
	for i, text := range want {
		if !strings.Contains(got[i].Error(), text) {
			t.Errorf("it says %v, want %q", got[i], text)
		}
	}
}

func TestASourceStandsForSeveral(t *testing.T) {
	weight := 3
	list := (&Source{Kind: "fake", Weight: &weight, Priority: 2, Spec: fakeSpec("a+b+c")}).Expand()
	var got []string
	for _, s := range list {
		got = append(got, s.Spec.SourceKey().Query)
		if *s.Weight != 3 || s.Kind != "fake" {
			t.Errorf("%+v", s)
		}
	}
	if !slices.Equal(got, []string{"a+b+c", "b", "c"}) || list[0].Priority != 2 || list[1].Priority != 3 || list[2].Priority != 4 {
		t.Errorf("it stands for %q with %+v", got, list)
	}
}

func TestNamesOfMeshServices(t *testing.T) {
	own := MeshService{Namespace: "default", Datacenter: "dc1", Service: "sluice"}
	for text, want := range map[string]MeshService{
		"svc/shop":                       {"", "default", "dc1", "shop"},
		"dc/dc2/svc/shop":                {"", "default", "dc2", "shop"},
		"ap/eu/ns/team/dc/dc2/svc/shop":  {"eu", "team", "dc2", "shop"},
		"svc/a%20b%2Fc":                  {"", "default", "dc1", "a b/c"},
		"svc/a%2Cb":                      {"", "default", "dc1", "a,b"},
		"":                               {},
		"svc":                            {},
		"svc/":                           {},
		"dc/dc1":                         {},
		"svc/shop/dc/dc1":                {},
		"svc/shop/svc/bank":              {},
		"spiffe/x/svc/shop":              {},
		"svc/shop/for/peer":              {},
		"svc/%zz":                        {},
		"ns/default/dc/dc1/svc/shop/x":   {},
		"gateway/mesh/dc/dc1/svc/shop/x": {},
	} {
		got, err := ParseMeshService(text)
		if (err != nil) != (want == MeshService{}) || err == nil && (got.In(own) != want || got.String() != text) {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
}

// FuzzMeshServices has no text read as anything but what it was written as.
func FuzzMeshServices(f *testing.F) {
	f.Add("", "default", "dc1", "shop")
	f.Add("a/b", "%2F", ",", "svc/x")
	f.Fuzz(func(t *testing.T, partition, namespace, datacenter, service string) {
		if service == "" {
			return
		}
		want := MeshService{partition, namespace, datacenter, service}
		got, err := MeshServices(want.String() + "," + want.String())
		if err != nil || !reflect.DeepEqual(got, []MeshService{want, want}) {
			t.Errorf("%+v is written %q, which is %+v, %v", want, want.String(), got, err)
		}
	})
}
