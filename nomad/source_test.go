package nomad

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/sourcetest"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// remote is a simulated Nomad as the suite drives it.
type remote struct {
	*testenv.Nomad
	streams bool
}

func (r remote) Set(n int) {
	for i := range 5 {
		if i < n {
			r.Register(shop(r.Nomad, i+1))
		} else {
			r.Deregister("default", shop(r.Nomad, i+1).ID)
		}
	}
	if r.streams {
		r.Break()
	} else {
		r.Break(testenv.NomadFault{Path: "/v1/event", Status: 403})
	}
}

func (r remote) Fail() { r.Break(testenv.NomadFault{Status: 500}) }

func (r remote) Hang() { r.Break(testenv.NomadFault{Hang: true}) }

func (r remote) Half() { r.Break(testenv.NomadFault{Half: true}) }

func (r remote) Empty() {
	faults := []testenv.NomadFault{{Path: "/v1/service", Empty: true}}
	if !r.streams {
		faults = append(faults, refuseStreams)
	}
	r.Break(faults...)
}

var _ sourcetest.Breaker = remote{}

const canary = "9a7a4c1e-canary-token"

func suite(t *testing.T, streams bool, spec Spec) {
	sourcetest.Run(t, sourcetest.Suite{
		Start: func(t *testing.T) (discovery.Source, sourcetest.Remote) {
			r := remote{startNomad(t), streams}
			r.Set(2)
			return client(t, r.Nomad, token(canary)).Service(spec), r
		},
		Patience: 10 * time.Second,
		Secrets:  []string{canary},
		Guard:    Kind(Options{}).Guard,
	})
}

func TestSourceByEvents(t *testing.T) { suite(t, true, Spec{Service: "shop"}) }

func TestSourceByLists(t *testing.T) { suite(t, false, Spec{Service: "shop"}) }

func TestSourceWithChecks(t *testing.T) { suite(t, true, Spec{Service: "shop", Checks: true}) }

func TestEndpoint(t *testing.T) {
	n := startNomad(t)
	r := shop(n, 1, "b", "a", "b")
	r.JobID, r.NodeID, r.Datacenter = "web", "node-7", "dc2"
	n.Register(r)
	l := listen(t, client(t, n), Spec{Service: "shop"})
	l.expect(t, "10.0.0.1")
	want := gateway.Endpoint{
		ID: r.ID, Address: "10.0.0.1", Port: 8080, Tags: []string{"a", "b"}, Locality: gateway.Locality{Region: "global", Zone: "dc2"},
		Meta: map[string]string{"job": "web", "alloc": "a1", "node": "node-7", "datacenter": "dc2", "namespace": "default"},
	}
	if d := cmp.Diff(want, l.now[r.ID]); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestTagsAndCanaries(t *testing.T) {
	n := startNomad(t)
	n.Register(shop(n, 1, "live", "v1"), shop(n, 2, "canary", "v2"), shop(n, 3, "internal"))
	c := client(t, n)
	all := listen(t, c, Spec{Service: "shop"})
	live := listen(t, c, Spec{Service: "shop", Tags: []string{"live"}})
	both := listen(t, c, Spec{Service: "shop", Tags: []string{"v1", "live"}, CanaryTags: []string{"canary"}})
	all.expect(t, "10.0.0.1", "10.0.0.2", "10.0.0.3")
	live.expect(t, "10.0.0.1")
	both.expect(t, "10.0.0.1", "10.0.0.2")
	canaries := func() map[string]string {
		both.mu.Lock()
		defer both.mu.Unlock()
		out := map[string]string{}
		for _, e := range both.now {
			out[e.Address] = e.Meta["canary"]
		}
		return out
	}
	if d := cmp.Diff(map[string]string{"10.0.0.1": "false", "10.0.0.2": "true"}, canaries()); d != "" {
		t.Error(d)
	}
	n.Register(shop(n, 2, "live", "v1")) // promoted
	testenv.Eventually(t, 5*time.Second, func() error {
		if d := cmp.Diff(map[string]string{"10.0.0.1": "false", "10.0.0.2": "false"}, canaries()); d != "" {
			return fmt.Errorf("%s", d)
		}
		return nil
	})
	live.expect(t, "10.0.0.1", "10.0.0.2")
}

func TestAddressesThatAreNone(t *testing.T) {
	n := startNomad(t)
	bad := shop(n, 9)
	bad.Address = "shop.example.com"
	n.Register(bad)
	c := client(t, n)
	l := listen(t, c, Spec{Service: "shop"})
	testenv.Eventually(t, 5*time.Second, func() error {
		if l.errors() == 0 {
			return fmt.Errorf("no error")
		}
		return nil
	})
	if err := l.firstError(); err.Error() != `no instance can be an endpoint: _nomad-task-a9-shop has the address "shop.example.com", which is no IP address; set address or address_mode in the job's service block, or use a dns source` {
		t.Error(err)
	}
	six := shop(n, 2)
	six.Address = "::ffff:10.0.0.2"
	n.Register(shop(n, 1), six)
	l.expect(t, "10.0.0.1", "10.0.0.2")
}
