package testenv

import (
	"context"
	"fmt"
	"path"
	"testing"

	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vapi/tags"
	"github.com/vmware/govmomi/vim25/types"
)

// AddFolder makes a folder of machines, as "/DC0/vm/shop", and those above it that are missing.
func (v *VCenter) AddFolder(t testing.TB, at string) {
	t.Helper()
	if _, err := v.folder(at); err == nil {
		return
	}
	above := path.Dir(at)
	v.AddFolder(t, above)
	parent, err := v.folder(above)
	if err == nil {
		_, err = parent.CreateFolder(context.Background(), path.Base(at))
	}
	if err != nil {
		t.Fatalf("make folder %s: %v", at, err)
	}
}

func (v *VCenter) folder(at string) (*object.Folder, error) {
	return find.NewFinder(v.admin, false).Folder(context.Background(), at)
}

// AddVM makes a machine in a folder, on the cluster, and starts it. ip may be empty. It returns the machine's ID.
func (v *VCenter) AddVM(t testing.TB, folder, name, ip string) string {
	t.Helper()
	id := created(t, name, v.maker(t, folder)(name))
	v.PowerOn(t, id)
	v.Set(t, id, "guest.toolsRunningStatus", string(types.VirtualMachineToolsRunningStatusGuestToolsRunning))
	if ip != "" {
		v.SetIP(t, id, ip)
	}
	return id
}

// AddVMs makes n machines that run, PREFIX-0 and so on, each with an address of its own in 10.0.0.0/8. It returns their
// IDs.
func (v *VCenter) AddVMs(t testing.TB, folder, prefix string, n int) []string {
	t.Helper()
	create := v.maker(t, folder)
	name := func(i int) string { return fmt.Sprintf("%s-%d", prefix, i) }
	tasks := make([]*object.Task, n)
	for i := range n {
		tasks[i] = create(name(i))
	}
	out := make([]string, n)
	for i := range n {
		out[i] = created(t, name(i), tasks[i])
		v.Set(t, out[i], "runtime.powerState", types.VirtualMachinePowerStatePoweredOn,
			"guest.toolsRunningStatus", string(types.VirtualMachineToolsRunningStatusGuestToolsRunning))
		v.SetIP(t, out[i], fmt.Sprintf("10.%d.%d.%d", 1+i>>16, i>>8&255, i&255))
	}
	return out
}

// created waits for a machine that is being made, and returns its ID.
func created(t testing.TB, name string, task *object.Task) string {
	t.Helper()
	return finish(t, "make machine "+name, task, nil).Result.(types.ManagedObjectReference).Value // it is one
}

// maker returns a function that begins to make a machine in a folder.
func (v *VCenter) maker(t testing.TB, folder string) func(name string) *object.Task {
	t.Helper()
	v.AddFolder(t, folder)
	ctx := context.Background()
	finder := find.NewFinder(v.admin, false)
	pool, err := finder.ResourcePool(ctx, "/DC0/host/DC0_C0/Resources")
	if err != nil {
		t.Fatalf("find the pool: %v", err)
	}
	network, err := finder.Network(ctx, "/DC0/network/DC0_DVPG0")
	if err != nil {
		t.Fatalf("find the network: %v", err)
	}
	in, err := v.folder(folder)
	if err != nil {
		t.Fatalf("find folder %s: %v", folder, err)
	}
	backing, err := network.EthernetCardBackingInfo(ctx)
	if err != nil {
		t.Fatalf("ask the network: %v", err)
	}
	return func(name string) *object.Task {
		t.Helper()
		card, err := object.EthernetCardTypes().CreateEthernetCard("vmxnet3", backing)
		if err != nil {
			t.Fatalf("make a network adapter: %v", err)
		}
		task, err := in.CreateVM(ctx, types.VirtualMachineConfigSpec{
			Name: name, GuestId: string(types.VirtualMachineGuestOsIdentifierOtherGuest),
			Files:        &types.VirtualMachineFileInfo{VmPathName: "[LocalDS_0]"},
			DeviceChange: []types.BaseVirtualDeviceConfigSpec{&types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationAdd, Device: card}},
		}, pool, nil)
		if err != nil {
			t.Fatalf("make machine %s: %v", name, err)
		}
		return task
	}
}

func finish(t testing.TB, what string, task *object.Task, err error) *types.TaskInfo {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	info, err := task.WaitForResult(context.Background(), nil)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return info
}

func (v *VCenter) vm(id string) *object.VirtualMachine {
	return object.NewVirtualMachine(v.admin, types.ManagedObjectReference{Type: "VirtualMachine", Value: id})
}

// Set changes properties of a machine, as its guest or its host would: names and values in turn.
func (v *VCenter) Set(t testing.TB, id string, properties ...any) {
	t.Helper()
	var changes []types.PropertyChange
	for i := 0; i+1 < len(properties); i += 2 {
		changes = append(changes, types.PropertyChange{Name: fmt.Sprint(properties[i]), Val: properties[i+1], Op: types.PropertyChangeOpAssign})
	}
	ctx := &simulator.Context{Context: context.Background(), Map: v.model.Map()}
	vm := ctx.Map.Get(types.ManagedObjectReference{Type: "VirtualMachine", Value: id})
	if vm == nil {
		t.Fatalf("there is no machine %s", id)
	}
	ctx.WithLock(vm, func() { ctx.Update(vm, changes) })
}

// SetIP gives a machine's first adapter its only address.
func (v *VCenter) SetIP(t testing.TB, id, ip string) {
	t.Helper()
	v.Set(t, id, "guest.ipAddress", ip, "guest.net", []types.GuestNicInfo{{
		Network: "DC0_DVPG0", IpAddress: []string{ip}, Connected: true, DeviceConfigId: 4000,
	}})
}

// ClearIP takes a machine's addresses away, as when VMware Tools stop.
func (v *VCenter) ClearIP(t testing.TB, id string) {
	t.Helper()
	v.Set(t, id, "guest.toolsRunningStatus", string(types.VirtualMachineToolsRunningStatusGuestToolsNotRunning),
		"guest.ipAddress", "", "guest.net", []types.GuestNicInfo(nil))
}

// PowerOff stops a machine at once. It keeps its address.
func (v *VCenter) PowerOff(t testing.TB, id string) {
	t.Helper()
	task, err := v.vm(id).PowerOff(context.Background())
	finish(t, "power off "+id, task, err)
}

// PowerOn starts a machine.
func (v *VCenter) PowerOn(t testing.TB, id string) {
	t.Helper()
	task, err := v.vm(id).PowerOn(context.Background())
	finish(t, "power on "+id, task, err)
}

// Destroy stops a machine and deletes it.
func (v *VCenter) Destroy(t testing.TB, id string) {
	t.Helper()
	v.PowerOff(t, id)
	task, err := v.vm(id).Destroy(context.Background())
	finish(t, "destroy "+id, task, err)
}

// Rename gives a machine another name.
func (v *VCenter) Rename(t testing.TB, id, name string) {
	t.Helper()
	task, err := v.vm(id).Rename(context.Background(), name)
	finish(t, "rename "+id, task, err)
}

// Move puts a machine into another folder.
func (v *VCenter) Move(t testing.TB, id, folder string) {
	t.Helper()
	v.AddFolder(t, folder)
	to, err := v.folder(folder)
	if err != nil {
		t.Fatalf("find folder %s: %v", folder, err)
	}
	task, err := to.MoveInto(context.Background(), []types.ManagedObjectReference{v.vm(id).Reference()})
	finish(t, "move "+id, task, err)
}

// MoveFolder puts a folder with all that is in it into another one.
func (v *VCenter) MoveFolder(t testing.TB, at, into string) {
	t.Helper()
	from, err := v.folder(at)
	if err != nil {
		t.Fatalf("find folder %s: %v", at, err)
	}
	to, err := v.folder(into)
	if err != nil {
		t.Fatalf("find folder %s: %v", into, err)
	}
	task, err := to.MoveInto(context.Background(), []types.ManagedObjectReference{from.Reference()})
	finish(t, "move "+at, task, err)
}

// SetAttribute gives a machine a value of a custom attribute, which is made where it is missing.
func (v *VCenter) SetAttribute(t testing.TB, id, name, value string) {
	t.Helper()
	ctx := context.Background()
	m, err := object.GetCustomFieldsManager(v.admin)
	if err != nil {
		t.Fatalf("find custom attributes: %v", err)
	}
	key, err := m.FindKey(ctx, name)
	if err != nil {
		def, err := m.Add(ctx, name, "VirtualMachine", nil, nil)
		if err != nil {
			t.Fatalf("make custom attribute %s: %v", name, err)
		}
		key = def.Key
	}
	if err := m.Set(ctx, v.vm(id).Reference(), key, value); err != nil {
		t.Fatalf("set custom attribute %s of %s: %v", name, id, err)
	}
}

// Tag gives a machine a tag of a category; both are made where they are missing.
func (v *VCenter) Tag(t testing.TB, id, category, name string) {
	t.Helper()
	v.withTags(t, func(ctx context.Context, m *tags.Manager) error {
		if _, err := m.GetCategory(ctx, category); err != nil {
			if _, err := m.CreateCategory(ctx, &tags.Category{Name: category, Cardinality: "MULTIPLE"}); err != nil {
				return err
			}
		}
		if _, err := m.GetTagForCategory(ctx, name, category); err != nil {
			if _, err := m.CreateTag(ctx, &tags.Tag{Name: name, CategoryID: category}); err != nil {
				return err
			}
		}
		tag, err := m.GetTagForCategory(ctx, name, category)
		if err != nil {
			return err
		}
		return m.AttachTag(ctx, tag.ID, v.vm(id).Reference())
	})
}

// Untag takes a tag off a machine.
func (v *VCenter) Untag(t testing.TB, id, category, name string) {
	t.Helper()
	v.withTags(t, func(ctx context.Context, m *tags.Manager) error {
		tag, err := m.GetTagForCategory(ctx, name, category)
		if err != nil {
			return err
		}
		return m.DetachTag(ctx, tag.ID, v.vm(id).Reference())
	})
}
