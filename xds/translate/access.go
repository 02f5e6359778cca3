package translate

import (
	"fmt"
	"net/netip"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacconfigv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// AccessFilter is a place for Envoy's role-based access control. Without configuration of a route it is off.
func AccessFilter(name string) Filter {
	return Filter{Name: name, Config: &rbacv3.RBAC{}, Disabled: true, Since: PoliciesSince, Requires: rbacFilter}
}

// AddressRange reads an address, or ADDRESS/BITS. Why says in a sentence what is wrong with it; empty if nothing is.
func AddressRange(text string) (p netip.Prefix, why string) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), ""
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Sprintf("%q is no address: write one such as 10.1.2.3 or 2001:db8::1, or a range such as 10.0.0.0/8.", text)
	case p.Addr().Is4In6():
		return netip.Prefix{}, fmt.Sprintf("%q is a range of IPv4 addresses written as IPv6. Write it as IPv4.", text)
	case p != p.Masked():
		return netip.Prefix{}, fmt.Sprintf("%q has bits behind its prefix. Did you mean %s?", text, p.Masked())
	}
	return p, ""
}

// Whence makes a condition of a range of addresses: on the client, or on whoever holds the connection.
func Whence(peer bool, p netip.Prefix) *rbacconfigv3.Principal {
	r := &corev3.CidrRange{AddressPrefix: p.Addr().String(), PrefixLen: wrapperspb.UInt32(uint32(p.Bits()))}
	if peer {
		return &rbacconfigv3.Principal{Identifier: &rbacconfigv3.Principal_DirectRemoteIp{DirectRemoteIp: r}}
	}
	return &rbacconfigv3.Principal{Identifier: &rbacconfigv3.Principal_RemoteIp{RemoteIp: r}}
}

// Mapped is a range of IPv4 addresses as IPv6 writes it, which a list of who may not call has to know, too.
func Mapped(p netip.Prefix) (netip.Prefix, bool) {
	if !p.Addr().Is4() {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(netip.AddrFrom16(p.Addr().As16()), p.Bits()+96), true
}

// AnyOf holds where one of the conditions does; of none, never.
func AnyOf(list ...*rbacconfigv3.Principal) *rbacconfigv3.Principal {
	switch len(list) {
	case 0:
		return Not(&rbacconfigv3.Principal{Identifier: &rbacconfigv3.Principal_Any{Any: true}})
	case 1:
		return list[0]
	}
	return &rbacconfigv3.Principal{Identifier: &rbacconfigv3.Principal_OrIds{OrIds: &rbacconfigv3.Principal_Set{Ids: list}}}
}

// AllOf holds where all conditions do; of none, always.
func AllOf(list ...*rbacconfigv3.Principal) *rbacconfigv3.Principal {
	switch len(list) {
	case 0:
		return &rbacconfigv3.Principal{Identifier: &rbacconfigv3.Principal_Any{Any: true}}
	case 1:
		return list[0]
	}
	return &rbacconfigv3.Principal{Identifier: &rbacconfigv3.Principal_AndIds{AndIds: &rbacconfigv3.Principal_Set{Ids: list}}}
}

// Not holds where the condition does not.
func Not(p *rbacconfigv3.Principal) *rbacconfigv3.Principal {
	return &rbacconfigv3.Principal{Identifier: &rbacconfigv3.Principal_NotId{NotId: p}}
}

// Refusals are rules by name, each of which refuses the requests for which its condition holds; nil of none.
func Refusals(conditions map[string]*rbacconfigv3.Principal) *rbacconfigv3.RBAC {
	if len(conditions) == 0 {
		return nil
	}
	out := &rbacconfigv3.RBAC{Action: rbacconfigv3.RBAC_DENY, Policies: map[string]*rbacconfigv3.Policy{}}
	for name, when := range conditions {
		out.Policies[name] = &rbacconfigv3.Policy{
			Permissions: []*rbacconfigv3.Permission{{Rule: &rbacconfigv3.Permission_Any{Any: true}}},
			Principals:  []*rbacconfigv3.Principal{when},
		}
	}
	return out
}

// Access turns an AccessFilter on.
func (r *Route) Access(filter string, config *rbacv3.RBAC) error {
	return r.Configure(filter, &rbacv3.RBACPerRoute{Rbac: config})
}
