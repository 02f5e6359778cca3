package kubernetes

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
)

// Spec is a kubernetes block.
//
//sluice:block kubernetes
type Spec struct {
	Service    string    `hcl:"service"`
	Namespace  string    `hcl:"namespace,optional"` // none: that of the connection
	Port       string    `hcl:"port,optional"`      // the name of a port of the service, or a number; none: the only one
	IPFamily   string    `hcl:"ip_family,optional" oneof:"ipv4 ipv6"`
	Connection string    `hcl:"connection,optional"` // which kubernetes block of the agent, where several are configured
	Range      hcl.Range `hcl:",def_range"`
}

var (
	_ gateway.SourceSpec = (*Spec)(nil)
	_ gateway.Checker    = (*Spec)(nil)
)

// SourceKey names every attribute.
func (s *Spec) SourceKey() gateway.SourceKey {
	parts := []string{plain(s.Service)}
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, name+"="+plain(value))
		}
	}
	add("namespace", s.Namespace)
	add("port", s.Port)
	add("ip_family", s.IPFamily)
	add("connection", s.Connection)
	return gateway.SourceKey{Kind: "kubernetes", Query: strings.Join(parts, " ")}
}

// plain quotes what could be taken for something else in a source key.
func plain(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '"' || r == '=' || r > '~' }) {
		return strconv.Quote(s)
	}
	return s
}

// label is what Kubernetes takes for the name of a service, of a namespace or of a port.
var label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// Check implements gateway.Checker.
func (s *Spec) Check(ranges map[string]hcl.Range) hcl.Diagnostics {
	var diags hcl.Diagnostics
	wrong := func(summary, attribute, detail string) {
		subject, ok := ranges[attribute]
		if !ok || subject.Empty() {
			subject = s.Range
		}
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &subject, Context: s.Range.Ptr(),
		})
	}
	const rule = "1 to 63 small letters, digits and hyphens"
	if name, rest, dotted := strings.Cut(s.Service, "."); dotted && label.MatchString(name) {
		namespace, _, _ := strings.Cut(rest, ".")
		wrong("Invalid service", "service", fmt.Sprintf("%q is a DNS name. Write service = %q and namespace = %q.", s.Service, name, namespace))
	} else if !label.MatchString(s.Service) {
		wrong("Invalid service", "service", fmt.Sprintf("%q is no name of a service: %s.", s.Service, rule))
	}
	if s.Namespace != "" && !label.MatchString(s.Namespace) {
		wrong("Invalid namespace", "namespace", fmt.Sprintf("%q is no name of a namespace: %s.", s.Namespace, rule))
	}
	if n, err := strconv.Atoi(s.Port); err == nil && (n < 1 || n > 65535) {
		wrong("Invalid port", "port", fmt.Sprintf("%s is no port: it is a number from 1 to 65535, or a name.", s.Port))
	} else if s.Port != "" && !label.MatchString(s.Port) {
		wrong("Invalid port", "port", fmt.Sprintf("%q is neither a number nor the name of a port of a service: %s.", s.Port, rule))
	}
	return diags
}

// port is the number that s fixes; 0 where a name, or nothing, is said.
func (s *Spec) port() uint16 {
	n, err := strconv.ParseUint(s.Port, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}
