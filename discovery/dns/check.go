package dns

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/miekg/dns"

	"github.com/sluice-gateway/sluice/gateway"
)

var (
	_ gateway.SourceSpec = (*Spec)(nil)
	_ gateway.Checker    = (*Spec)(nil)
)

// Check implements gateway.Checker.
func (s *Spec) Check(ranges map[string]hcl.Range) hcl.Diagnostics {
	var diags hcl.Diagnostics
	add := func(summary, attribute, detail string) {
		subject, ok := ranges[attribute]
		if !ok || subject.Empty() {
			subject = s.Range
		}
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &subject, Context: s.Range.Ptr(),
		})
	}
	if _, err := netip.ParseAddr(s.Name); err == nil {
		add("Invalid name", "name", fmt.Sprintf("%q is an IP address: write it in a static block.", s.Name))
	} else if _, valid := dns.IsDomainName(s.Name); !valid || s.Name == "" || s.Name == "." {
		add("Invalid name", "name", fmt.Sprintf("%q is no domain name.", s.Name))
	}
	switch {
	case s.Type == "SRV" && s.Port != 0:
		add("Unexpected port", "port", "SRV records name the port themselves. Remove this attribute, or set type to A or AAAA.")
	case s.Type != "SRV" && s.Port == 0:
		add("Missing port", "port", `Addresses need a port beside them: set port, or type = "SRV" if the name has SRV records.`)
	}
	if s.Server != "" {
		if _, err := parseServer(s.Server); err != nil {
			add("Invalid server", "server", fmt.Sprintf("%q is no IP address: write it like 127.0.0.1:8600; the port may be left out.", s.Server))
		}
	}
	if s.Interval != 0 && (s.Interval < time.Second || s.Interval > time.Hour) {
		add("Invalid interval", "interval", fmt.Sprintf("%s is not between 1s and 1h. Without it, the records' time to live counts.", s.Interval))
	}
	return diags
}

// parseServer reads "IP" or "IP:port".
func parseServer(text string) (string, error) {
	if at, err := netip.ParseAddrPort(text); err == nil && at.Port() != 0 {
		return at.String(), nil
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return "", fmt.Errorf("%q is no address of a server", text)
	}
	return net.JoinHostPort(ip.String(), "53"), nil
}
