package control

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// decided runs a Rollout of generation 3 and keeps what it sets.
func decided(t *testing.T) (r *Rollout, sets func() []int) {
	t.Helper()
	var mu sync.Mutex
	var got []int
	r = NewRollout(RolloutConfig{Newest: 3, Hold: time.Minute, Set: func(n int) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, n)
	}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = r.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return r, func() []int {
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(got)
	}
}

func expectSets(t *testing.T, sets func() []int, want ...int) {
	t.Helper()
	if got := sets(); !slices.Equal(got, want) {
		t.Fatalf("set %v, want %v", got, want)
	}
}

func TestTheLowestGenerationThatIsAliveIsInForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, sets := decided(t)
		time.Sleep(time.Hour)
		expectSets(t, sets) // nothing is decided before the first list
		r.Heard(map[string]Peer{"me": {Generation: 3}})
		expectSets(t, sets, 3)
		r.Heard(map[string]Peer{"me": {Generation: 3}, "old": {Generation: 1}})
		expectSets(t, sets, 3, 1)
		r.Heard(map[string]Peer{"me": {Generation: 3}, "old": {Generation: 1}, "newer": {Generation: 9}})
		time.Sleep(time.Hour)
		expectSets(t, sets, 3, 1)
	})
}

func TestAReplicaThatRestartsDoesNotFlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, sets := decided(t)
		r.Heard(map[string]Peer{"old": {Generation: 1}})
		time.Sleep(time.Hour)
		r.Heard(nil)
		time.Sleep(59 * time.Second)
		expectSets(t, sets, 1)
		r.Heard(map[string]Peer{"old-again": {Generation: 1}})
		time.Sleep(time.Hour)
		expectSets(t, sets, 1)
		r.Heard(nil)
		time.Sleep(time.Minute)
		expectSets(t, sets, 1, 3)
	})
}

func TestEachGenerationIsHeldByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, sets := decided(t)
		r.Heard(map[string]Peer{"one": {Generation: 1}, "two": {Generation: 2}})
		expectSets(t, sets, 1)
		r.Heard(map[string]Peer{"two": {Generation: 2}})
		time.Sleep(40 * time.Second)
		r.Heard(nil)
		time.Sleep(20 * time.Second)
		expectSets(t, sets, 1, 2)
		time.Sleep(40 * time.Second)
		expectSets(t, sets, 1, 2, 3)
	})
}

func TestAReplicaThatStartsFollowsThoseThatItFinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, sets := decided(t)
		r.Heard(map[string]Peer{"elder": {Generation: 3, InForce: 1}})
		expectSets(t, sets, 1) // an older replica has just left, which only the elder saw
		time.Sleep(30 * time.Second)
		r.Heard(map[string]Peer{"elder": {Generation: 3, InForce: 3}})
		expectSets(t, sets, 1, 3)
	})
	synctest.Test(t, func(t *testing.T) {
		r, sets := decided(t)
		r.Heard(map[string]Peer{"elder": {Generation: 3, InForce: 1}})
		time.Sleep(time.Minute)
		expectSets(t, sets, 1, 3) // two that follow each other do not wait for ever
	})
}

func TestAGenerationIsKeptOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := newRig(t, func(c *Config) { c.StateDir = dir })
		r.Generation(1)
		r.put("consul:a.hcl", base+route("one", "/one"))
		r.endpoints("shop")
		synctest.Wait()
		key := storeKey(translate.KeyOf(gateway.Unit{Type: gateway.UnitListener, Name: "edge.http"}))
		before := r.store.Get(key)
		if before == nil || r.World().Generation() != 1 {
			t.Fatalf("the listener is %v, of generation %d", before, r.World().Generation())
		}
		r.stop()
		r = newRig(t, func(c *Config) { c.StateDir = dir; c.Expect = []string{InputReplicas} })
		synctest.Wait()
		if after := r.store.Get(key); after == nil || after.Version != before.Version {
			t.Errorf("after the restart the listener is %v", after)
		}
		r.Generation(translate.Generation)
		synctest.Wait()
		if after := r.store.Get(key); after.Version == before.Version {
			t.Error("a higher generation changed no listener")
		}
		r.stop()
	})
}
