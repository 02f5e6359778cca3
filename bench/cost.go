package main

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

const (
	costRoutes   = 10_000
	costRequests = 20_000
	costRounds   = 5
)

// cost compares Envoy's processor time for a request on the last of 10,000 routes of a host with that on a lone route.
func cost(s *stage) {
	up := s.role("upstream")
	one, first := s.costOf(up, 1)
	many, last := s.costOf(up, costRoutes)
	var a, b []float64
	for range costRounds {
		a, b = append(a, one(first)), append(b, many(last))
	}
	ratios := make([]float64, costRounds)
	for i := range ratios {
		ratios[i] = b[i] / a[i]
	}
	s.note(Entry{Name: "request on a lone route: CPU of Envoy", Unit: "µs", Value: median(a)})
	s.note(Entry{Name: "request on the 10,000th route of a host: CPU of Envoy", Unit: "µs", Value: median(b)})
	s.note(Entry{Name: "request on the 10,000th route, against the lone one", Unit: "×", Value: median(ratios)}.atMost(1.3))
}

// costOf starts a gateway with so many routes on one host. It returns the path of its last route, and how to take the
// processor time of a request on a path, in microseconds.
func (s *stage) costOf(up *child, routes int) (take func(path string) float64, last string) {
	port := testenv.FreePort(s)
	plane := s.role("plane", "-folders", "1", "-each", strconv.Itoa(routes), "-port", strconv.Itoa(port), "-upstream", up.word)
	envoy := int(s.edge(plane.word).Process)
	p := s.prober(port)
	last = fmt.Sprintf("/shop/00/item-%02d", routes-1)
	s.awaitStatus(p, request(hostName(0), last), http.StatusOK)
	return func(path string) float64 {
		req := request(hostName(0), path)
		for range costRequests / 10 {
			s.expect(p, req)
		}
		before := s.cpuOf(envoy)
		for range costRequests {
			s.expect(p, req)
		}
		return float64((s.cpuOf(envoy) - before).Microseconds()) / costRequests
	}, last
}

func (s *stage) expect(p *prober, req []byte) {
	if status, err := p.get(req); err != nil || status != http.StatusOK {
		s.Fatalf("answered with %d, %v", status, err)
	}
}

func median(v []float64) float64 {
	sorted := slices.Sorted(slices.Values(v))
	return sorted[len(sorted)/2]
}
