package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

// TestDrain stops one of two Envoys while clients with kept connections use it, behind a balancer that checks health.
func TestDrain(t *testing.T) {
	t.Parallel()
	s := newStack(t, setup{edges: 2})
	first, second := s.edges[0], s.edges[1]
	front := newPin(t, s.port, func() int {
		if _, err := first.ask("/ready"); err != nil {
			return second.envoy()
		}
		return first.envoy()
	})
	load := testenv.Load(t.Context(), t, "http://"+front.addr+"/", testenv.LoadOptions{
		Host: "steady.example.com", Connections: 8, Rate: 200, Timeout: 20 * time.Second,
	})
	load.WaitRequests(t, 200)
	if err := first.Terminate(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := first.exit(ctx); err != nil {
		t.Errorf("sluice envoy run ended with %v", err)
	}
	load.WaitRequests(t, 200)
	r := load.Stop()
	if r.Failed() > 0 {
		t.Error(r)
	}
	if r.Dialed < 16 {
		t.Errorf("%d connections were opened: the clients were not sent away", r.Dialed)
	}
	if err := contains(first.out.String(), "draining"); err != nil {
		t.Error(err)
	}
}
