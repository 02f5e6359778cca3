package server_test

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/xds/server"
	"github.com/sluice-gateway/sluice/xds/store"
)

// TestEveryMetricIsDocumented compares the registered names with those in the table of docs/xds.md.
func TestEveryMetricIsDocumented(t *testing.T) {
	reg := prometheus.NewRegistry()
	if _, err := server.New(store.New(), server.Options{Registerer: reg}); err != nil {
		t.Fatal(err)
	}
	descs := make(chan *prometheus.Desc)
	go func() {
		reg.Describe(descs)
		close(descs)
	}()
	var have []string
	for d := range descs {
		have = append(have, regexp.MustCompile("sluice_xds_[a-z_]+").FindString(d.String()))
	}
	page, err := os.ReadFile("../../docs/xds.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "## Metrics")
	documented := regexp.MustCompile("sluice_xds_[a-z_]+").FindAllString(table, -1)
	slices.Sort(have)
	slices.Sort(documented)
	same(t, "metrics", documented, slices.Compact(have))
}

// TestLateResourcesAreCountedAndSaidOnce: a cluster that warms slowly makes all hosts late that call it.
func TestLateResourcesAreCountedAndSaidOnce(t *testing.T) {
	var said bytes.Buffer
	reg := prometheus.NewRegistry()
	log := hclog.New(&hclog.LoggerOptions{Output: &said, DisableTime: true})
	bubble(t, server.Options{Logger: log, Registerer: reg}, func(t *testing.T, r *rig) {
		r.set(listener(t, "edge.web"))
		c := r.full("e")
		c.setAnswer(silent(cds))
		need := []store.Key{key(cds, "pets")}
		r.set(cluster(t, "pets", 0, ""), host(t, "edge.web/a", 0, need), host(t, "edge.web/b", 0, need), host(t, "edge.web/c", 0, need))
		time.Sleep(time.Minute)
		synctest.Wait()
		c.awaitHave(vhds, "edge.web/a", "edge.web/b", "edge.web/c")
	})
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "sluice_xds_overdue_total" {
			same(t, "overdue", f.GetMetric()[0].GetCounter().GetValue(), 3.0)
		}
	}
	want := `[WARN]  xds: sent before what it needs was acknowledged: node=e gateway=edge resources=3 resource=edge.web/a need="Cluster pets"` + "\n"
	same(t, "log", said.String(), want)
}
