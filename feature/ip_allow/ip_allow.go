// Package ipallow is the feature "ip_allow": only some addresses may call.
package ipallow

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// sourcePeer asks about whoever holds the connection, which may be a proxy before the gateway.
const sourcePeer = "peer"

// IPAllow lets requests pass by the address that they come from.
type IPAllow struct {
	gateway.FeatureBase
	Allow  []string `hcl:"allow,optional"` // an address, or ADDRESS/BITS; none: all that Deny leaves
	Deny   []string `hcl:"deny,optional"`  // wins over Allow
	Source string   `hcl:"source,optional" default:"client" oneof:"client peer"`
}

var (
	_ gateway.Feature  = (*IPAllow)(nil)
	_ gateway.Checker  = (*IPAllow)(nil)
	_ gateway.Admitter = (*IPAllow)(nil)
)

// FeatureType is the block's name.
func (*IPAllow) FeatureType() string { return "ip_allow" }

// Admits names the addresses. A block that only denies some leaves open who the others are.
func (a *IPAllow) Admits() (who string, ok bool) {
	if len(a.Allow) == 0 {
		return "", false
	}
	who = "addresses in " + strings.Join(a.Allow, ", ")
	if len(a.Deny) > 0 {
		who += ", but not in " + strings.Join(a.Deny, ", ")
	}
	return who, true
}

// Check refuses what is no address, and blocks that say nothing.
func (a *IPAllow) Check(ranges map[string]hcl.Range) (diags hcl.Diagnostics) {
	report := func(name, summary, detail string) {
		at, ok := ranges[name]
		if !ok {
			at = ranges[""]
		}
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at})
	}
	_, allows := ranges["allow"]
	switch {
	case a.Enabled != nil && !*a.Enabled: // it may be empty
	case allows && len(a.Allow) == 0:
		report("allow", "Missing addresses", "An empty list lets nobody pass. Name addresses, or remove the argument.")
	case len(a.Allow) == 0 && len(a.Deny) == 0:
		report("", "Missing addresses", "The block names no address. Give it allow, deny, or both.")
	}
	for _, list := range []struct {
		name      string
		addresses []string
	}{{"allow", a.Allow}, {"deny", a.Deny}} {
		for _, text := range list.addresses {
			if _, why := translate.AddressRange(text); why != "" {
				report(list.name, "Invalid address", why)
			}
		}
	}
	return diags
}

// prefixes reads a list that Check has accepted.
func prefixes(list []string) ([]netip.Prefix, error) {
	out := make([]netip.Prefix, 0, len(list))
	for _, text := range list {
		p, why := translate.AddressRange(text)
		if why != "" {
			return nil, fmt.Errorf("read address: %s", why)
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b netip.Prefix) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(out), nil
}
