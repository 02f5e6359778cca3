package vsphere

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

const (
	many   = 10_000 // machines
	served = 500    // of them in the folder of the block
)

// cpu is what the process has used so far, the simulator included.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// manyMachines is a vCenter with all of them, some of which are in the folder.
func manyMachines(b *testing.B) *testenv.VCenter {
	b.Helper()
	v := testenv.StartVCenter(b)
	ids := v.AddVMs(b, shop, "shop", served)
	v.AddVMs(b, "/DC0/vm/other", "other", many-served)
	v.Tag(b, ids[0], "env", "production")
	v.SetAttribute(b, ids[0], "owner", "team-a")
	return v
}

// BenchmarkTenThousand is what ten thousand machines cost: memory of the inventory, calls and CPU at rest, that of the
// simulator included. Its figures count once; run it with -benchtime 1x.
func BenchmarkTenThousand(b *testing.B) {
	v := manyMachines(b)
	o := Options{Connections: []Config{configOf(v, "")}}

	before := heap()
	inv, err := look(b.Context(), o.withDefaults(), o.Connections[0])
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(heap()-before)/(1<<20), "inventory-MB")
	runtime.KeepAlive(inv)

	began := time.Now()
	first := <-running(b, o)
	b.ReportMetric(float64(time.Since(began).Milliseconds()), "first-answer-ms")
	if len(first) != served {
		b.Fatalf("%d endpoints", len(first))
	}

	calls, used := v.Calls(""), cpu(b)
	const rest = 60 * time.Second
	sleep(b.Context(), rest)
	b.ReportMetric(float64(v.Calls("")-calls)/rest.Minutes(), "calls/min")
	b.ReportMetric(100*float64(cpu(b)-used)/float64(rest), "%core-at-rest")
	b.ReportMetric(0, "ns/op")
}

// running is a block at work until the end of the benchmark, and its answers.
func running(b *testing.B, o Options) <-chan []gateway.Endpoint {
	b.Helper()
	source, err := Kind(o).Open(&Spec{Folder: shop, Port: 80})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	updates, done := make(chan []gateway.Endpoint, 1000), make(chan error, 1)
	go func() { done <- source.Run(ctx, func(e []gateway.Endpoint) { updates <- e }, func() {}) }()
	b.Cleanup(func() { cancel(); <-done })
	return updates
}

// BenchmarkLatency is the way of a change to the endpoint, against the bare event of a property collector in the same run.
// The simulator looks at all machines for each event, so there are few. Its figures count once; run it with -benchtime 1x.
func BenchmarkLatency(b *testing.B) {
	v := testenv.StartVCenter(b)
	ids := v.AddVMs(b, shop, "shop", 100)
	updates := running(b, Options{Connections: []Config{configOf(v, "")}})
	<-updates
	bare, stop := bareEvents(b, v)
	defer stop()
	var ours, theirs []time.Duration
	for i := range ids {
		at := time.Now()
		v.SetIP(b, ids[i], fmt.Sprintf("10.200.0.%d", i))
		theirsAt, oursAt := time.Duration(0), time.Duration(0)
		for theirsAt == 0 || oursAt == 0 {
			select {
			case <-bare:
				theirsAt = time.Since(at)
			case <-updates:
				oursAt = time.Since(at)
			case <-time.After(10 * time.Second):
				b.Fatal("a change was not seen")
			}
		}
		ours, theirs = append(ours, oursAt), append(theirs, theirsAt)
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	b.ReportMetric(float64(theirs[len(theirs)/2].Microseconds())/1000, "bare-p50-ms")
	b.ReportMetric(float64(ours[len(ours)/2].Microseconds())/1000, "endpoint-p50-ms")
	b.ReportMetric(0, "ns/op")
}

// bareEvents tells of each event of a property collector that does nothing else.
func bareEvents(b *testing.B, v *testenv.VCenter) (events <-chan struct{}, stop func()) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	cfg := configOf(v, "")
	c, err := connect(ctx, cfg, 10*time.Second)
	if err != nil {
		b.Fatal(err)
	}
	if err := c.login(ctx, account{cfg.Username, cfg.Password}); err != nil {
		b.Fatal(err)
	}
	spec, err := c.everything(ctx)
	if err != nil {
		b.Fatal(err)
	}
	collector, err := c.collector(ctx, spec)
	if err != nil {
		b.Fatal(err)
	}
	out, whole, done := make(chan struct{}, 1000), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		request := types.WaitForUpdatesEx{This: collector, Options: &types.WaitOptions{MaxObjectUpdates: objectsAtOnce}}
		for all := false; ; {
			res, err := methods.WaitForUpdatesEx(ctx, c.vim, &request)
			if err != nil {
				return
			}
			request.Version = res.Returnval.Version
			switch more := res.Returnval.Truncated; {
			case all:
				out <- struct{}{}
			case more == nil || !*more:
				all = true
				close(whole)
			}
		}
	}()
	<-whole
	return out, func() { cancel(); <-done; c.close(ctx) }
}

// BenchmarkChange is what one change of one machine costs a hundred blocks, from the event to their answers.
func BenchmarkChange(b *testing.B) {
	inv := newInventory()
	enter := func(u types.ObjectUpdate) { u.Kind = types.ObjectUpdateKindEnter; inv.apply(u) }
	place := func(kind, id, name, parent string) {
		enter(types.ObjectUpdate{Obj: types.ManagedObjectReference{Type: kind, Value: id}, ChangeSet: []types.PropertyChange{
			{Name: "name", Val: name}, {Name: "parent", Val: types.ManagedObjectReference{Value: parent}},
		}})
	}
	place("Datacenter", "dc", "DC0", "root")
	place("Folder", "vm", "vm", "dc")
	for f := range 100 {
		place("Folder", fmt.Sprint("f", f), fmt.Sprint("shop-", f), "vm")
	}
	for i := range many {
		enter(changed(i, 1))
	}
	w := &worker{hub: &hub{}, missing: make(chan []string, 1)}
	l := newLoop(w)
	l.inventory, l.labelled = inv, true
	for f := range 100 {
		m := &member{source: newSource(Spec{Folder: fmt.Sprint("/DC0/vm/shop-", f), Port: 80}, w.hub), box: mailbox{signal: make(chan struct{}, 1)}}
		l.members[m] = true
	}
	l.take(event{whole: true})
	l.tell()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l.take(event{updates: []types.ObjectUpdate{changed(i%many, 2+i/many)}, whole: true})
		l.tell()
	}
}

// changed is machine i with an address.
func changed(i, address int) types.ObjectUpdate {
	ip := fmt.Sprintf("10.%d.%d.%d", address&127, i>>8, i&255)
	return types.ObjectUpdate{
		Kind: types.ObjectUpdateKindModify, Obj: types.ManagedObjectReference{Type: "VirtualMachine", Value: fmt.Sprint("vm-", i)},
		ChangeSet: []types.PropertyChange{
			{Name: "name", Val: fmt.Sprint("m", i)}, {Name: "parent", Val: types.ManagedObjectReference{Value: fmt.Sprint("f", i%100)}},
			{Name: "runtime.powerState", Val: types.VirtualMachinePowerStatePoweredOn}, {Name: "guest.ipAddress", Val: ip},
			{Name: "guest.net", Val: types.ArrayOfGuestNicInfo{GuestNicInfo: []types.GuestNicInfo{{Network: "lan", DeviceConfigId: 4000, IpAddress: []string{ip}}}}},
		},
	}
}
