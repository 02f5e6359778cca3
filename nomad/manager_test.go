package nomad

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// managed runs a source under the Manager, whose guard doubts answers, and returns how many endpoints are in force.
func managed(t *testing.T, c *Client, spec *Spec) (inForce func() int) {
	t.Helper()
	var mu sync.Mutex
	count := -1
	m := discovery.New(discovery.Options{
		Kinds: []discovery.Kind{Kind(Options{Clients: []*Client{c}})},
		Publish: func(changed map[gateway.SourceKey][]gateway.Endpoint) {
			mu.Lock()
			defer mu.Unlock()
			count = len(changed[spec.SourceKey()])
		},
	})
	m.Want(map[gateway.SourceKey]gateway.SourceSpec{spec.SourceKey(): spec})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return func() int { mu.Lock(); defer mu.Unlock(); return count }
}

func eventually(t *testing.T, inForce func() int, want int) {
	t.Helper()
	testenv.Eventually(t, 10*time.Second, func() error {
		if n := inForce(); n != want {
			return fmt.Errorf("%d endpoints are in force, not %d", n, want)
		}
		return nil
	})
}

// TestLossesAreConfirmed: most instances of a service end. That is doubted, read again, and believed within seconds; the
// end of all is not believed so soon.
func TestLossesAreConfirmed(t *testing.T) {
	n := startNomad(t, func(o *testenv.NomadOptions) { o.Heartbeat = time.Hour }) // no sign of life stands in for the answer
	for i := range 6 {
		n.Register(shop(n, i+1))
	}
	p := steady()
	p.confirm = pace{}.orDefault().confirm
	inForce := managed(t, client(t, n, at(p)), &Spec{Service: "shop"})
	eventually(t, inForce, 6)
	n.Deregister("default", shop(n, 1).ID, shop(n, 2).ID, shop(n, 3).ID, shop(n, 4).ID)
	began := time.Now()
	eventually(t, inForce, 2)
	if waited := time.Since(began); waited < time.Second {
		t.Errorf("believed after %s, without a second answer", waited)
	}
	reads := n.Calls("/v1/service/shop")
	n.Deregister("default", shop(n, 5).ID, shop(n, 6).ID)
	testenv.Eventually(t, 10*time.Second, func() error {
		if n.Calls("/v1/service/shop") == reads {
			return fmt.Errorf("an empty service is not read again")
		}
		return nil
	})
	if have := inForce(); have != 2 {
		t.Errorf("%d endpoints are in force", have)
	}
}

// TestEmptyAnswersAreHeld: everything answers 200 and nothing, with an index, as if all services were gone.
func TestEmptyAnswersAreHeld(t *testing.T) {
	bothModes(t, func(t *testing.T, n *testenv.Nomad, mode ...testenv.NomadFault) {
		n.Register(shop(n, 1), shop(n, 2))
		c := client(t, n)
		inForce, l := managed(t, c, &Spec{Service: "shop"}), listen(t, c, Spec{Service: "shop"})
		eventually(t, inForce, 2)
		n.Break(append(mode, testenv.NomadFault{Path: "/v1/service", Empty: true})...)
		n.Swallow(1)
		n.Register(n.Service("other", "x", "10.9.9.9", 1))
		l.expect(t) // the source says what it is told
		l.stays(t)
		if have := inForce(); have != 2 {
			t.Errorf("%d endpoints are in force", have)
		}
		n.Break(mode...)
		n.Register(shop(n, 3))
		eventually(t, inForce, 3)
	})
}
