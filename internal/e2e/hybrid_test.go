package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

// One upstream whose instances run on four platforms, with a real Consul and a real Envoy.
func TestOneUpstreamAcrossPlatforms(t *testing.T) {
	h := newHybrid(t)
	t.Run("sources merge into localities", h.merges)
	t.Run("virtual machines fail over to EC2 and back", h.failsOver)
	t.Run("subsets cross platforms", h.subsets)
	t.Run("a service moves from vSphere to Nomad", h.moves)
}

// load runs on the calculator's host until the end of the test, at the latest.
func (h *hybrid) load(t *testing.T, path string, rate float64) *testenv.Loader {
	t.Helper()
	return testenv.Load(t.Context(), t, "http://"+h.edge.addr+path, testenv.LoadOptions{
		Host: "calculator.example.com", Rate: rate, Timeout: 20 * time.Second,
	})
}

// fine ends a load: none of its requests may have failed.
func fine(t *testing.T, l *testenv.Loader) {
	t.Helper()
	l.WaitRequests(t, 50)
	r := l.Stop()
	if r.Failed() > 0 {
		t.Errorf("clients noticed: %s", r)
	}
	t.Log(r)
}

// served waits until requests are served by an instance.
func (h *hybrid) served(t *testing.T) {
	t.Helper()
	testenv.Eventually(t, time.Minute, func() error {
		status, from, err := request(h.edge.addr, "calculator.example.com", "/")
		if err == nil && status != 200 {
			err = fmt.Errorf("answered %d: %s", status, from)
		}
		return err
	})
}

// Without weights every endpoint has the same share, wherever it runs, and Envoy knows where that is.
func (h *hybrid) merges(t *testing.T) {
	all := []*instance{h.vm(t, 1), h.alloc(t, "a"), h.cloud(t, "cloud-1"), h.bare(t, "bare-1", nil)}
	h.calculator(h.onVSphere(""), h.onEC2(""), h.onNomad(""), h.onConsul(""))
	h.served(t)
	l := h.load(t, "/", 200)
	takes(t, all...)
	fine(t, l)
	zones := h.localities(t)
	for address, want := range map[string]string{
		all[0].address: "DC0/DC0_C0", all[1].address: "global/dc1", all[2].address: "us-east-1/us-east-1a", all[3].address: "/",
	} {
		if got, _, _ := strings.Cut(zones[address], " "); got != want {
			t.Errorf("%s is in %q, want %q: %v", address, got, want, zones)
		}
	}
}

// localities are region/zone and priority of the calculator's endpoints in Envoy, by address.
func (h *hybrid) localities(t *testing.T) map[string]string {
	t.Helper()
	b, err := h.edge.ask("/clusters?format=json")
	must(t, err)
	var list struct {
		Clusters []struct {
			Name  string `json:"name"`
			Hosts []struct {
				Address struct {
					Socket struct {
						Address string `json:"address"`
						Port    int    `json:"port_value"`
					} `json:"socket_address"`
				} `json:"address"`
				Locality struct{ Region, Zone string } `json:"locality"`
				Priority int                           `json:"priority"`
			} `json:"host_statuses"`
		} `json:"cluster_statuses"`
	}
	must(t, json.Unmarshal(b, &list))
	out := map[string]string{}
	for _, c := range list.Clusters {
		for _, e := range c.Hosts {
			at := fmt.Sprintf("%s:%d", e.Address.Socket.Address, e.Address.Socket.Port)
			out[at] = fmt.Sprintf("%s/%s %d", e.Locality.Region, e.Locality.Zone, e.Priority)
		}
	}
	return out
}

// EC2 stands by while the machines at home work. It takes over when their checks fail, and when vCenter says that they
// are off, and gives back.
func (h *hybrid) failsOver(t *testing.T) {
	one, two, cloud := h.vm(t, 2), h.vm(t, 3), h.cloud(t, "cloud-2", "tier", "standby")
	const checked = `
  health_check {
    path      = "/health"
    interval  = "200ms"
    timeout   = "150ms"
    unhealthy = 2
  }
`
	h.calculator(h.onVSphere(`name = "calculator-2"`), h.onVSphere(`name = "calculator-3"`),
		h.onEC2("priority = 1\n    filters = { \"tag:tier\" = [\"standby\"] }"), checked)
	h.served(t)
	l := h.load(t, "/", 200)
	takes(t, one, two)
	rests(t, cloud)
	// Half of the machines are not enough for all: Envoy sends a part of the traffic away before the rest is too much.
	one.sick.Store(true)
	rests(t, one)
	takes(t, two, cloud)
	two.sick.Store(true)
	rests(t, one, two)
	takes(t, cloud)
	one.sick.Store(false)
	two.sick.Store(false)
	takes(t, one, two)
	rests(t, cloud)
	// What the source says counts as well, and needs no check to fail.
	h.vc.PowerOff(t, one.id)
	h.vc.PowerOff(t, two.id)
	takes(t, cloud)
	rests(t, one, two)
	h.vc.PowerOn(t, one.id)
	h.vc.PowerOn(t, two.id)
	takes(t, one, two)
	rests(t, cloud)
	fine(t, l)
}

// A destination selects what has a tag, or metadata, on whatever platform it runs.
func (h *hybrid) subsets(t *testing.T) {
	alloc, plain := h.alloc(t, "b", "v2"), h.alloc(t, "c", "v1")
	cloud, bare := h.cloud(t, "cloud-3", "v2", "", "version", "2"), h.bare(t, "bare-2", map[string]string{"version": "2"}, "v2")
	vm := h.vm(t, 4, "version", "2")
	h.calculator(h.onVSphere(""), h.onEC2(""), h.onNomad(""), h.onConsul(""))
	h.put("subsets.hcl", `
route "tag" {
  hosts = ["calculator.example.com"]
  match { prefix = "/tag" }
`+retries+`
  to {
    upstream = upstream.calculator
    subset   = { tag = "v2" }
  }
}

route "meta" {
  hosts = ["calculator.example.com"]
  match { prefix = "/meta" }
`+retries+`
  to {
    upstream = upstream.calculator
    subset   = { meta = { version = "2" } }
  }
}
`)
	for path, c := range map[string]struct{ in, out []*instance }{
		"/tag":  {[]*instance{alloc, cloud, bare}, []*instance{plain, vm}},
		"/meta": {[]*instance{vm, cloud, bare}, []*instance{plain, alloc}},
	} {
		testenv.Eventually(t, time.Minute, func() error {
			status, from, err := request(h.edge.addr, "calculator.example.com", path)
			if err == nil && (status != 200 || from == plain.name) {
				err = fmt.Errorf("%s is answered with %d from %s", path, status, from)
			}
			return err
		})
		l := h.load(t, path, 200)
		takes(t, c.in...)
		rests(t, c.out...)
		fine(t, l)
	}
	h.remove("subsets.hcl")
}

// The share of a source is a value in Consul, whatever the number of its instances, and no request fails at any step.
func (h *hybrid) moves(t *testing.T) {
	old, fresh := h.vm(t, 5), h.alloc(t, "moved", "moved")
	h.put("locals.hcl", `
locals {
  share = kv("move/calculator", 20)
}
`)
	h.calculator(h.onVSphere("name = \"calculator-5\"\n    weight = 100 - local.share"), h.onNomad("tags = [\"moved\"]\n    weight = local.share"))
	h.served(t)
	l := h.load(t, "/", 400)
	for _, share := range []int{20, 50, 80, 100} {
		h.consul.Put("sluice/values/move/calculator", fmt.Sprint(share))
		testenv.Eventually(t, 30*time.Second, func() error {
			o, n := old.hits.Load(), fresh.hits.Load()
			l.WaitRequests(t, 200)
			o, n = old.hits.Load()-o, fresh.hits.Load()-n
			if got := 100 * n / (o + n); got < int64(share)-8 || got > int64(share)+8 {
				return fmt.Errorf("%d percent have moved, want %d", got, share)
			}
			return nil
		})
	}
	rests(t, old)
	h.vc.PowerOff(t, old.id)
	old.die() // nobody misses it
	fine(t, l)
}
