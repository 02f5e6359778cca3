package kubernetes

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

func TestDiscover(t *testing.T) {
	f := startFake(t)
	f.pods("shop", 3)
	f.pods("kubernetes", 1)
	ledger := sliceOf("ledger", "ledger-1", "IPv4", append(portOf("http", 80), portOf("admin", 81)...), pod("l-1", "10.0.0.1"))
	ledger["metadata"].(object)["namespace"] = "bank"
	f.put(ledger)
	look := func(names ...string) (out []string, err error) {
		var all []*Client
		for _, n := range names {
			all = append(all, clientOf(t, f, n))
		}
		found, err := Kind(Options{Clients: all}).Discover(t.Context())
		for _, x := range found {
			covered := x.Covered(&Spec{Service: "shop"})
			out = append(out, fmt.Sprint(x.Name, " ", x.Count, " ", x.Spec.SourceKey().Query, " ", covered, "; ", x.Note))
		}
		return out, err
	}
	got, err := look("")
	want := []string{
		"ledger 1 ledger namespace=bank port=admin false; namespace bank, ports admin http",
		"shop 3 shop true; namespace default",
	}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	got, err = look("east", "west")
	want = []string{
		"ledger 1 ledger namespace=bank port=admin connection=east false; namespace bank, ports admin http",
		"ledger 1 ledger namespace=bank port=admin connection=west false; namespace bank, ports admin http",
		"shop 3 shop connection=east true; namespace default",
		"shop 3 shop connection=west true; namespace default",
	}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	f.set(forbids)
	if got, err := look("east"); err == nil || !strings.Contains(err.Error(), "kubernetes east: list endpointslices: 403 Forbidden") || got != nil {
		t.Errorf("%v, %v", got, err)
	}
}

func TestDoctorOfAServerThatFails(t *testing.T) {
	f := startFake(t)
	said := func(specs ...gateway.SourceSpec) string {
		var out []string
		for _, x := range Kind(Options{Clients: []*Client{clientOf(t, f, "east")}}).Doctor(t.Context(), specs) {
			if (x.Err == nil) != x.OK || x.OK != (x.Need == "") || strings.Contains(fmt.Sprint(x), canary) {
				t.Errorf("%+v", x)
			}
			out = append(out, fmt.Sprint(x.Check, ": ", x.Err))
		}
		return strings.Join(out, "\n")
	}
	f.Fail()
	if got := said(&Spec{Service: "shop", Connection: "x"}); !strings.Contains(got, `kubernetes: connection of service shop: no kubernetes connection is named "x"`) ||
		!strings.Contains(got, "kubernetes east: reach 127.0.0.1:") || !strings.HasSuffix(got, "500 Internal Server Error: etcd has no leader") {
		t.Error(got)
	}
	f.Set(1)
	if got := said(); !strings.HasSuffix(got, "no API server of Kubernetes") {
		t.Error(got)
	}
	for text, old := range map[string]bool{"v1.20.4": true, "v1.21.0": false, "v1.37.2+k3s1": false, "v0.0.0-master": false, "x": false} {
		if (oldVersion(text) != nil) != old {
			t.Error(text)
		}
	}
}
