package control

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/hcl"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// broken is a feature that cannot be translated.
type broken struct {
	gateway.FeatureBase
}

func (*broken) FeatureType() string { return "broken" }

// withBroken is a loop that knows the feature; it fails once fails says so.
func withBroken(t *testing.T, fails *atomic.Bool) *rig {
	t.Helper()
	kind := translate.Kind{
		FeatureRule: gateway.FeatureRule{Type: "broken", Combine: gateway.Nearest, Levels: gateway.AllLevels},
		New:         func() gateway.Feature { return &broken{} },
		Route: func([]gateway.Effective, *translate.Route) error {
			if fails.Load() {
				return errors.New("no diagnostic caught it")
			}
			return nil
		},
	}
	tr, err := translate.New([]translate.Kind{kind})
	if err != nil {
		t.Fatal(err)
	}
	schema := hcl.NewSchema([]hcl.FeatureType{{FeatureRule: kind.FeatureRule, New: kind.New}},
		[]hcl.SourceType{{Name: "fixed", New: func() gateway.SourceSpec { return &fixedSpec{} }}})
	r := newRig(t, func(c *Config) {
		c.Schema, c.Translator = schema, tr
	})
	r.schema = schema
	return r
}

func brokenRoute(name string) string {
	return strings.Replace(route(name, "/"+name), "to {", "broken {}\n  to {", 1)
}

// A route that cannot be translated is found, and its neighbours in the host are served within a second.
func TestNeighboursOfWhatCannotBeTranslatedGoOn(t *testing.T) {
	fails := &atomic.Bool{}
	fails.Store(true)
	r := withBroken(t, fails)
	r.envoy(1, "edge", evil)
	r.put("base.hcl", base+route("old", "/old"))
	r.eventually("accepted", func() bool { return r.state("route", "old") == gateway.StateAccepted })
	var text strings.Builder
	for i := range 20 {
		text.WriteString(route(fmt.Sprintf("new%d", i), fmt.Sprintf("/new%d", i)))
	}
	begin := time.Now()
	r.put("new.hcl", text.String()+brokenRoute("bad"))
	r.eventually("the neighbours are served", func() bool {
		for i := range 20 {
			if r.state("route", fmt.Sprintf("new%d", i)) != gateway.StateAccepted {
				return false
			}
		}
		return r.state("route", "bad") == gateway.StateRejected
	})
	if took := time.Since(begin); took > time.Second {
		t.Errorf("it took %v", took)
	}
	r.eventually("told", r.told("route", "bad"))
	if b := r.block("route", "bad"); !strings.Contains(fmt.Sprint(b.Diags), "no diagnostic caught it") {
		t.Errorf("the block says %v", b.Diags)
	}
}

// What was accepted and cannot be translated any more does not keep its host as it was.
func TestWhatCannotBeTranslatedAnyMoreHoldsNobodyBack(t *testing.T) {
	fails := &atomic.Bool{}
	r := withBroken(t, fails)
	r.envoy(1, "edge", evil)
	r.put("base.hcl", base+route("old", "/old")+brokenRoute("bad"))
	r.eventually("accepted", func() bool { return r.state("route", "bad") == gateway.StateAccepted })
	fails.Store(true)
	r.put("new.hcl", route("new", "/new"))
	r.eventually("the new route is served", func() bool { return r.state("route", "new") == gateway.StateAccepted })
	if r.told("route", "new")() || r.told("route", "old")() {
		t.Error("a neighbour is blamed")
	}
}
