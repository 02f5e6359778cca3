package vsphere

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/fault"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

const two = "a=10.0.0.1 b=10.0.0.2"

// startTwo is a vCenter with two machines, and a block that takes both.
func startTwo(t *testing.T, change func(*Options)) (v *testenv.VCenter, a, b string, f *following) {
	t.Helper()
	v = testenv.StartVCenter(t)
	a, b = v.AddVM(t, shop, "a", "10.0.0.1"), v.AddVM(t, shop, "b", "10.0.0.2")
	o := quick(configOf(v, ""))
	if change != nil {
		change(&o)
	}
	f = follow(t, open(t, Kind(o), &Spec{Folder: shop, Port: 80}))
	f.until(t, two)
	return v, a, b, f
}

func TestRestart(t *testing.T) {
	t.Parallel()
	v, a, _, f := startTwo(t, nil)
	f.stays(t, two, func() {
		v.Stop()
		testenv.Eventually(t, 5*time.Second, func() error {
			if f.lastError() == "" {
				return fmt.Errorf("nobody noticed")
			}
			return nil
		})
		v.Start(t)
		f.hears(t, 1)
	})
	v.PowerOff(t, a)
	f.until(t, "b=10.0.0.2")
}

// What happened while nobody could see it counts when it can be seen.
func TestDestroyedDuringAnOutage(t *testing.T) {
	t.Parallel()
	v, a, _, f := startTwo(t, nil)
	v.Stop()
	v.Destroy(t, a)
	v.Start(t)
	f.until(t, "b=10.0.0.2")
}

func TestSessionRevoked(t *testing.T) {
	t.Parallel()
	v, a, _, f := startTwo(t, nil)
	f.stays(t, two, func() {
		v.RevokeSessions(t)
		f.hears(t, 2)
	})
	if n := v.Calls("Login"); n != 2 {
		t.Errorf("%d logins", n)
	}
	v.PowerOff(t, a)
	f.until(t, "b=10.0.0.2")
}

func TestHang(t *testing.T) {
	t.Parallel()
	v := testenv.StartVCenter(t)
	p := fault.NewProxy(t, v.Address)
	a := v.AddVM(t, shop, "a", "10.0.0.1")
	v.AddVM(t, shop, "b", "10.0.0.2")
	f := follow(t, open(t, Kind(quick(configOf(v, p.Address))), &Spec{Folder: shop, Port: 80}))
	f.stays(t, two, func() {
		p.Set(fault.Swallow)
		testenv.Eventually(t, 5*time.Second, func() error {
			if !strings.Contains(f.lastError(), "no answer within") {
				return fmt.Errorf("last error %q", f.lastError())
			}
			return nil
		})
	})
	p.Set(fault.Pass)
	v.PowerOff(t, a)
	f.until(t, "b=10.0.0.2")
}

// A machine whose Tools restart keeps its address for a while; one without connection to its host, for as long.
func TestLostAddress(t *testing.T) {
	t.Parallel()
	v, a, b, f := startTwo(t, func(o *Options) { o.Connections[0].Hold = 1500 * time.Millisecond })
	f.stays(t, two, func() {
		v.ClearIP(t, a)
		f.hears(t, 1)
		v.SetIP(t, a, "10.0.0.1")
		v.Set(t, b, "runtime.connectionState", types.VirtualMachineConnectionStateDisconnected)
		v.ClearIP(t, b)
		f.hears(t, 3)
	})
	began := time.Now()
	v.ClearIP(t, a)
	f.until(t, "b=10.0.0.2")
	if held := time.Since(began); held < 1500*time.Millisecond {
		t.Errorf("held for %s", held)
	}
	v.Set(t, b, "runtime.connectionState", types.VirtualMachineConnectionStateConnected)
	v.SetIP(t, b, "10.0.0.22")
	f.until(t, "b=10.0.0.22")
}

// A new session that does not know addresses yet takes none away.
func TestAddressesLostInARestart(t *testing.T) {
	t.Parallel()
	v, a, b, f := startTwo(t, nil)
	f.stays(t, two, func() {
		v.Stop()
		v.ClearIP(t, a)
		v.Start(t)
		f.hears(t, 2)
	})
	v.PowerOff(t, b)
	f.until(t, "a=10.0.0.1")
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	v := testenv.StartVCenter(t)
	v.AddVM(t, shop, "a", "10.0.0.1")
	file := filepath.Join(t.TempDir(), "password")
	write := func(s string) {
		if err := os.WriteFile(file, []byte(s+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("canary-wrong")
	c := configOf(v, "")
	c.Password, c.PasswordFile = "", file
	f := follow(t, open(t, Kind(quick(c)), &Spec{Folder: shop, Port: 80}))
	testenv.Eventually(t, 5*time.Second, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.runs < 6 {
			return fmt.Errorf("%d runs", f.runs)
		}
		return nil
	})
	if n := v.Calls("Login"); n != 1 {
		t.Errorf("the same password was tried %d times: the account would be locked", n)
	}
	if e := f.lastError(); !strings.Contains(e, "password is wrong") || !strings.Contains(e, "not tried again before") || strings.Contains(e, "canary") {
		t.Error(e)
	}
	write(v.Password)
	f.until(t, "a=10.0.0.1")
}

// A password that changes ends no session; the new one is used when a session is needed.
func TestRotatedPassword(t *testing.T) {
	t.Parallel()
	var password atomic.Value
	password.Store("canary-vcenter-password")
	secret := gateway.ID{Kind: "secret", Name: "vcenter"}
	var known atomic.Bool
	v := testenv.StartVCenter(t)
	v.AddVM(t, shop, "a", "10.0.0.1")
	o := quick(configOf(v, ""))
	o.Connections[0].Username, o.Connections[0].Password = "", ""
	o.Reveal = func(id gateway.ID) (gateway.Material, bool) {
		if id != secret || !known.Load() {
			return gateway.Material{}, false
		}
		return gateway.NewMaterial(map[string][]byte{"username": []byte(v.Username), "password": []byte(password.Load().(string))}), true
	}
	f := follow(t, open(t, Kind(o), &Spec{Folder: shop, Port: 80, Credentials: gateway.Ref{ID: secret}}))
	known.Store(true) // until now it has waited in silence
	f.until(t, "a=10.0.0.1")
	v.SetPassword("canary-second")
	password.Store("canary-second")
	f.hears(t, 2)
	if n := v.Calls("Login"); n != 1 || f.lastError() != "" {
		t.Errorf("%d logins, error %q", n, f.lastError())
	}
	v.RevokeSessions(t)
	f.hears(t, 2)
	if n := v.Calls("Login"); n != 2 {
		t.Errorf("%d logins", n)
	}
}

func TestWrongCertificate(t *testing.T) {
	t.Parallel()
	v := testenv.StartVCenter(t)
	v.AddVM(t, shop, "a", "10.0.0.1")
	c := configOf(v, "")
	c.CAFile = testenv.WriteCertificates(t, t.TempDir())
	f := follow(t, open(t, Kind(quick(c)), &Spec{Folder: shop, Port: 80}))
	testenv.Eventually(t, 5*time.Second, func() error {
		if e := f.lastError(); !strings.Contains(e, "certificate") {
			return fmt.Errorf("error %q", e)
		}
		return nil
	})
	if n := v.Calls(""); n != 0 {
		t.Errorf("%d calls to a vCenter that is not trusted", n)
	}
}

// Tags that cannot be read stay as they were; so does their session when it ends.
func TestTagServiceDown(t *testing.T) {
	t.Parallel()
	v := testenv.StartVCenter(t)
	a := v.AddVM(t, shop, "a", "10.0.0.1")
	v.Tag(t, a, "env", "production")
	f := follow(t, open(t, Kind(quick(configOf(v, ""))), &Spec{Tags: []string{"env:production"}, Port: 80}))
	f.stays(t, "a=10.0.0.1", func() {
		v.DenyTags(http.StatusServiceUnavailable)
		f.hears(t, 2)
	})
	v.DenyTags(0)
	b := v.AddVM(t, shop, "b", "10.0.0.2")
	v.Tag(t, b, "env", "production")
	f.until(t, two)
	v.Untag(t, b, "env", "production")
	f.until(t, "a=10.0.0.1")
	f.stays(t, "a=10.0.0.1", func() { // no machine has the tag: that is doubted
		v.Untag(t, a, "env", "production")
		f.hears(t, 2)
	})
}

// A block that names what is not there is no empty answer, and no reason to log in again and again.
func TestMissingFolder(t *testing.T) {
	t.Parallel()
	v := testenv.StartVCenter(t)
	id := v.AddVM(t, "/DC0/vm/other", "a", "10.0.0.1")
	f := follow(t, open(t, Kind(quick(configOf(v, ""))), &Spec{Folder: shop, Port: 80}))
	testenv.Eventually(t, 5*time.Second, func() error {
		if e := f.lastError(); !strings.Contains(e, "folder "+shop) {
			return fmt.Errorf("error %q", e)
		}
		return nil
	})
	if got := f.now(); got != "nothing yet" {
		t.Errorf("an answer: %q", got)
	}
	v.Move(t, id, shop)
	f.until(t, "a=10.0.0.1")
	if n := v.Calls("Login"); n > 2 {
		t.Errorf("%d logins", n)
	}
}

// A source that ends leaves no session behind, and does not disturb others.
func TestSharedSession(t *testing.T) {
	t.Parallel()
	v, a, _, other := startTwo(t, nil)
	before := v.Sessions(t)
	k := Kind(quick(configOf(v, "")))
	s := open(t, k, &Spec{Folder: shop, Port: 80})
	t.Run("inner", func(t *testing.T) {
		one := follow(t, s)
		t.Run("innermost", func(t *testing.T) {
			follow(t, open(t, k, &Spec{Folder: shop, Port: 81})).until(t, two)
		})
		one.until(t, two)
		v.PowerOff(t, a)
		one.until(t, "b=10.0.0.2")
		if e := one.lastError(); e != "" {
			t.Error(e)
		}
	})
	other.until(t, "b=10.0.0.2") // it has a session of its own
	if now := v.Sessions(t); now != before {
		t.Errorf("%d sessions before, %d after", before, now)
	}
}
