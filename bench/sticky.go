package main

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

const (
	stickyRounds = 40
	stickyMany   = 300 // canaries of one gateway, for what one costs in memory
)

// sticky compares requests of a canary that keeps clients on a share with those of one that draws, and what many of
// them cost Envoy in memory.
func sticky(s *stage) {
	up := s.role("upstream")
	kinds := []string{"drawn", "cookie", "header"}
	port := testenv.FreePort(s)
	_, edge := s.onDisk(fmt.Sprintf(listening, port)+stickyUpstream(up.word)+
		canary(kinds[0], "")+canary(kinds[1], `cookie = "session"`)+canary(kinds[2], `header = "X-User"`), "")
	ways := make([]*loaded, len(kinds))
	for i, kind := range kinds {
		req := request(hostName(0), "/"+kind+"/x", "Cookie: lang=en; session=b3f1c1a2-8f7e-4f53-a1cb-0f6d5b4d3c2e", "X-User: ann@example.com")
		s.awaitStatus(s.prober(port), req, http.StatusOK)
		ways[i] = &loaded{caller: probing(port, req), envoy: int(edge.Process)}
	}
	s.compare(stickyRounds, ways...)
	drawn := ways[0]
	for i, kind := range kinds[1:] {
		name := "canary, sticky by " + kind + ": CPU of Envoy"
		w := ways[i+1]
		s.note(Entry{Name: name, Unit: "µs", Value: median(w.cpu)}.over(median(drawn.cpu)))
		s.note(Entry{Name: name + " against a drawn one", Unit: "×", Value: against(w.cpu, drawn.cpu)}.atMost(1.1))
	}
	plain, kept := s.canaries(up.word, ""), s.canaries(up.word, `cookie = "session"`)
	s.note(Entry{Name: "canary, sticky: added resident memory of Envoy with one worker, each", Unit: "KB", Value: (kept - plain) * 1024 / stickyMany})
}

// canaries is the resident memory of an Envoy that has many canaries, in MB.
func (s *stage) canaries(upstream, how string) (resident float64) {
	s.part(func(s *stage) {
		var b strings.Builder
		for i := range stickyMany {
			b.WriteString(canary(fmt.Sprintf("route-%d", i), how))
		}
		port := testenv.FreePort(s)
		_, edge := s.onDisk(fmt.Sprintf(listening, port)+stickyUpstream(upstream)+b.String(), "")
		p := s.prober(port)
		for i := range stickyMany {
			s.awaitStatus(p, request(hostName(0), fmt.Sprintf("/route-%d/x", i), "Cookie: session=ann"), http.StatusOK)
		}
		resident = s.memory(int(edge.Process))
	})
	return resident
}

func stickyUpstream(port string) string {
	return fmt.Sprintf("upstream \"up\" {\n  static { endpoints = [\"127.0.0.1:%s\"] }\n}\n", port)
}

// canary is a route with two destinations; how says by what clients are kept, empty that they are drawn.
func canary(name, how string) string {
	if how != "" {
		how = "  sticky { " + how + " }\n"
	}
	return fmt.Sprintf("route %q {\n  match { prefix = \"/%s\" }\n%s  to {\n    upstream = upstream.up\n    weight   = 10\n  }\n  to {\n    upstream = upstream.up\n    weight   = 90\n  }\n}\n", name, name, how)
}
