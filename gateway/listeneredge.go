package gateway

import (
	"fmt"
	"net/netip"

	"github.com/hashicorp/hcl/v2"
)

// RedirectHTTPS has a listener answer every request with a redirect to the same URL over https. It looks at no route.
//
//sluice:block redirect_https
type RedirectHTTPS struct {
	Port   int       `hcl:"port,optional" default:"443" min:"1" max:"65535"`
	Status int       `hcl:"status,optional" default:"308" oneof:"301 308"` // 308: method and body are kept
	Range  hcl.Range `hcl:",def_range"`
}

// Hops is how many proxies in front of the listener a trusted peer's x-forwarded-for is believed for.
func (l *Listener) Hops() int {
	if l.TrustedHops == 0 && len(l.TrustedProxies) > 0 {
		return 1
	}
	return l.TrustedHops
}

// Proxies are the networks whose connections are believed about x-forwarded- headers. A lone address is a network of one;
// what is neither is left out, since Check has refused it. Empty with Hops above 0: all.
func (l *Listener) Proxies() (out []netip.Prefix) {
	for _, text := range l.TrustedProxies {
		if p, err := network(text); err == nil {
			out = append(out, p)
		}
	}
	return out
}

func network(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return a.Prefix(a.BitLen())
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err
}

// checkEdge refuses what the listener cannot be to those in front of it.
func (l *Listener) checkEdge(ranges map[string]hcl.Range) (diags hcl.Diagnostics) {
	wrong := func(at hcl.Range, summary, format string, args ...any) {
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: &at})
	}
	seen := map[netip.Prefix]bool{}
	for _, text := range l.TrustedProxies {
		p, err := network(text)
		switch {
		case err != nil:
			wrong(ranges["trusted_proxies"], "Invalid network", "%q is no network of addresses. Write one as 10.0.0.0/8, or an address.", text)
		case p.Bits() == 0:
			wrong(ranges["trusted_proxies"], "Everybody is trusted", "With %q any client could say who it is. Name the networks of your proxies; where only they reach this port, trusted_hops alone is enough.", text)
		case seen[p]:
			wrong(ranges["trusted_proxies"], "Duplicate network", "%q stands in trusted_proxies twice. Remove one of the two.", text)
		}
		seen[p] = true
	}
	if r := l.RedirectHTTPS; r != nil {
		switch {
		case l.TLS != nil:
			wrong(r.Range, "Useless redirect", "This listener speaks TLS already, and a redirect to https would lead back to it. Remove redirect_https, or tls.")
		case l.Scope != "":
			wrong(r.Range, "Useless scope", "A listener with redirect_https serves no routes. Remove scope.")
		}
	}
	return diags
}
