package translate_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

func translator(t testing.TB, kinds ...translate.Kind) *translate.Translator {
	t.Helper()
	tr, err := translate.New(kinds)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func build(t testing.TB, tr *translate.Translator, in gateway.Inputs) []byte {
	t.Helper()
	r, err := tr.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(r.Message)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// table is a host of n routes.
func table(n int) gateway.Inputs {
	up := &gateway.Upstream{Name: "shop"}
	in := gateway.Inputs{
		Unit:     gateway.Unit{Type: gateway.UnitHost, Name: "edge.http/shop.test"},
		Gateways: []string{"edge"}, Gateway: &gateway.Gateway{Name: "edge"}, Listener: &gateway.Listener{Name: "http", Port: 8080},
		Host: "shop.test",
	}
	for i := range n {
		in.Table = append(in.Table, &gateway.TableRoute{
			Route: &gateway.Route{Name: fmt.Sprintf("fn-%d", i)},
			Match: &gateway.Match{Prefix: fmt.Sprintf("/api/v1/functions/fn-%d", i)},
			Destinations: []*gateway.TableDestination{{
				To: &gateway.Destination{}, Upstream: up, Weight: 1,
				Subset: &gateway.Subset{Tag: "a", Meta: map[string]string{"version": "2", "zone": "b", "team": "c"}},
			}},
		})
	}
	return in
}

func TestEqualInputsGiveEqualBytes(t *testing.T) {
	tr := translator(t)
	host := table(300) // a trie
	want := build(t, tr, host)
	for range 20 {
		if !bytes.Equal(want, build(t, tr, host)) {
			t.Fatal("a host was built twice, and differently")
		}
	}
	in := gateway.Inputs{
		Unit: gateway.Unit{Type: gateway.UnitAssignment, Name: "shop"}, Gateways: []string{"edge"}, Upstream: &gateway.Upstream{Name: "shop"},
		Subsets: []gateway.SubsetKeys{{Keys: "meta/a\x00meta/b\x00tag/x", Fallback: true}},
	}
	for p := range 3 {
		l := gateway.Locals{Priority: p * 2, Locality: gateway.Locality{Zone: fmt.Sprint(p % 2)}}
		for i := range 20 {
			l.Endpoints = append(l.Endpoints, gateway.Endpoint{
				Address: fmt.Sprintf("10.0.%d.%d", p, i), Port: 80, Tags: []string{"x"}, Meta: map[string]string{"a": "1", "b": "2"},
			})
		}
		in.Endpoints = append(in.Endpoints, l)
	}
	want = build(t, tr, in)
	for range 20 {
		rand.Shuffle(len(in.Endpoints), func(i, j int) { in.Endpoints[i], in.Endpoints[j] = in.Endpoints[j], in.Endpoints[i] })
		e := in.Endpoints[0].Endpoints
		rand.Shuffle(len(e), func(i, j int) { e[i], e[j] = e[j], e[i] })
		if !bytes.Equal(want, build(t, tr, in)) {
			t.Fatal("an assignment depends on the order in which endpoints came")
		}
	}
}

func TestAClusterThatChangesAsksForAnotherAssignment(t *testing.T) {
	tr := translator(t)
	in := gateway.Inputs{
		Unit: gateway.Unit{Type: gateway.UnitCluster, Name: "shop"}, Gateways: []string{"edge"}, Upstream: &gateway.Upstream{Name: "shop"},
	}
	needs := func() translate.Key {
		r, err := tr.Build(in)
		if err != nil {
			t.Fatal(err)
		}
		return r.Needs[0]
	}
	before := needs()
	if !strings.HasPrefix(before.Name, "shop@") || len(before.Name) != len("shop@")+32 || before != needs() {
		t.Errorf("the assignment is %q", before.Name)
	}
	in.Subsets = []gateway.SubsetKeys{{Keys: "tag/a"}}
	if before == needs() {
		t.Error("a cluster with a selector asks for the assignment of the one without")
	}
}

func TestWhatIsGoneIsRemoved(t *testing.T) {
	tr := translator(t)
	for u := gateway.UnitListener; u <= gateway.UnitAssignment; u++ {
		for _, gateways := range [][]string{nil, {"edge"}} {
			r, err := tr.Build(gateway.Inputs{Unit: gateway.Unit{Type: u, Name: "edge.http/x"}, Gateways: gateways})
			if r != nil || err != nil {
				t.Errorf("unit type %d without inputs: %v, %v", u, r, err)
			}
		}
	}
}

func TestErrorsNameTheRoute(t *testing.T) {
	tr := translator(t)
	for want, change := range map[string]func(*gateway.TableRoute){
		"no destination has a share": func(r *gateway.TableRoute) { r.Destinations[0].Weight = 0 },
		"has no upstream":            func(r *gateway.TableRoute) { r.Destinations[0].Upstream = nil },
		"which the match does not":   func(r *gateway.TableRoute) { r.Destinations[0].To.Path = "/{id}" },
		"was not resolved": func(r *gateway.TableRoute) {
			r.Match = &gateway.Match{Function: gateway.Ref{ID: gateway.FunctionID("shop", "get")}}
		},
		"envoy would refuse": func(r *gateway.TableRoute) { r.Match.Prefix = "/a?b" },
	} {
		in := table(3)
		change(in.Table[1])
		_, err := tr.Build(in)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "fn-1") {
			t.Errorf("want an error of fn-1 that says %q, got %v", want, err)
		}
	}
}

func BenchmarkHost(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			tr, in := translator(b), table(n)
			b.ReportAllocs()
			for b.Loop() {
				b.SetBytes(int64(len(build(b, tr, in))))
			}
		})
	}
}
