package translate_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/featuretest"
)

// TestACanaryOutlivesItsFunction moves weights by a value, to a total of nothing too, and takes a function away that has
// a share: what was in force stays, and the blocks say why.
func TestACanaryOutlivesItsFunction(t *testing.T) {
	w := featuretest.Translate(t, nil, featuretest.Documents{"a.hcl": edge + upstream("old", "127.0.0.1:1") + `
		upstream "shop" {
		  static {
		    endpoints = ["127.0.0.1:2"]
		  }
		  openapi {}
		}
		route "divide" {
		  match { path = "/divide/{a}" }
		  sticky { cookie = "session" }
		  to {
		    function = function.shop.divide
		    weight   = kv("new", 10)
		  }
		  to {
		    upstream = upstream.old
		    weight   = kv("old", 90)
		  }
		}`}).World
	divide := &gateway.Function{
		Name: "divide", Kind: gateway.FunctionREST, REST: &gateway.RESTOperation{Method: "GET", Path: "/calc/{a}"},
		Signature: gateway.Signature{Known: true, Args: []gateway.Argument{{Name: "a", In: gateway.InPath, Required: true}}},
	}
	key := slices.Collect(maps.Keys(w.Finders()))[0]
	find := func(list ...*gateway.Function) {
		w, _ = gateway.Apply(w, gateway.Input{Functions: map[gateway.FinderKey][]*gateway.Function{key: append([]*gateway.Function{}, list...)}})
	}
	set := func(name, share string) {
		w, _ = gateway.Apply(w, gateway.Input{Leaves: map[gateway.ID]*string{{Kind: gateway.KindValue, Name: name}: &share}})
	}
	id := gateway.ID{Kind: gateway.KindRoute, Name: "divide"}
	expect := func(when string, weights []uint32, says string) {
		t.Helper()
		table := w.Table(gateway.ListenerKey{Gateway: "edge", Listener: "http"}, "*")
		var got []uint32
		if len(table) == 1 {
			for _, d := range table[0].Destinations {
				got = append(got, d.Weight)
			}
		}
		if !slices.Equal(got, weights) {
			t.Errorf("%s: weights %v, want %v", when, got, weights)
		}
		var said []string
		for _, b := range w.Blocks() {
			for _, d := range b.Diags {
				said = append(said, b.ID.String()+": "+d.Summary+": "+d.Detail)
			}
		}
		for _, v := range w.BadValues() {
			said = append(said, "value "+v.Key+": "+v.Diags.Error())
		}
		if all := strings.Join(said, "\n"); (says == "") != (all == "") || !strings.Contains(all, says) {
			t.Errorf("%s: it says %q, want %q", when, all, says)
		}
	}
	find(divide)
	expect("at first", []uint32{10, 90}, "")
	set("new", "100")
	set("old", "0")
	expect("moved", []uint32{100, 0}, "")
	set("new", "0")
	expect("a total of nothing", []uint32{100, 0}, "would go anywhere")
	set("old", "1")
	expect("back", []uint32{0, 1}, "")
	set("new", "1")
	find()
	expect("the function is gone", []uint32{1, 1}, "is not any more")
	if b := w.Block(id); len(b.Degraded) != 1 {
		t.Errorf("degraded: %v", b.Degraded)
	}
	set("new", "0")
	expect("its share is taken away", []uint32{0, 1}, "is not any more")
	find(divide)
	expect("it is back", []uint32{0, 1}, "")
}
