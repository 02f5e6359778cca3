package catalog_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// peers is what a watch of replicas last said.
type peers struct {
	mu    sync.Mutex
	known map[string]catalog.Replica
	calls int
}

func watchPeers(t *testing.T, c *catalog.Client) *peers {
	t.Helper()
	p := &peers{}
	run(t, func(ctx context.Context) error {
		return c.Replicas(ctx, func(known map[string]catalog.Replica) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.known = known
			p.calls++
		}, nil)
	})
	return p
}

// expect waits for exactly these generations, by the beginning of the names.
func (p *peers) expect(t *testing.T, want map[string]catalog.Replica) {
	t.Helper()
	testenv.Eventually(t, 40*time.Second, func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		got := map[string]catalog.Replica{}
		for k, r := range p.known {
			got[k[:strings.LastIndexByte(k, '-')]] = r
		}
		if p.calls == 0 || !maps.Equal(got, want) {
			return fmt.Errorf("after %d calls the replicas are %v, want %v", p.calls, got, want)
		}
		return nil
	})
}

func TestReplicasAreKnownWhileTheyLive(t *testing.T) {
	t.Parallel()
	consul := testenv.StartConsul(t, testenv.ConsulOptions{})
	consul.Put("sluice/routes/a.hcl", "")
	c := client(t, catalog.Config{Addresses: []string{consul.Addr}})
	seen := watchPeers(t, c)
	seen.expect(t, map[string]catalog.Replica{}) // nobody is an answer

	old, newer := catalog.Replica{Generation: 1, Version: "1.0"}, catalog.Replica{Generation: 2, Version: "2.0"}
	a, b := c.NewAnnouncer("one", old), c.NewAnnouncer("two", newer)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = a.Run(ctx) }()
	run(t, b.Run)
	seen.expect(t, map[string]catalog.Replica{"one": old, "two": newer})

	newer.InForce = 1
	b.Set(newer)
	seen.expect(t, map[string]catalog.Replica{"one": old, "two": newer})

	consul.Put("sluice/replicas/garbage-1", "{")
	consul.Put("sluice/replicas/nobody-1", `{"generation":1}`) // no session holds it
	stop()
	<-done
	seen.expect(t, map[string]catalog.Replica{"two": newer})
}

func TestAReplicaThatLosesItsSessionAnnouncesItselfAgain(t *testing.T) {
	t.Parallel()
	consul := testenv.StartConsul(t, testenv.ConsulOptions{})
	consul.Put("sluice/routes/a.hcl", "")
	c := client(t, catalog.Config{Addresses: []string{consul.Addr}})
	r := catalog.Replica{Generation: 1}
	run(t, c.NewAnnouncer("one", r).Run)
	seen := watchPeers(t, c)
	seen.expect(t, map[string]catalog.Replica{"one": r})
	first := keysBelow(t, consul, "sluice/replicas/")
	list, _, err := consul.Client().Session().List(nil)
	if err != nil || len(list) != 1 || list[0].Behavior != api.SessionBehaviorDelete {
		t.Fatalf("the sessions are %v, %v", list, err)
	}
	if _, err := consul.Client().Session().Destroy(list[0].ID, nil); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 30*time.Second, func() error {
		if now := keysBelow(t, consul, "sluice/replicas/"); len(now) != 1 || now[0] == first[0] {
			return fmt.Errorf("the keys are %q, they were %q", now, first)
		}
		return nil
	})
	seen.expect(t, map[string]catalog.Replica{"one": r})
}
