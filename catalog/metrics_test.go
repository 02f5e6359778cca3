package catalog

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestMetricsShowTheAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeConsul("a", "b")
		c, _, stop := followFake(t, f)
		defer stop()
		f.change(func(f *fakeConsul) { f.refuse = true })
		time.Sleep(5 * time.Minute)
		reg := prometheus.NewPedanticRegistry()
		reg.MustRegister(Metrics(c))
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, f := range families {
			got[f.GetName()] = f.GetMetric()[0].GetGauge().GetValue()
		}
		if age := got["sluice_consul_watch_age_seconds"]; age < 299 || age > 301 {
			t.Errorf("the age is %v s: %v", age, got)
		}
		if got["sluice_consul_watches"] != 1 {
			t.Errorf("%v", got)
		}
	})
}
