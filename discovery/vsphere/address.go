package vsphere

import (
	"net/netip"

	"github.com/vmware/govmomi/vim25/types"
)

// nic is one network adapter of a machine, as VMware Tools tell of it.
type nic struct {
	network string
	known   bool // vCenter gave it; else the guest made it up, for containers or tunnels
	ips     []netip.Addr
}

// newNICs keeps the addresses that a service can be reached at.
func newNICs(raw []types.GuestNicInfo) []nic {
	out := make([]nic, 0, len(raw))
	for _, r := range raw {
		n := nic{network: r.Network, known: r.DeviceConfigId >= 0}
		if r.IpConfig == nil {
			for _, text := range r.IpAddress {
				n.add(text)
			}
		} else {
			for _, a := range r.IpConfig.IpAddress {
				if usable(a.State) {
					n.add(a.IpAddress)
				}
			}
		}
		if len(n.ips) > 0 {
			out = append(out, n)
		}
	}
	return out
}

// usable says whether an address in a state takes connections. Tools of old guests tell no state.
func usable(state string) bool {
	switch types.NetIpConfigInfoIpAddressStatus(state) {
	case types.NetIpConfigInfoIpAddressStatusInvalid, types.NetIpConfigInfoIpAddressStatusInaccessible,
		types.NetIpConfigInfoIpAddressStatusTentative, types.NetIpConfigInfoIpAddressStatusDuplicate:
		return false
	}
	return true
}

func (n *nic) add(text string) {
	if ip, ok := parseIP(text); ok {
		n.ips = append(n.ips, ip)
	}
}

// parseIP leaves out what is of no use to others: link-local and multicast addresses.
func parseIP(text string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.Zone() != "" {
		return netip.Addr{}, false
	}
	ip = ip.Unmap()
	return ip, !ip.IsUnspecified() && !ip.IsLinkLocalUnicast() && !ip.IsMulticast()
}

// want is what a block says of the address.
type want struct {
	network string
	cidr    netip.Prefix // invalid: any
	family  string
}

// takes says whether an address will do. A loopback address has to be asked for.
func (w want) takes(ip netip.Addr) bool {
	return (w.cidr.Contains(ip) || !w.cidr.IsValid() && !ip.IsLoopback()) &&
		(w.family == "" || w.family == "ipv4" && ip.Is4() || w.family == "ipv6" && ip.Is6())
}

// choose is the address of a machine. Of several it is the one that vCenter shows as the machine's, else the first of
// the first adapter; an IPv4 address before an IPv6 one. An adapter that the guest made up counts only where cidr asks for
// its network.
func (w want) choose(primary netip.Addr, nics []nic) (best netip.Addr, ok bool) {
	rank := 0
	for _, n := range nics {
		if w.network != "" && n.network != w.network || !n.known && !w.cidr.IsValid() {
			continue
		}
		for _, ip := range n.ips {
			if !w.takes(ip) {
				continue
			}
			mine := 1
			if ip.Is4() {
				mine += 2
			}
			if ip == primary {
				mine++
			}
			if mine > rank {
				best, rank = ip, mine
			}
		}
	}
	if rank == 0 && len(nics) == 0 && w.network == "" && primary.IsValid() && w.takes(primary) {
		return primary, true // Tools that tell the one address alone
	}
	return best, rank > 0
}
