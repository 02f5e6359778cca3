package control

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/hcl"
	"github.com/sluice-gateway/sluice/xds/store"
	"github.com/sluice-gateway/sluice/xds/translate"
)

const base = `gateway "edge" {
  listener "http" { port = 8080 }
}

upstream "shop" {
  fixed { name = "shop" }
}
`

func route(name, path string) string {
	return fmt.Sprintf(`
route %q {
  hosts = ["shop.example.com"]
  match { prefix = %q }
  to { upstream = upstream.shop }
}
`, name, path)
}

func hostKey() store.Key {
	return store.Key{Type: translate.HostType, Name: "edge.http/shop.example.com"}
}

func TestADocumentBecomesResourcesAndIsAcceptedWhenEveryEnvoySaysYes(t *testing.T) {
	r := newRig(t, nil)
	r.envoy(1, "edge", nil)
	r.envoy(2, "edge", nil)
	r.put("a.hcl", base+route("one", "/one"))
	r.endpoints("shop")
	r.eventually("accepted", func() bool {
		return r.state("route", "one") == gateway.StateAccepted && r.state("gateway", "edge") == gateway.StateAccepted &&
			r.store.Get(store.Key{Type: translate.AssignmentType, Name: "shop"}) != nil
	})
	if !r.gate.open.Load() {
		t.Error("the gate is closed")
	}
}

func TestABlockStaysPendingUntilTheSlowestEnvoyAnswers(t *testing.T) {
	r := newRig(t, nil)
	slow := make(chan struct{})
	r.envoy(1, "edge", nil)
	r.envoy(2, "edge", func(*store.Resource) bool { <-slow; return false })
	r.put("a.hcl", base+route("one", "/one"))
	r.eventually("published", func() bool { return r.store.Get(hostKey()) != nil })
	if got := r.state("route", "one"); got != gateway.StatePending {
		t.Errorf("state %q, want pending", got)
	}
	close(slow)
	r.eventually("accepted", func() bool { return r.state("route", "one") == gateway.StateAccepted })
}

func TestABrokenDocumentChangesNothing(t *testing.T) {
	r := newRig(t, nil)
	r.put("a.hcl", base+route("one", "/one"))
	r.eventually("published", func() bool { return r.store.Get(hostKey()) != nil })
	before := r.content()
	r.put("a.hcl", "route {{{")
	r.eventually("noticed", func() bool { return r.World().Documents()["a.hcl"].Broken })
	if after := r.content(); !sameStrings(before, after) {
		t.Errorf("content changed:\n%v\n%v", before, after)
	}
}

func TestTheCulpritOfARefusalIsFoundAndItsNeighboursProceed(t *testing.T) {
	for _, culprits := range [][]int{{3}, {0}, {1, 6}, {0, 1, 2, 3, 4, 5, 6, 7}} {
		t.Run(fmt.Sprint(culprits), func(t *testing.T) {
			r := newRig(t, nil)
			bad := func(res *store.Resource) bool { return bytes.Contains(res.Body.GetValue(), []byte("/evil")) }
			r.envoy(1, "edge", bad)
			r.envoy(2, "edge", bad)
			r.put("base.hcl", base+route("old", "/old"))
			r.eventually("accepted", func() bool { return r.state("route", "old") == gateway.StateAccepted })
			text := ""
			for i := range 8 {
				path := fmt.Sprintf("/good%d", i)
				for _, c := range culprits {
					if c == i {
						path = fmt.Sprintf("/evil%d", i)
					}
				}
				text += route(fmt.Sprintf("r%d", i), path)
			}
			r.put("new.hcl", text)
			r.eventually("told to other replicas", func() bool {
				r.rec.mu.Lock()
				defer r.rec.mu.Unlock()
				return len(r.rec.convicts) == len(culprits)
			})
			r.eventually("sorted out", func() bool {
				n := map[gateway.State]int{}
				for i := range 8 {
					n[r.state("route", fmt.Sprintf("r%d", i))]++
				}
				return n[gateway.StateRejected] == len(culprits) && n[gateway.StateAccepted] == 8-len(culprits)
			})
			for _, c := range culprits {
				b := r.World().Block(gateway.ID{Kind: "route", Name: fmt.Sprintf("r%d", c)})
				if b.InForce != nil || !strings.Contains(b.Diags.Error(), "Refused by Envoy") {
					t.Errorf("culprit %d: in force %v, diagnostics %v", c, b.InForce, b.Diags)
				}
			}
		})
	}
}

func TestANewVersionLiftsTheQuarantine(t *testing.T) {
	r := newRig(t, nil)
	r.envoy(1, "edge", func(res *store.Resource) bool { return bytes.Contains(res.Body.GetValue(), []byte("/evil")) })
	r.put("a.hcl", base+route("one", "/one"))
	r.eventually("accepted", func() bool { return r.state("route", "one") == gateway.StateAccepted })
	r.put("a.hcl", base+route("one", "/evil"))
	r.eventually("refused", func() bool { return r.state("route", "one") == gateway.StateRejected })
	if v := r.store.Get(hostKey()); bytes.Contains(v.Body.GetValue(), []byte("/evil")) {
		t.Error("the refused form is still published")
	}
	r.put("a.hcl", base+route("one", "/mended"))
	r.eventually("accepted", func() bool { return r.state("route", "one") == gateway.StateAccepted })
}

func TestLastGoodOnDiskServesAColdStart(t *testing.T) {
	dir := t.TempDir()
	keep := func(c *Config) { c.StateDir = dir }
	first := newRig(t, keep)
	first.put("consul:a.hcl", base+route("one", "/one"))
	first.endpoints("shop")
	first.eventually("published", func() bool {
		return first.store.Get(hostKey()) != nil && first.store.Get(store.Key{Type: translate.AssignmentType, Name: "shop"}) != nil
	})
	first.stop()
	second := newRig(t, func(c *Config) { c.StateDir = dir; c.Expect = []string{InputLedger, InputDocuments} })
	second.eventually("open", second.gate.open.Load)
	if a, b := first.content(), second.content(); !sameStrings(a, b) {
		t.Errorf("content differs:\n%v\n%v", a, b)
	}
	if second.gate.refused.Load() == 0 {
		t.Error("Envoys with state of their own are let in by a replica that stands on last good only")
	}
	second.Answered(InputLedger)
	second.put("consul:a.hcl", base+route("one", "/one"))
	second.Answered(InputDocuments)
	second.eventually("complete", second.complete.Load)
}

func TestADamagedFileIsNotUsed(t *testing.T) {
	dir := t.TempDir()
	if err := writeKept(dir, &kept{Documents: []keptDocument{{Name: "a.hcl", Text: base}}}); err != nil {
		t.Fatal(err)
	}
	damage(t, dir)
	r := newRig(t, func(c *Config) { c.StateDir = dir })
	r.eventually("open", r.gate.open.Load)
	if got := r.World().Blocks(); len(got) != 0 {
		t.Errorf("blocks of a damaged file: %v", got)
	}
}

func TestAReplicaThatStartsOnABrokenDocumentServesWhatTheOtherServes(t *testing.T) {
	one := newRig(t, nil)
	one.Leaves(map[gateway.ID]*string{{Kind: gateway.KindValue, Name: "share"}: ptr("25")})
	text := base + `
locals {
  share = kv("share", 10)
}

route "split" {
  hosts = ["shop.example.com"]
  to {
    upstream = upstream.shop
    weight   = local.share
  }
  to {
    upstream = upstream.shop
    weight   = 100 - local.share
    path     = "/other"
  }
}
`
	one.put("consul:a.hcl", text)
	one.eventually("accepted", func() bool { return one.state("route", "split") == gateway.StateAccepted })
	one.Leaves(map[gateway.ID]*string{{Kind: gateway.KindValue, Name: "share"}: ptr("many")})
	one.put("consul:a.hcl", "route {{{")
	one.eventually("both bad", func() bool { return one.World().Documents()["consul:a.hcl"].Broken })
	one.eventually("recorded", func() bool {
		d := one.rec.last()
		return strings.Contains(string(d.Status["a.hcl"]), "cannot be read") && d.Accepted[gateway.ID{Kind: "route", Name: "split"}].Text != ""
	})

	two := newRig(t, func(c *Config) { c.Expect = []string{InputLedger} })
	ledger := map[gateway.ID]*gateway.Form{}
	for id, e := range one.rec.last().Accepted {
		e.ID = id
		f, err := DecodeForm(e, two.schema)
		if err != nil {
			t.Fatal(err)
		}
		ledger[id] = f
	}
	two.Ledger(ledger)
	two.Leaves(map[gateway.ID]*string{{Kind: gateway.KindValue, Name: "share"}: ptr("many")})
	two.put("consul:a.hcl", "route {{{")
	two.Answered(InputLedger)
	two.eventually("equal to the first", func() bool { return sameStrings(one.content(), two.content()) })
}

func TestFrozenChangesWait(t *testing.T) {
	r := newRig(t, nil)
	r.put("a.hcl", base)
	r.eventually("served", func() bool { return r.state("gateway", "edge") != "" })
	r.Freeze(true)
	r.eventually("frozen", func() bool { return strings.Contains(fmt.Sprint(r.Events(0)), "changes wait") })
	r.put("b.hcl", route("one", "/one"))
	r.endpoints("shop")
	r.eventually("endpoints are not frozen", func() bool {
		_, known := r.World().Endpoints(gateway.SourceKey{Kind: "fixed", Query: "shop"})
		return known
	})
	if got := r.state("route", "one"); got != "" {
		t.Errorf("the route is %s while frozen", got)
	}
	r.Freeze(false)
	r.eventually("taken", func() bool { return r.state("route", "one") != "" })
}

func TestTheLedgerKeepsTheVersionThatAFormIsFrom(t *testing.T) {
	s := newSteps(t, nil)
	r := newRecorder(s.Loop)
	put := func(modify uint64, text string) map[gateway.ID]catalog.LedgerEntry {
		doc := hcl.Parse(hcl.Origin{Name: "consul:a.hcl", Index: 1, Modify: modify}, []byte(text), s.r.schema)
		s.Documents(map[string]*gateway.Document{doc.Name: doc})
		s.drain()
		return r.desired(s.World(), true).Accepted
	}
	put(1, base+route("one", "/one")+route("two", "/two"))
	got := put(7, base+route("one", "/one")+route("two", "/changed"))
	for name, want := range map[string]uint64{"one": 1, "two": 7} {
		if e := got[gateway.ID{Kind: "route", Name: name}]; e.ModifyIndex != want {
			t.Errorf("route %s is from version %d, want %d", name, e.ModifyIndex, want)
		}
	}
	if e := put(9, "route {{{")[gateway.ID{Kind: "route", Name: "two"}]; e.ModifyIndex != 7 {
		t.Errorf("after a version that does not parse: %d", e.ModifyIndex)
	}
}

func TestStatusSaysWhatBecameOfADocument(t *testing.T) {
	r := newRig(t, nil)
	r.put("consul:team/a.hcl", base+route("one", "/one")+route("two", "nope"))
	r.eventually("recorded", func() bool { return r.rec.last().Status["team/a.hcl"] != nil })
	r.eventually("said", func() bool {
		s := string(r.rec.last().Status["team/a.hcl"])
		return strings.HasPrefix(s, "rejected in part") && strings.Contains(s, "consul:team/a.hcl") && strings.Contains(s, "nope")
	})
	if v := r.rec.last().History["team/a.hcl"]; !bytes.Contains(v.Text, []byte("nope")) {
		t.Errorf("history %s", v.Text)
	}
}

func ptr(s string) *string { return &s }

func damage(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, lastGoodFile)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/3] ^= 1
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}
