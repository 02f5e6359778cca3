package gateway

import (
	"fmt"
	"testing"
)

// benchWorld is 10,000 routes on so many hosts, and 5,000 upstreams of 15 endpoints, all accepted.
func benchWorld(b *testing.B, hosts int) *World {
	b.Helper()
	const routes, upstreams = 10_000, 5_000
	in := Input{Documents: map[string]*Document{"base": fakeDoc("base", 1, "gateway.edge listeners=http")}, Endpoints: map[SourceKey][]Endpoint{}, Settled: true}
	for n := range upstreams {
		name := fmt.Sprintf("u%d", n)
		in.Documents[name] = fakeDoc(name, 1, fmt.Sprintf("upstream.%s src=%s", name, name))
		in.Endpoints[SourceKey{"fake", name}] = benchEndpoints(n, Healthy)
	}
	for n := range routes {
		name := fmt.Sprintf("r%d", n)
		in.Documents[name] = fakeDoc(name, 1, benchRoute(n, hosts, upstreams, ""))
	}
	w, _ := Apply(New(&Rules{}), in)
	ledger := map[ID]*Form{}
	for _, block := range w.Blocks() {
		ledger[block.ID] = block.InForce
	}
	w, _ = Apply(w, Input{Ledger: ledger})
	return w
}

func benchRoute(n, hosts, upstreams int, path string) string {
	return fmt.Sprintf("route.r%d host=h%d;path=/p%d%s;up=u%d;weight=1", n, n%hosts, n, path, n%upstreams)
}

func benchEndpoints(service int, first Health) []Endpoint {
	out := make([]Endpoint, 15)
	for i := range out {
		out[i] = Endpoint{ID: fmt.Sprintf("n%02d/s%d", i, service), Address: fmt.Sprintf("10.%d.%d.%d", i, service/250, service%250), Port: 80}
	}
	out[0].Health = first
	return out
}

// BenchmarkApply is the cost of the next world after one change of a large one.
func BenchmarkApply(b *testing.B) {
	for _, hosts := range []int{100, 1} {
		b.Run(fmt.Sprintf("route of 10000 on %d hosts", hosts), func(b *testing.B) {
			w := benchWorld(b, hosts)
			n := 0
			for b.Loop() {
				n++
				w, _ = Apply(w, Input{Documents: map[string]*Document{
					"r5": fakeDoc("r5", 1, benchRoute(5, hosts, 5_000, fmt.Sprint("-", n))),
				}})
			}
		})
	}
	b.Run("endpoint of 5000 upstreams", func(b *testing.B) {
		w := benchWorld(b, 100)
		n := 0
		for b.Loop() {
			n++
			var change Change
			w, change = Apply(w, Input{Endpoints: map[SourceKey][]Endpoint{{"fake", "u5"}: benchEndpoints(5, Health(n%2)*Critical)}})
			for _, u := range change.Units {
				w.Inputs(u)
			}
		}
	})
}
