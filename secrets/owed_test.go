package secrets

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// rotated is a keeper whose credentials have just been replaced: first and second are the leases.
func rotated(t *testing.T, v *fakeVault, g *rig) (first, second string) {
	t.Helper()
	want(g, map[string]*gateway.Secret{"aws": temporary("assumed_role", time.Hour)})
	time.Sleep(time.Second)
	first = v.leaseIDs()[0]
	was := g.status("aws").Version
	for g.status("aws").Version == was {
		time.Sleep(time.Second)
		synctest.Wait()
	}
	all := v.leaseIDs()
	if len(all) != 2 || !slices.Contains(all, first) {
		t.Fatalf("leases after the rotation: %v", all)
	}
	return first, all[1-slices.Index(all, first)]
}

// lives waits, and demands that some leases are all that there are.
func lives(t *testing.T, v *fakeVault, after time.Duration, leases ...string) {
	t.Helper()
	time.Sleep(after)
	synctest.Wait()
	slices.Sort(leases)
	if got := v.leaseIDs(); !slices.Equal(got, leases) {
		t.Errorf("after %s the leases are %v, want %v", after, got, leases)
	}
}

func TestAnOldLeaseIsRevokedWhenEveryEnvoyHasTheNewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newFakeVault()
		g := start(t, v, nil)
		defer g.stop()
		was := map[gateway.ID]string{}
		g.Settled(map[gateway.ID]string{id("other"): "1"})
		first, second := rotated(t, v, g)
		g.Settled(was) // nothing
		g.Settled(map[gateway.ID]string{id("aws"): "a version of the past"})
		lives(t, v, 10*time.Minute, first, second)
		g.Settled(map[gateway.ID]string{id("aws"): g.status("aws").Version})
		lives(t, v, 29*time.Second, first, second)
		lives(t, v, 2*time.Second, second)
		lives(t, v, 10*time.Minute, second)
		if strings.Contains(g.log.String(), "has not acknowledged") {
			t.Error("the log says that an Envoy did not answer")
		}
	})
}

func TestAnEnvoyThatNeverAnswersHoldsAnOldLeaseForALimitedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newFakeVault()
		g := start(t, v, func(cfg *Config) { cfg.Limit = 15 * time.Minute })
		defer g.stop()
		first, second := rotated(t, v, g)
		lives(t, v, 15*time.Minute-10*time.Second, first, second)
		lives(t, v, 15*time.Second, second)
		if !strings.Contains(g.log.String(), "some Envoy has not acknowledged a new secret") {
			t.Error("nothing is logged")
		}
	})
}

// A changed block is another reader: the leases of the one before are kept alive until nobody uses them.
func TestTheLeasesOfAChangedBlockAreGivenBackLikewise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newFakeVault()
		g := start(t, v, nil)
		defer g.stop()
		want(g, map[string]*gateway.Secret{"aws": awsUser()})
		time.Sleep(time.Minute)
		first := v.leaseIDs()[0]
		want(g, map[string]*gateway.Secret{"aws": temporary("assumed_role", 0)})
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := len(v.leaseIDs()); n != 2 || !slices.Contains(v.leaseIDs(), first) {
			t.Fatalf("leases: %v", v.leaseIDs())
		}
		g.Settled(map[gateway.ID]string{id("aws"): g.status("aws").Version})
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if n := len(v.leaseIDs()); n != 1 || slices.Contains(v.leaseIDs(), first) {
			t.Errorf("leases: %v", v.leaseIDs())
		}
	})
}

func TestAVisitLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newFakeVault()
		g := start(t, v, func(cfg *Config) { cfg.Visit = true })
		want(g, map[string]*gateway.Secret{"user": awsUser(), "role": temporary("assumed_role", time.Hour)})
		time.Sleep(45 * time.Minute) // one has been replaced, and is owed
		synctest.Wait()
		if len(v.leaseIDs()) < 3 {
			t.Fatalf("leases: %v", v.leaseIDs())
		}
		g.stop()
		if left := v.leaseIDs(); len(left) > 0 || v.count("PUT auth/token/revoke-self") != 1 {
			t.Errorf("leases that stay: %v; %v", left, v.seen)
		}
	})
}

func TestAVisitTakesNoWrappingToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newFakeVault()
		g := start(t, v, func(cfg *Config) {
			cfg.Visit = true
			cfg.Vaults[""].Auth.AppRole.SecretIDFile, cfg.Vaults[""].Auth.AppRole.Wrapped = "/wrapped", true
		})
		defer g.stop()
		want(g, map[string]*gateway.Secret{"user": awsUser()})
		time.Sleep(time.Minute)
		synctest.Wait()
		if st := g.status("user"); !strings.Contains(st.LastError, "left to the server") || len(v.seen) > 0 {
			t.Errorf("%+v %v", st, v.seen)
		}
	})
}
