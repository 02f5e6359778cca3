package static

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
)

var (
	_ gateway.SourceSpec = (*Spec)(nil)
	_ gateway.Checker    = (*Spec)(nil)
)

// Check implements gateway.Checker.
func (s *Spec) Check(ranges map[string]hcl.Range) hcl.Diagnostics {
	c := check{ranges: ranges, block: s.Range, seen: make(map[netip.AddrPort]bool)}
	for _, text := range s.Endpoints {
		c.endpoint(text, c.at("endpoints"))
	}
	switch {
	case s.Address != "" && s.Port == 0:
		c.add("Missing port", "The address needs a port attribute beside it.", c.at("address"))
	case s.Address == "" && s.Port != 0:
		c.add("Missing address", "The port needs an address attribute beside it.", c.at("port"))
	case s.Address != "":
		if _, err := netip.ParseAddr(s.Address); err != nil {
			c.address(s.Address, c.at("address"))
		} else {
			c.endpoint(net.JoinHostPort(s.Address, fmt.Sprint(s.Port)), c.at("address"))
		}
	}
	for _, b := range s.Entries {
		c.endpoint(b.At, b.Range)
	}
	if len(s.Endpoints)+len(s.Entries) == 0 && s.Address == "" && s.Port == 0 {
		c.add("No endpoints", `Write endpoints = ["10.0.0.1:8080"], address and port, or blocks endpoint "10.0.0.1:8080" {}.`, c.at(""))
	}
	return c.diags
}

type check struct {
	ranges map[string]hcl.Range
	block  hcl.Range
	seen   map[netip.AddrPort]bool
	diags  hcl.Diagnostics
}

// at is the place of an attribute, or of the block where it has none.
func (c *check) at(attribute string) hcl.Range {
	if r, ok := c.ranges[attribute]; ok && !r.Empty() {
		return r
	}
	return c.block
}

func (c *check) add(summary, detail string, subject hcl.Range) {
	c.diags = append(c.diags, &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &subject, Context: c.block.Ptr(),
	})
}

func (c *check) endpoint(text string, subject hcl.Range) {
	at, err := parse(text)
	if err != nil {
		c.address(text, subject)
		return
	}
	if c.seen[at] {
		c.add("Duplicate endpoint", fmt.Sprintf("The endpoint %s stands here twice. Remove one of them.", at), subject)
	}
	c.seen[at] = true
}

func (c *check) address(text string, subject hcl.Range) {
	detail := fmt.Sprintf("%q is no IP address with a port: write it like 10.0.0.1:8080 or [2001:db8::1]:8080.", text)
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host = text
	}
	_, notIP := netip.ParseAddr(host)
	switch {
	case notIP == nil && err != nil:
		detail = fmt.Sprintf("%q has no port: write it like %s.", text, net.JoinHostPort(host, "8080"))
	case notIP == nil:
		detail = fmt.Sprintf("%q has no usable port: it is a number from 1 to 65535.", text)
	case host != "" && isName(host):
		detail = fmt.Sprintf("%q is a host name, and a static source takes IP addresses only. Use a dns block with name = %q", text, host)
		if port != "" {
			detail += " and port = " + port
		}
		detail += "."
	}
	c.add("Invalid endpoint", detail, subject)
}

func isName(host string) bool {
	letter := false
	for _, r := range host {
		switch {
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z':
			letter = true
		case r >= '0' && r <= '9' || r == '-' || r == '.' || r == '_':
		default:
			return false
		}
	}
	return letter
}
