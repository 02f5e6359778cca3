package vsphere

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/vmware/govmomi/vim25/types"
)

// inventory is what is known of one vCenter. One goroutine owns it. Objects go by the value of their reference, which
// is unique within a vCenter and stays when they are renamed or moved.
type inventory struct {
	machines map[string]*machine
	places   map[string]*place
	fields   map[int32]string    // names of custom attributes
	tags     map[string][]string // "category:name" of machines, sorted; machines without are missing
	tagNames map[string]bool     // all tags that there are; nil: not read
}

// machine is one virtual machine.
type machine struct {
	id, name string
	folder   string // where it lies; empty inside of a vApp
	vapp     string
	pool     string
	host     string
	uuid     string
	on       bool
	template bool
	apart    bool // vCenter has no connection to it: what else is known is old
	blind    bool // vCenter could not read all that is asked: what is missing is not known
	tools    bool // VMware Tools run
	primary  netip.Addr
	nics     []nic
	values   map[int32]string // of custom attributes
}

// place is where machines are: a folder, a datacenter, a resource pool, a vApp, a cluster, a host.
type place struct {
	kind, name, parent string
	folder             string // of a vApp, beside the pool that is its parent
}

func newInventory() *inventory {
	return &inventory{machines: map[string]*machine{}, places: map[string]*place{}}
}

// What is asked of each type of object. A place is asked alike whatever it is.
var (
	machineProperties = []string{
		"name", "parent", "parentVApp", "resourcePool", "runtime.host", "runtime.powerState", "runtime.connectionState",
		"config.instanceUuid", "config.template", "guest.ipAddress", "guest.net", "guest.toolsRunningStatus", "customValue",
	}
	placeProperties = []string{"name", "parent"}
	placeTypes      = []string{"Folder", "Datacenter", "ComputeResource", "HostSystem", "ResourcePool"}
)

// apply brings one object's changes in. changed is the machine that they concern; moved says that a place has changed.
func (inv *inventory) apply(u types.ObjectUpdate) (changed string, moved bool) {
	id := u.Obj.Value
	if u.Obj.Type == "VirtualMachine" {
		m := inv.machines[id]
		switch {
		case u.Kind == types.ObjectUpdateKindLeave:
			delete(inv.machines, id)
			return id, false
		case m == nil:
			m = &machine{id: id}
		default:
			m = new(*m) // those who hold the old one keep it
		}
		m.blind = m.blind && len(u.ChangeSet) == 0 || len(u.MissingSet) > 0
		for _, c := range u.ChangeSet {
			m.set(c.Name, valueOf(c))
		}
		inv.machines[id] = m
		return id, false
	}
	if u.Kind == types.ObjectUpdateKindLeave {
		delete(inv.places, id)
		return "", true
	}
	p := inv.places[id]
	if p == nil {
		p = &place{kind: u.Obj.Type}
		inv.places[id] = p
	}
	before := *p
	for _, c := range u.ChangeSet {
		p.set(c.Name, valueOf(c))
	}
	return "", *p != before || len(u.ChangeSet) == 0
}

// valueOf is what a property is now; nil where it is unset.
func valueOf(c types.PropertyChange) any {
	if c.Op == types.PropertyChangeOpRemove || c.Op == types.PropertyChangeOpIndirectRemove {
		return nil
	}
	return c.Val
}

func (p *place) set(name string, value any) {
	switch name {
	case "name":
		p.name, _ = value.(string)
	case "parent":
		p.parent = reference(value)
	case "parentFolder":
		p.folder = reference(value)
	}
}

func (m *machine) set(name string, value any) {
	switch name {
	case "name":
		m.name, _ = value.(string)
	case "parent":
		m.folder = reference(value)
	case "parentVApp":
		m.vapp = reference(value)
	case "resourcePool":
		m.pool = reference(value)
	case "runtime.host":
		m.host = reference(value)
	case "runtime.powerState":
		m.on = value == types.VirtualMachinePowerStatePoweredOn
	case "runtime.connectionState":
		m.apart = value != nil && value != types.VirtualMachineConnectionStateConnected
	case "config.instanceUuid":
		m.uuid, _ = value.(string)
	case "config.template":
		m.template, _ = value.(bool)
	case "guest.ipAddress":
		text, _ := value.(string)
		m.primary = netip.Addr{}
		if ip, ok := parseIP(text); ok {
			m.primary = ip
		}
	case "guest.net":
		m.nics = nil
		if raw, ok := value.(types.ArrayOfGuestNicInfo); ok {
			m.nics = newNICs(raw.GuestNicInfo)
		}
	case "guest.toolsRunningStatus":
		m.tools = value == string(types.VirtualMachineToolsRunningStatusGuestToolsRunning)
	case "customValue":
		m.values = nil
		if raw, ok := value.(types.ArrayOfCustomFieldValue); ok {
			m.values = customValues(raw.CustomFieldValue)
		}
	}
}

func customValues(raw []types.BaseCustomFieldValue) map[int32]string {
	var out map[int32]string
	for _, v := range raw {
		s, ok := v.(*types.CustomFieldStringValue)
		if !ok || s.Value == "" {
			continue
		}
		if out == nil {
			out = map[int32]string{}
		}
		out[s.Key] = s.Value
	}
	return out
}

func reference(value any) string {
	switch r := value.(type) {
	case types.ManagedObjectReference:
		return r.Value
	case *types.ManagedObjectReference:
		if r != nil {
			return r.Value
		}
	}
	return ""
}

const deepest = 100 // steps of an inventory path; a longer chain would be a circle

// path is the inventory path of a place, as govc prints it; empty where a step is not to be seen.
func (inv *inventory) path(id string) string {
	var steps []string
	for range deepest {
		p := inv.places[id]
		if p == nil {
			break // the root folder, which has no name of its own in a path
		}
		steps = append(steps, p.name)
		id = p.parent
	}
	slices.Reverse(steps)
	return "/" + strings.Join(steps, "/")
}

// find is the place at an inventory path.
func (inv *inventory) find(path string) (id string, ok bool) {
	path = strings.TrimSuffix(path, "/")
	name := path[strings.LastIndexByte(path, '/')+1:]
	for id, p := range inv.places {
		if p.name == name && inv.path(id) == path {
			return id, true
		}
	}
	return "", false
}

// below says whether a place is another one or lies below it.
func (inv *inventory) below(id, top string) bool {
	for range deepest {
		if id == top {
			return id != ""
		}
		p := inv.places[id]
		if p == nil {
			return false
		}
		id = p.parent
	}
	return false
}

// folderOf is the folder of a machine, that of its outermost vApp where it is in one.
func (inv *inventory) folderOf(m *machine) string {
	if m.folder != "" || m.vapp == "" {
		return m.folder
	}
	id := m.vapp
	for range deepest {
		p := inv.places[id]
		if p == nil {
			return ""
		}
		if p.folder != "" {
			return p.folder
		}
		id = p.parent
	}
	return ""
}

// upTo is the name of the nearest place of a kind at or above another.
func (inv *inventory) upTo(id string, kinds ...string) string {
	for range deepest {
		p := inv.places[id]
		if p == nil {
			return ""
		}
		if slices.Contains(kinds, p.kind) {
			return p.name
		}
		id = p.parent
	}
	return ""
}

// attributes are the custom attributes of a machine by name.
func (inv *inventory) attributes(m *machine) map[string]string {
	out := make(map[string]string, len(m.values)+4)
	for key, value := range m.values {
		if name := inv.fields[key]; name != "" {
			out[name] = value
		}
	}
	return out
}

// label takes what was read of tags, and says which machines have others than before.
func (inv *inventory) label(tags map[string][]string, names map[string]bool) (changed []string) {
	for id, now := range tags {
		if !slices.Equal(inv.tags[id], now) {
			changed = append(changed, id)
		}
	}
	for id := range inv.tags {
		if _, has := tags[id]; !has {
			changed = append(changed, id)
		}
	}
	inv.tags, inv.tagNames = tags, names
	return changed
}

// revalue takes what was read of custom attributes, and says which machines have others than before.
func (inv *inventory) revalue(fields map[int32]string, values map[string]map[int32]string) (changed []string) {
	renamed := !maps.Equal(inv.fields, fields)
	inv.fields = fields
	for id, now := range values {
		m := inv.machines[id]
		if m == nil || !renamed && maps.Equal(m.values, now) {
			continue
		}
		m = new(*m)
		m.values = now
		inv.machines[id] = m
		changed = append(changed, id)
	}
	return changed
}
