package control

import (
	"fmt"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/hcl"
)

// largeWorld is 10,000 accepted routes, a document each.
func largeWorld(b *testing.B, schema *hcl.Schema) *gateway.World {
	b.Helper()
	in := gateway.Input{Documents: map[string]*gateway.Document{}, Settled: true}
	put := func(name, text string) {
		in.Documents[name] = hcl.Parse(hcl.Origin{Name: name, Index: 1, Modify: 1}, []byte(text), schema)
	}
	put("consul:base.hcl", base)
	for n := range 10_000 {
		put(fmt.Sprintf("consul:r%d.hcl", n), route(fmt.Sprintf("r%d", n), fmt.Sprintf("/p%d", n)))
	}
	w, _ := gateway.Apply(gateway.New(&gateway.Rules{}), in)
	return acceptAll(w)
}

func acceptAll(w *gateway.World) *gateway.World {
	ledger := map[gateway.ID]*gateway.Form{}
	for _, b := range w.Blocks() {
		if b.State == gateway.StatePending {
			ledger[b.ID] = b.InForce
		}
	}
	w, _ = gateway.Apply(w, gateway.Input{Ledger: ledger})
	return w
}

// BenchmarkRecord is what one changed route of 10,000 costs beside its way to the Envoys: what is to stand in Consul, and
// the last good state on disk.
func BenchmarkRecord(b *testing.B) {
	schema := testSchema()
	l := &Loop{log: hclog.NewNullLogger(), cfg: Config{Schema: schema, StateDir: b.TempDir()}}
	change := func(w *gateway.World, n int) *gateway.World {
		doc := hcl.Parse(hcl.Origin{Name: "consul:r5.hcl", Index: 1, Modify: uint64(n)}, []byte(route("r5", fmt.Sprintf("/p5-%d", n))), schema)
		w, _ = gateway.Apply(w, gateway.Input{Documents: map[string]*gateway.Document{"consul:r5.hcl": doc}})
		return acceptAll(w)
	}
	b.Run("consul", func(b *testing.B) {
		w, n := largeWorld(b, schema), 1
		r := newRecorder(l)
		r.desired(w, true)
		for b.Loop() {
			b.StopTimer()
			n++
			w = change(w, n)
			b.StartTimer()
			r.desired(w, true)
		}
	})
	b.Run("disk", func(b *testing.B) {
		w, n := largeWorld(b, schema), 1
		k := newKeeper(l)
		l.complete.Store(true)
		for b.Loop() {
			b.StopTimer()
			n++
			w = change(w, n)
			l.world.Store(w)
			b.StartTimer()
			k.save()
		}
	})
}
