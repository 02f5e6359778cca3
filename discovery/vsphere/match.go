package vsphere

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"

	"github.com/sluice-gateway/sluice/gateway"
)

// selection is a block with its paths looked up in an inventory.
type selection struct {
	spec   *Spec
	want   want
	folder string // empty: any
	pool   string
}

// errNotThere is of a block that names what is not there, which is no empty answer.
var errNotThere = errors.New("it does not exist, or the account may not see it")

// resolve looks a block's names up. An error says which of them is not there.
func (inv *inventory) resolve(spec *Spec) (selection, error) {
	s := selection{spec: spec, want: spec.want()}
	if len(inv.machines) == 0 {
		return s, errors.New("the account sees no virtual machine at all: give it the role on the datacenters or folders, with everything below")
	}
	var ok bool
	if spec.Folder != "" {
		if s.folder, ok = inv.find(spec.Folder); !ok {
			return s, fmt.Errorf("folder %s: %w", spec.Folder, errNotThere)
		}
	}
	if spec.ResourcePool != "" {
		if s.pool, ok = inv.find(spec.ResourcePool); !ok {
			return s, fmt.Errorf("resource pool %s: %w", spec.ResourcePool, errNotThere)
		}
	}
	for _, t := range spec.Tags {
		if inv.tagNames == nil {
			return s, fmt.Errorf("tag %s: no tags are read: this is no vCenter, or its vsphere block says tags = false", t)
		}
		if !inv.tagNames[t] {
			return s, fmt.Errorf("tag %s: %w", t, errNotThere)
		}
	}
	for name := range spec.Attributes {
		if !inv.knowsField(name) {
			return s, fmt.Errorf("custom attribute %s: %w", name, errNotThere)
		}
	}
	return s, nil
}

func (inv *inventory) knowsField(name string) bool {
	for _, n := range inv.fields {
		if n == name {
			return true
		}
	}
	return false
}

func (s *Spec) want() want {
	cidr, _ := netip.ParsePrefix(s.CIDR) // Check has seen it; empty is invalid and means any
	return want{network: s.Network, cidr: cidr, family: s.IPFamily}
}

// means says whether a block means a machine, whatever state it is in.
func (s *selection) means(inv *inventory, m *machine) bool {
	if !s.couldMean(inv, m) {
		return false
	}
	if len(s.spec.Attributes) == 0 {
		return true
	}
	have := inv.attributes(m)
	for name, value := range s.spec.Attributes {
		if have[name] != value {
			return false
		}
	}
	return true
}

// couldMean is means without custom attributes, which may have changed unseen.
func (s *selection) couldMean(inv *inventory, m *machine) bool {
	switch {
	case m.template,
		s.spec.Name != "" && !wildcard(s.spec.Name, m.name),
		s.folder != "" && !inv.below(inv.folderOf(m), s.folder),
		s.pool != "" && !inv.below(m.pool, s.pool) && !inv.below(m.host, s.pool):
		return false
	}
	tags := inv.tags[m.id]
	for _, t := range s.spec.Tags {
		if !slices.Contains(tags, t) {
			return false
		}
	}
	return true
}

// address is where a block reaches a machine.
func (s *selection) address(m *machine) (netip.Addr, bool) { return s.want.choose(m.primary, m.nics) }

// endpoint is a machine as a block's endpoint.
func (s *selection) endpoint(inv *inventory, m *machine, at netip.Addr) gateway.Endpoint {
	meta := inv.attributes(m)
	host := inv.places[m.host]
	datacenter := inv.upTo(inv.folderOf(m), "Datacenter")
	var cluster string
	if host != nil {
		meta["host"] = host.name
		cluster = inv.upTo(host.parent, "ClusterComputeResource", "ComputeResource")
		if datacenter == "" {
			datacenter = inv.upTo(host.parent, "Datacenter")
		}
	}
	for _, kv := range [][2]string{{"name", m.name}, {"cluster", cluster}, {"datacenter", datacenter}, {"instance_uuid", m.uuid}} {
		if kv[1] != "" {
			meta[kv[0]] = kv[1]
		}
	}
	return gateway.Endpoint{
		ID:      m.id + ":" + strconv.Itoa(s.spec.Port),
		Address: at.String(), Port: uint16(s.spec.Port), //nolint:gosec // the block's tags bound it
		Locality: gateway.Locality{Region: datacenter, Zone: cluster},
		Tags:     inv.tags[m.id], Meta: meta,
	}
}

func sameEndpoint(a, b gateway.Endpoint) bool {
	return a.ID == b.ID && a.Address == b.Address && a.Locality == b.Locality && slices.Equal(a.Tags, b.Tags) && maps.Equal(a.Meta, b.Meta)
}
