package vsphere

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/fault"
	"github.com/sluice-gateway/sluice/internal/sourcetest"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// remote is a vCenter as the shared suite drives it. Each change is one event: the second and the third machine lie in
// a folder that is moved as a whole, and the third is off while there are two.
type remote struct {
	t     *testing.T
	v     *testenv.VCenter
	proxy *fault.Proxy
	third string
	n     int
}

const (
	away = "/DC0/vm/away"
	more = "more"
)

func startRemote(t *testing.T) *remote {
	v := testenv.StartVCenter(t)
	r := &remote{t: t, v: v, proxy: fault.NewProxy(t, v.Address), n: 2}
	v.AddVM(t, shop, "shop-1", "10.0.0.1")
	v.AddVM(t, shop+"/"+more, "shop-2", "10.0.0.2")
	r.third = v.AddVM(t, shop+"/"+more, "shop-3", "10.0.0.3")
	v.PowerOff(t, r.third)
	v.AddVM(t, away, "other", "10.0.1.1")
	return r
}

func (r *remote) Set(n int) {
	if r.n > 1 && n == 1 {
		r.v.MoveFolder(r.t, shop+"/"+more, away)
	}
	if n == 3 && r.n < 3 {
		r.v.PowerOn(r.t, r.third)
	}
	if r.n == 1 && n > 1 {
		r.v.MoveFolder(r.t, away+"/"+more, shop)
	}
	r.n = n
	r.proxy.Set(fault.Pass)
}

func (r *remote) Fail() { r.proxy.Set(fault.Cut) }
func (r *remote) Hang() { r.proxy.Set(fault.Freeze) }

func TestSource(t *testing.T) {
	sourcetest.Run(t, sourcetest.Suite{
		Start: func(t *testing.T) (discovery.Source, sourcetest.Remote) {
			r := startRemote(t)
			return open(t, Kind(quick(configOf(r.v, r.proxy.Address))), &Spec{Folder: shop, Port: 80}), r
		},
		Patience: 4 * time.Second,
		Secrets:  []string{"canary-vcenter-password"},
	})
}

func TestEndpoint(t *testing.T) {
	t.Parallel()
	v := testenv.StartVCenter(t)
	id := v.AddVM(t, shop+"/blue", "shop-1", "10.0.0.1")
	v.Tag(t, id, "env", "production")
	v.Tag(t, id, "app", "shop")
	v.SetAttribute(t, id, "owner", "team-a")
	f := follow(t, open(t, Kind(quick(configOf(v, ""))), &Spec{Folder: shop, Port: 8080}))
	f.until(t, "shop-1=10.0.0.1")
	got := f.endpoints()[0]
	if got.Meta["host"] == "" || got.Meta["instance_uuid"] == "" {
		t.Errorf("host or UUID is missing: %v", got.Meta)
	}
	delete(got.Meta, "host")
	delete(got.Meta, "instance_uuid")
	want := gateway.Endpoint{
		ID: id + ":8080", Address: "10.0.0.1", Port: 8080,
		Locality: gateway.Locality{Region: "DC0", Zone: "DC0_C0"},
		Tags:     []string{"app:shop", "env:production"},
		Meta:     map[string]string{"name": "shop-1", "cluster": "DC0_C0", "datacenter": "DC0", "owner": "team-a"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// Each block takes what it asks for, and follows machines that are moved, renamed, stopped and deleted.
func TestFollows(t *testing.T) {
	t.Parallel()
	v := testenv.StartVCenter(t)
	a := v.AddVM(t, shop, "shop-a", "10.0.0.1")
	b := v.AddVM(t, shop+"/deep", "shop-b", "10.0.0.2")
	c := v.AddVM(t, "/DC0/vm/other", "other-c", "10.0.0.3")
	k := Kind(quick(configOf(v, "")))
	byFolder := follow(t, open(t, k, &Spec{Folder: shop, Port: 80}))
	byName := follow(t, open(t, k, &Spec{Name: "shop-?", Port: 80}))
	byPool := follow(t, open(t, k, &Spec{ResourcePool: "/DC0/host/DC0_C0", Name: "other-*", Port: 80}))
	byFolder.until(t, "shop-a=10.0.0.1 shop-b=10.0.0.2")
	byName.until(t, "shop-a=10.0.0.1 shop-b=10.0.0.2")
	byPool.until(t, "other-c=10.0.0.3")

	v.Move(t, c, shop)
	byFolder.until(t, "other-c=10.0.0.3 shop-a=10.0.0.1 shop-b=10.0.0.2")
	v.Rename(t, c, "shop-c")
	byName.until(t, "shop-a=10.0.0.1 shop-b=10.0.0.2 shop-c=10.0.0.3")
	byFolder.until(t, "shop-a=10.0.0.1 shop-b=10.0.0.2 shop-c=10.0.0.3")
	byPool.until(t, "")
	v.PowerOff(t, a)
	byFolder.until(t, "shop-b=10.0.0.2 shop-c=10.0.0.3")
	v.Destroy(t, b)
	byName.until(t, "shop-c=10.0.0.3")
	v.SetIP(t, c, "10.0.0.33")
	byName.until(t, "shop-c=10.0.0.33")
	v.PowerOn(t, a)
	byFolder.until(t, "shop-a=10.0.0.1 shop-c=10.0.0.33")
	d := v.AddVM(t, shop, "shop-d", "")
	v.SetIP(t, d, "10.0.0.4")
	byFolder.until(t, "shop-a=10.0.0.1 shop-c=10.0.0.33 shop-d=10.0.0.4")
	if n := v.Calls("Login"); n != 1 {
		t.Errorf("%d logins for three blocks of one connection", n)
	}
}

// Tags and attributes are not pushed: they are read again.
func TestLabels(t *testing.T) {
	t.Parallel()
	v := testenv.StartVCenter(t)
	a := v.AddVM(t, shop, "a", "10.0.0.1")
	b := v.AddVM(t, shop, "b", "10.0.0.2")
	v.Tag(t, a, "env", "production")
	v.SetAttribute(t, a, "role", "web")
	k := Kind(quick(configOf(v, "")))
	tagged := follow(t, open(t, k, &Spec{Tags: []string{"env:production"}, Port: 80}))
	valued := follow(t, open(t, k, &Spec{Attributes: map[string]string{"role": "web"}, Port: 80}))
	tagged.until(t, "a=10.0.0.1")
	valued.until(t, "a=10.0.0.1")
	v.Tag(t, b, "env", "production")
	v.SetAttribute(t, b, "role", "web")
	tagged.until(t, "a=10.0.0.1 b=10.0.0.2")
	valued.until(t, "a=10.0.0.1 b=10.0.0.2")
	v.Untag(t, a, "env", "production")
	v.SetAttribute(t, b, "role", "batch")
	tagged.until(t, "b=10.0.0.2")
	valued.until(t, "a=10.0.0.1")
}

// The first answer comes in parts, of a hundred here; nothing is said before the last.
func TestFirstAnswerInParts(t *testing.T) {
	t.Parallel()
	v := testenv.StartVCenter(t)
	v.AddVMs(t, shop, "shop", 250)
	f := follow(t, open(t, Kind(quick(configOf(v, ""))), &Spec{Folder: shop, Port: 80}))
	testenv.Eventually(t, 20*time.Second, func() error {
		if n := len(f.endpoints()); n != 250 {
			return fmt.Errorf("%d endpoints, last error %q", n, f.lastError())
		}
		return nil
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.said) != 1 {
		t.Errorf("it said %d things", len(f.said))
	}
}
