package main

import (
	"context"
	"time"

	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/sluice-gateway/sluice/bench/fleet"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// coldStart measures from the start of a further control plane on a Consul until a client has acknowledged every host.
func (s *stage) coldStart(agent *testenv.Consul, hosts, routes int) {
	s.part(func(s *stage) {
		var all series
		for range 3 {
			s.part(func(s *stage) {
				start := time.Now()
				plane := s.sluice(agent)
				ctx, cancel := context.WithCancel(s.ctx)
				defer cancel()
				client := fleet.Start(ctx, "127.0.0.1:"+plane.word, "edge", 1)
				_, err := client.Await(time.Minute, func(c fleet.Counts) bool { return c.Resources[resource.VirtualHostType] >= hosts })
				s.must(err)
				all = append(all, time.Since(start))
				s.Logf("cold start: %s, %.0f MB", time.Since(start).Round(time.Millisecond), s.memory(plane.pid))
			})
		}
		s.note(Entry{Name: "cold start, " + number(float64(routes)) + " routes in Consul, until all is acknowledged", Unit: "ms", Value: all.p50()}.atMost(3000))
	})
}
