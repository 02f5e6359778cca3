package control

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// keepRun serves documents once, so that dir holds the last good state.
func keepRun(t *testing.T, dir string, docs map[string]string, leaves map[gateway.ID]*string) {
	t.Helper()
	r := newRig(t, func(c *Config) { c.StateDir = dir })
	if leaves != nil {
		r.Leaves(leaves)
	}
	for name, text := range docs {
		r.put(name, text)
	}
	r.endpoints("shop")
	synctest.Wait()
	r.stop()
}

func TestAFreezeAcrossARestartKeepsWhatIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		keepRun(t, dir, map[string]string{"consul:a.hcl": base + route("one", "/one")}, nil)
		r := newRig(t, func(c *Config) { c.StateDir = dir; c.Expect = []string{InputDocuments} })
		r.Freeze(true)
		synctest.Wait()
		r.put("consul:a.hcl", base+route("one", "/two"))
		r.Answered(InputDocuments)
		time.Sleep(10 * confirmAfter)
		synctest.Wait()
		if r.store.Get(hostKey()) == nil {
			t.Fatal("the frozen documents are gone")
		}
		r.Freeze(false)
		time.Sleep(10 * confirmAfter)
		synctest.Wait()
		if b := r.block("route", "one"); b == nil || b.InForce == nil {
			t.Errorf("blocks: %s", r.blocks())
		}
		r.stop()
	})
}

func TestAReplicaThatStartsFrozenWithoutLastGoodTakesTheFirstTruth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Expect = []string{InputDocuments} })
		r.Freeze(true)
		synctest.Wait()
		time.Sleep(time.Minute) // the grace passes before Consul answers
		r.put("consul:a.hcl", base+route("one", "/one"))
		r.Answered(InputDocuments)
		synctest.Wait()
		if r.store.Get(hostKey()) == nil {
			t.Fatal("nothing is served")
		}
		r.put("consul:a.hcl", base+route("one", "/two"))
		synctest.Wait()
		if b := r.block("route", "one"); b == nil || b.InForce == nil || b.InForce.Written.Text() == "" || !strings.Contains(b.InForce.Written.Text(), "/one") {
			t.Errorf("a change was taken while frozen: %s", r.blocks())
		}
		r.stop()
	})
}

func TestTheWorldIsCompleteWhenTheLastInputAnswersAfterTheGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Expect = []string{InputLedger, InputDocuments} })
		time.Sleep(time.Minute)
		synctest.Wait()
		if !r.gate.open.Load() || r.complete.Load() {
			t.Fatalf("open %v, complete %v after the grace", r.gate.open.Load(), r.complete.Load())
		}
		r.Answered(InputLedger)
		r.Answered(InputDocuments)
		synctest.Wait()
		if !r.complete.Load() {
			t.Error("the world is never complete: nothing is kept on disk and nothing is cleaned up in KV")
		}
		r.stop()
	})
}

func TestTheGraceEndsThoughLeftoversOfTheLastRunWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		keepRun(t, dir, map[string]string{"consul:a.hcl": base + route("one", "/one")}, nil)
		r := newRig(t, func(c *Config) { c.StateDir = dir; c.Expect = []string{InputDocuments, InputEndpoints} })
		r.Answered(InputDocuments) // and lists nothing
		time.Sleep(r.cfg.Grace + time.Second)
		synctest.Wait()
		if got := r.gate.refused.Load(); got > 0 {
			t.Errorf("after the grace Envoys with state of their own are still turned away until %d", got)
		}
		time.Sleep(2 * confirmAfter)
		synctest.Wait()
		if r.store.Get(hostKey()) != nil {
			t.Error("a document that its place does not list stays for ever")
		}
		r.stop()
	})
}

func TestAValueThatWentAwayWhileTheReplicaWasDownIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		id := gateway.ID{Kind: gateway.KindValue, Name: "k"}
		keepRun(t, dir, map[string]string{"consul:a.hcl": base}, map[gateway.ID]*string{id: ptr("25")})
		r := newRig(t, func(c *Config) { c.StateDir = dir; c.Expect = []string{InputDocuments, InputValues} })
		synctest.Wait()
		if got := r.World().Raw()[id]; got == nil || *got != "25" {
			t.Fatalf("restored %v", got)
		}
		r.put("consul:a.hcl", base)
		r.Answered(InputDocuments)
		r.Answered(InputValues)
		time.Sleep(2 * confirmAfter)
		synctest.Wait()
		if got := r.World().Raw()[id]; got != nil {
			t.Errorf("the deleted value %q stays", *got)
		}
		r.stop()
	})
}

func TestADocumentThatNeverParsedHereIsKeptOnDiskWithItsAcceptedBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		donor := newSteps(t, nil)
		donor.put("consul:a.hcl", base+route("one", "/one"))
		dir := t.TempDir()
		first := newRig(t, func(c *Config) { c.StateDir = dir; c.Expect = []string{InputLedger} })
		first.Ledger(donor.World().Ledger())
		first.put("consul:a.hcl", "route {{{")
		first.endpoints("shop")
		first.Answered(InputLedger)
		synctest.Wait()
		want := first.content()
		if first.store.Get(hostKey()) == nil {
			t.Fatal("the ledger's blocks are not served")
		}
		first.stop()
		second := newRig(t, func(c *Config) { c.StateDir = dir; c.Expect = []string{InputLedger, InputDocuments} })
		synctest.Wait()
		if got := second.content(); !sameStrings(got, want) {
			t.Errorf("after a cold start:\n%v\nwant\n%v", got, want)
		}
		second.stop()
	})
}

func TestOtherReplicasAreToldOfAConvictionWithoutAnyFurtherChange(t *testing.T) {
	for range 3 {
		r := newRig(t, nil)
		r.envoy(1, "edge", evil)
		r.put("a.hcl", base+route("one", "/one"))
		r.eventually("accepted", func() bool { return r.state("route", "one") == gateway.StateAccepted })
		r.put("a.hcl", base+route("one", "/evil"))
		r.eventually("told", r.told("route", "one"))
		r.stop()
	}
}

func TestDocumentsWaitForTheValuesThatTheyRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id := gateway.ID{Kind: gateway.KindValue, Name: "k"}
		r := newRig(t, func(c *Config) { c.Expect = []string{InputLedger, InputDocuments, InputValues} })
		r.Ledger(map[gateway.ID]*gateway.Form{id: {Value: gateway.Value{Instances: map[string]any{"": "25"}}}})
		r.Answered(InputLedger)
		r.put("consul:a.hcl", base+strings.Replace(route("one", "/one"), "{ upstream = upstream.shop }", "{\nupstream = upstream.shop\nweight = kv(\"k\", 10)\n}", 1))
		r.Answered(InputDocuments)
		synctest.Wait()
		r.Leaves(map[gateway.ID]*string{id: ptr("-1")})
		r.Answered(InputValues)
		synctest.Wait()
		if bad := r.World().BadValues(); len(bad) != 1 {
			t.Errorf("bad values: %v", bad)
		}
		if b := r.World().Block(gateway.ID{Kind: "route", Name: "one"}); b == nil || b.State == gateway.StateRejected {
			t.Errorf("the reader of a bad value does not go on with the last accepted one: %+v", b)
		}
		r.stop()
	})
}
