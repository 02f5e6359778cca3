package catalog

import (
	"fmt"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// BenchmarkPlan is what one changed route of 10,000 costs the writer before it writes.
func BenchmarkPlan(b *testing.B) {
	c := &Client{Prefix: "sluice/"}
	w := c.NewWriter("one")
	d := Desired{
		Accepted: map[gateway.ID]LedgerEntry{}, Status: map[string][]byte{}, History: map[string]Version{}, Complete: true,
	}
	for n := range 10_000 {
		name := fmt.Sprintf("folder-%02d/r%d.hcl", n%100, n)
		text := fmt.Sprintf("route \"r%d\" {\n  hosts = [\"shop.example.com\"]\n  match { prefix = \"/p%d\" }\n  to { upstream = upstream.shop }\n}\n", n, n)
		d.Accepted[gateway.ID{Kind: "route", Name: fmt.Sprintf("r%d", n)}] = LedgerEntry{Document: "consul:" + name, ModifyIndex: 7, Hash: fmt.Sprint(n), Text: text}
		d.Status[name] = []byte("accepted (version 7)\n  " + name)
		d.History[name] = Version{N: 7, Text: []byte(text)}
	}
	have := map[string]Pair{}
	ops, _ := w.plans.plan(have, d)
	w.remember(have, ops, nil)
	n := uint64(7)
	for b.Loop() {
		n++
		id, name := gateway.ID{Kind: "route", Name: "r5"}, "folder-05/r5.hcl"
		e := d.Accepted[id]
		e.ModifyIndex, e.Hash = n, fmt.Sprint("h", n)
		d.Accepted[id] = e
		d.Status[name] = fmt.Appendf(nil, "accepted (version %d)", n)
		d.History[name] = Version{N: n, Text: []byte(e.Text)}
		ops, _ := w.plans.plan(have, d)
		if len(ops) < 3 || len(ops) > 4 {
			b.Fatalf("%d operations", len(ops))
		}
		w.remember(have, ops, nil)
	}
}
