package secrets

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

func temporary(kind string, ttl time.Duration) *gateway.Secret {
	return &gateway.Secret{VaultAWS: &gateway.VaultAWS{Mount: "aws", Role: "sluice-app", Type: kind, TTL: ttl}}
}

func (v *fakeVault) leaseIDs() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var out []string
	for l := range v.leases {
		out = append(out, l)
	}
	slices.Sort(out)
	return out
}

func TestAnIAMUserIsProvenTwiceAndRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newFakeVault()
		g := start(t, v, nil)
		defer g.stop()
		asked := 0
		g.prove(func(fields) error {
			if asked++; asked < 4 {
				return refusedf("sts does not accept the credentials (InvalidClientTokenId)")
			}
			return nil
		})
		want(g, map[string]*gateway.Secret{"aws": awsUser()})
		if _, ok := g.Reveal(id("aws")); ok {
			t.Fatal("they are handed out unproven")
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if !strings.HasPrefix(g.value("aws", "access_key"), "AKIA") || asked < 5 || g.tells() != 1 {
			t.Fatalf("after %d proofs: %+v", asked, g.status("aws"))
		}
		time.Sleep(10 * time.Hour)
		synctest.Wait()
		st := g.status("aws")
		if g.tells() != 1 || st.Renewals < 20 || st.State != OK || time.Until(st.Expires) < 30*time.Minute {
			t.Errorf("the lease was not renewed: %+v", st)
		}
		if n := v.count("GET aws/creds/"); n != 1 {
			t.Errorf("%d users were made", n)
		}
	})
}

func TestCredentialsAreReplacedEarlyAndTheOldLeaseIsRevokedAfterAGrace(t *testing.T) {
	for name, c := range map[string]struct {
		secret *gateway.Secret
		change func(*fakeVault)
	}{
		"sts":       {temporary("assumed_role", time.Hour), func(*fakeVault) {}},
		"max lease": {awsUser(), func(v *fakeVault) { v.leaseTo = 80 * time.Minute }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newFakeVault()
				c.change(v)
				g := start(t, v, nil)
				defer g.stop()
				want(g, map[string]*gateway.Secret{"aws": c.secret})
				time.Sleep(10 * time.Second)
				var keys []string
				for range 8 * 60 * 6 {
					time.Sleep(10 * time.Second)
					synctest.Wait()
					if k := g.value("aws", "access_key"); !slices.Contains(keys, k) {
						keys = append(keys, k)
					}
					if st := g.status("aws"); time.Until(st.Expires) < 10*time.Minute {
						t.Fatalf("there are only minutes left: %+v", st)
					}
					if n := len(v.leaseIDs()); n > 2 {
						t.Fatalf("%d leases live", n)
					}
				}
				if len(keys) < 6 || slices.Contains(keys, "") {
					t.Errorf("keys in eight hours: %v", keys)
				}
				v.do(func() {
					if len(v.revoked) < len(keys)-2 {
						t.Errorf("%d leases, %d revoked", len(keys), len(v.revoked))
					}
				})
			})
		})
	}
}

func TestCredentialsThatAreNeverAcceptedAreGivenBackAndTheOldStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newFakeVault()
		v.lease = 3 * 3600
		g := start(t, v, nil)
		defer g.stop()
		want(g, map[string]*gateway.Secret{"aws": temporary("federation_token", 0)})
		first := g.value("aws", "access_key")
		if first == "" {
			t.Fatalf("status: %+v", g.status("aws"))
		}
		g.prove(func(f fields) error {
			if string(f["access_key"]) == first {
				return nil
			}
			return refusedf("sts does not accept the credentials (SignatureDoesNotMatch)")
		})
		time.Sleep(150 * time.Minute)
		synctest.Wait()
		st := g.status("aws")
		if g.value("aws", "access_key") != first || st.State != Failing || !strings.Contains(st.LastError, "SignatureDoesNotMatch") {
			t.Errorf("status: %+v", st)
		}
		if n := v.count("GET aws/"); n > 8 {
			t.Errorf("%d were made in three quarters of an hour", n)
		}
		time.Sleep(time.Hour) // now the first have ended
		synctest.Wait()
		if _, ok := g.Reveal(id("aws")); ok || g.last[id("aws")] != "" || g.status("aws").State != Expired {
			t.Errorf("they are in force beyond their end: %+v", g.status("aws"))
		}
		g.prove(func(fields) error { return nil })
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if g.value("aws", "access_key") == "" || g.last[id("aws")] == "" || g.status("aws").State != OK {
			t.Errorf("they did not come back: %+v", g.status("aws"))
		}
	})
}

func TestOnlyTheSecretWhoseLeaseEndsExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newFakeVault()
		v.put("app", map[string]any{"key": canary})
		g := start(t, v, nil)
		defer g.stop()
		want(g, map[string]*gateway.Secret{"aws": awsUser(), "app": kv("app")})
		time.Sleep(10 * time.Second)
		v.do(func() { v.fail = func(string, string) *http.Response { return fault4(503, "Vault is sealed") } })
		time.Sleep(39 * time.Minute) // a lease is renewed at a third at the latest
		synctest.Wait()
		if g.value("aws", "access_key") == "" {
			t.Fatal("the credentials went too early")
		}
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if g.last[id("aws")] != "" || g.value("aws", "access_key") != "" || g.value("app", "key") != canary {
			t.Errorf("status: %+v", g.Status())
		}
		v.do(func() { v.fail, v.tokens = nil, map[string]time.Time{} })
		time.Sleep(time.Minute)
		synctest.Wait()
		if g.value("aws", "access_key") == "" || g.status("aws").State != OK {
			t.Errorf("status: %+v", g.status("aws"))
		}
	})
}

func TestStsOutOfReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newFakeVault()
		g := start(t, v, nil)
		defer g.stop()
		g.prove(func(fields) error { return errors.New("dial") })
		want(g, map[string]*gateway.Secret{"aws": temporary("assumed_role", 0)})
		if g.value("aws", "access_key") != "" {
			t.Error("they are used at once")
		}
		time.Sleep(50 * time.Second)
		synctest.Wait()
		if g.value("aws", "access_key") == "" || !strings.Contains(g.status("aws").Note, "not proven") {
			t.Errorf("without others, they are better than none: %+v", g.status("aws"))
		}
		key := g.value("aws", "access_key")
		time.Sleep(50 * time.Minute)
		synctest.Wait()
		if g.value("aws", "access_key") != key {
			t.Error("good ones were replaced by unproven ones")
		}
		time.Sleep(9*time.Minute + 30*time.Second)
		synctest.Wait()
		if k := g.value("aws", "access_key"); k == key || k == "" {
			t.Errorf("at the end they are: %q %+v", k, g.status("aws"))
		}
	})
}

func TestCredentialsThatSomebodyTookBackAreReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newFakeVault()
		v.lease = 30 * 24 * 3600
		g := start(t, v, nil)
		defer g.stop()
		want(g, map[string]*gateway.Secret{"aws": awsUser()})
		time.Sleep(time.Minute)
		first := g.value("aws", "access_key")
		g.prove(func(f fields) error {
			if string(f["access_key"]) == first {
				return refusedf("no")
			}
			return nil
		})
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if k := g.value("aws", "access_key"); k == first || k == "" {
			t.Errorf("in use is %q: %+v", k, g.status("aws"))
		}
	})
}

func TestTheTokenIsRenewedThenReplacedAndLeasesWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newFakeVault()
		v.max = 2 * time.Hour // of a token
		v.lease = 30 * 24 * 3600
		v.put("app", map[string]any{"key": canary})
		g := start(t, v, nil)
		defer g.stop()
		want(g, map[string]*gateway.Secret{"aws": awsUser(), "app": kv("app")})
		time.Sleep(time.Minute)
		first, logins := g.value("aws", "access_key"), v.count("PUT auth/approle/login")
		if logins != 1 {
			t.Errorf("%d logins for two secrets", logins)
		}
		time.Sleep(119 * time.Minute)
		synctest.Wait()
		if n := v.count("PUT auth/approle/login"); n != 2 {
			t.Errorf("%d logins", n)
		}
		if k := g.value("aws", "access_key"); k == first || k == "" {
			t.Errorf("the lease of the old token is in use: %q", k)
		}
		if n := v.count("PUT auth/token/renew-self"); n < 3 {
			t.Errorf("%d renewals", n)
		}
	})
}

func TestARevokedTokenIsNoticedAndReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newFakeVault()
		v.put("app", map[string]any{"key": canary})
		g := start(t, v, nil)
		defer g.stop()
		want(g, map[string]*gateway.Secret{"aws": awsUser(), "app": kv("app")})
		time.Sleep(time.Minute)
		first := g.value("aws", "access_key")
		v.do(func() { clear(v.tokens); clear(v.leases) })
		time.Sleep(90 * time.Second)
		synctest.Wait()
		if k := g.value("aws", "access_key"); k == first || k == "" {
			t.Errorf("in use is %q: %+v", k, g.status("aws"))
		}
		if g.value("app", "key") != canary || !strings.Contains(g.log.String(), "no longer takes the token") {
			t.Errorf("log: %s", g.log.String())
		}
	})
}

func TestALoginIsTriedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newFakeVault()
		v.refuse = "invalid role or secret ID"
		v.put("app", map[string]any{"key": canary})
		g := start(t, v, nil)
		defer g.stop()
		want(g, map[string]*gateway.Secret{"app": kv("app")})
		time.Sleep(5 * time.Second)
		if n := v.count("PUT auth/approle/login"); n < 4 {
			t.Errorf("%d attempts in five seconds", n)
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if n := v.count("PUT auth/approle/login"); n < 24*60/5 || n > 24*60/2 {
			t.Errorf("%d attempts in a day", n)
		}
		if st := g.status("app"); !strings.Contains(st.LastError, "not logged in: write auth/approle/login: vault answered 400 (invalid role or secret ID)") {
			t.Errorf("status: %+v", st)
		}
		if n := strings.Count(g.log.String(), "login to vault failed"); n != 1 {
			t.Errorf("it is said %d times", n)
		}
		v.do(func() { v.refuse = "" })
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if g.value("app", "key") != canary {
			t.Errorf("status: %+v", g.status("app"))
		}
	})
}

// A standby that answers before it knows the login is asked again.
func TestAPerformanceStandbyThatLagsBehind(t *testing.T) {
	for _, code := range []int{403, 404, 412} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newFakeVault()
				v.put("app", map[string]any{"key": canary})
				born := time.Now()
				v.fail = func(_, path string) *http.Response {
					if strings.HasPrefix(path, "secret/") && time.Since(born) < 200*time.Millisecond {
						return fault4(code, "permission denied")
					}
					return nil
				}
				g := start(t, v, nil)
				defer g.stop()
				want(g, map[string]*gateway.Secret{"app": kv("app")})
				time.Sleep(time.Second)
				synctest.Wait()
				if st := g.status("app"); g.value("app", "key") != canary || st.Errors != 0 {
					t.Errorf("status: %+v", st)
				}
			})
		})
	}
}

func TestNothingIsRevokedAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newFakeVault()
		g := start(t, v, nil)
		want(g, map[string]*gateway.Secret{"aws": awsUser()})
		time.Sleep(time.Minute)
		g.stop()
		if len(v.leaseIDs()) != 1 || len(v.revoked) != 0 {
			t.Errorf("revoked: %v", v.revoked)
		}
	})
}

func TestAForgottenSecretGivesItsLeaseBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newFakeVault()
		g := start(t, v, nil)
		defer g.stop()
		want(g, map[string]*gateway.Secret{"aws": awsUser()})
		time.Sleep(time.Minute)
		want(g, nil)
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if n := v.leaseIDs(); len(n) != 0 {
			t.Errorf("leases: %v", n)
		}
	})
}

// A token that cannot be replaced in time is no login any more.
func TestAnOldTokenEndsWhileLoginsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newFakeVault()
		v.max = 2 * time.Hour
		v.put("app", map[string]any{"key": canary})
		g := start(t, v, nil)
		defer g.stop()
		want(g, map[string]*gateway.Secret{"app": kv("app")})
		v.do(func() { v.refuse = "permission denied" })
		time.Sleep(100 * time.Minute)
		synctest.Wait()
		if c := g.Connections()[0]; !c.LoggedIn || c.LastError == "" || g.status("app").State != OK {
			t.Errorf("the old token is not used: %+v, %+v", c, g.status("app"))
		}
		v.do(func() { clear(v.tokens) })
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		if c := g.Connections()[0]; c.LoggedIn || g.status("app").State != Failing || g.value("app", "key") != canary {
			t.Errorf("the old token is used: %+v, %+v", c, g.status("app"))
		}
	})
}

func TestMetricsSayWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newFakeVault()
		v.put("app", map[string]any{"key": canary})
		g := start(t, v, nil)
		defer g.stop()
		want(g, map[string]*gateway.Secret{"aws": temporary("assumed_role", 0), "app": kv("app"), "none": kv("none")})
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		found, err := g.reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, f := range found {
			for _, m := range f.GetMetric() {
				name := f.GetName()
				for _, l := range m.GetLabel() {
					name += " " + l.GetValue()
				}
				got[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
		for name, want := range map[string]float64{
			"sluice_secret_left_seconds aws": 3000, "sluice_secret_failing aws": 0, "sluice_secret_failing app": 0, "sluice_secret_failing none": 1,
			"sluice_vault_logged_in ": 1, "sluice_vault_logins_total ": 1, "sluice_vault_login_errors_total ": 0, "sluice_secret_rotations_total aws": 0,
		} {
			if have, ok := got[name]; !ok || have != want {
				t.Errorf("%s is %v, not %v", name, have, want)
			}
		}
		if _, ok := got["sluice_secret_left_seconds app"]; ok || got["sluice_secret_errors_total none"] < 5 || got["sluice_vault_requests_total 404 "]+got["sluice_vault_requests_total  404"] < 5 {
			t.Errorf("the metrics are %v", got)
		}
	})
}

// A policy without lookup-self must not look like a token that is revoked each minute.
func TestATokenThatMayNotLookAtItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newFakeVault()
		v.put("app", map[string]any{"key": canary})
		v.fail = func(_, path string) *http.Response {
			if path == "auth/token/lookup-self" || strings.HasSuffix(path, "/no") {
				return fault4(403, "permission denied")
			}
			return nil
		}
		g := start(t, v, nil)
		defer g.stop()
		want(g, map[string]*gateway.Secret{"aws": awsUser(), "app": kv("app"), "no": kv("no")})
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := v.count("PUT auth/approle/login"); n != 1 || g.value("app", "key") != canary || g.value("aws", "access_key") == "" {
			t.Errorf("%d logins: %+v", n, g.Status())
		}
		time.Sleep(time.Hour)
		v.do(func() { clear(v.tokens) })
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := v.count("PUT auth/approle/login"); n < 2 || n > 7 || g.status("app").State != OK {
			t.Errorf("%d logins: %+v", n, g.status("app"))
		}
	})
}
