package nomad

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// healthOf waits until the instance with an address has a health.
func (l *listener) healthOf(t testing.TB, address string, want gateway.Health) {
	t.Helper()
	testenv.Eventually(t, 5*time.Second, func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, e := range l.now {
			if e.Address == address && e.Health == want {
				return nil
			}
		}
		return fmt.Errorf("%s is not %s: %v; errors: %v", address, want, l.now, l.errs)
	})
}

func TestNewAllocationsWaitForTheirChecks(t *testing.T) {
	n := startNomad(t)
	n.SetChecks("a1", "shop", "success", "success")
	n.SetChecks("a2", "shop", "failure", "success")
	n.SetChecks("a3", "other", "failure") // of another service of the allocation
	n.Register(shop(n, 1), shop(n, 2), shop(n, 3))
	c := client(t, n, at(steady()))
	l, careless := listen(t, c, Spec{Service: "shop", Checks: true}), listen(t, c, Spec{Service: "shop"})
	l.healthOf(t, "10.0.0.1", gateway.Healthy)
	l.healthOf(t, "10.0.0.2", gateway.Critical)
	l.healthOf(t, "10.0.0.3", gateway.Healthy)
	careless.healthOf(t, "10.0.0.2", gateway.Healthy)

	n.SetChecks("a4", "shop", "pending")
	n.Register(shop(n, 4))
	l.healthOf(t, "10.0.0.4", gateway.Critical)
	careless.healthOf(t, "10.0.0.4", gateway.Healthy)
	n.SetChecks("a4", "shop", "success")
	n.SetChecks("a2", "shop", "success")
	l.healthOf(t, "10.0.0.4", gateway.Healthy)
	l.healthOf(t, "10.0.0.2", gateway.Healthy)

	n.Register(shop(n, 5)) // it has no checks, as is plain when they have been asked for twice
	l.healthOf(t, "10.0.0.5", gateway.Healthy)

	rest := n.Calls("/v1/client/allocation/")
	n.SetChecks("a1", "shop", "failure") // nobody asks: the allocation has not changed
	n.Register(n.Service("shop", "a6", "10.0.0.6", 1))
	l.healthOf(t, "10.0.0.6", gateway.Healthy)
	l.healthOf(t, "10.0.0.1", gateway.Healthy)
	if more := n.Calls("/v1/client/allocation/") - rest; more > 3 {
		t.Errorf("%d questions for one new allocation", more)
	}
	changed := shop(n, 1, "v2")
	n.Register(changed)
	l.healthOf(t, "10.0.0.1", gateway.Critical)
}

// TestChecksThatCannotBeRead: that is no failing check. What is there stays in, what is new waits, and is let in with
// reserve after a while.
func TestChecksThatCannotBeRead(t *testing.T) {
	n := startNomad(t)
	n.Register(shop(n, 1))
	n.Break(testenv.NomadFault{Path: "/v1/client/", Status: 500})
	l := listen(t, client(t, n, at(steady())), Spec{Service: "shop", Checks: true})
	l.healthOf(t, "10.0.0.1", gateway.Healthy)
	n.Register(shop(n, 2))
	l.healthOf(t, "10.0.0.2", gateway.Critical)
	l.healthOf(t, "10.0.0.2", gateway.Warning)
	l.healthOf(t, "10.0.0.1", gateway.Healthy)
	n.SetChecks("a2", "shop", "success")
	n.SetChecks("a1", "shop", "failure")
	n.Break()
	l.healthOf(t, "10.0.0.2", gateway.Healthy)
	l.healthOf(t, "10.0.0.1", gateway.Critical)
}

// TestChecksThatHang hold up the first answer for a while, and not for ever.
func TestChecksThatHang(t *testing.T) {
	n := startNomad(t)
	n.Register(shop(n, 1))
	n.Break(testenv.NomadFault{Path: "/v1/client/", Hang: true})
	p := steady()
	p.call, p.judge = 10*time.Second, 300*time.Millisecond
	l := listen(t, client(t, n, at(p)), Spec{Service: "shop", Checks: true})
	l.healthOf(t, "10.0.0.1", gateway.Healthy)
	n.Register(shop(n, 2))
	l.healthOf(t, "10.0.0.2", gateway.Critical)
}

func TestProbeAnswers(t *testing.T) {
	now := time.Now()
	p := &probe{since: now, health: gateway.Critical}
	if p.failed(now, hasty) || p.health != gateway.Critical || p.next.IsZero() {
		t.Errorf("an error at once: %+v", p)
	}
	if !p.failed(now.Add(time.Minute), hasty) || p.health != gateway.Warning {
		t.Errorf("errors for a minute: %+v", p)
	}
	if p.failed(now.Add(time.Hour), hasty) {
		t.Error("it is let in once")
	}
	p = &probe{since: now, health: gateway.Critical}
	if p.answered(now, hasty, "shop", nil) || p.health != gateway.Critical || p.next.IsZero() {
		t.Errorf("no checks at once: %+v", p)
	}
	if !p.answered(now, hasty, "shop", nil) || p.health != gateway.Healthy || !p.next.IsZero() {
		t.Errorf("no checks twice: %+v", p)
	}
	e := newEntry("shop")
	if e.judge(now) {
		t.Error("nobody wants checks, and there is something to judge")
	}
}
