package docker

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
)

// Spec is a docker block.
//
//sluice:block docker
type Spec struct {
	Labels     map[string]string `hcl:"labels"`                   // a container has all of them
	Port       int               `hcl:"port" min:"1" max:"65535"` // inside the container
	Network    string            `hcl:"network,optional"`         // whose address counts; none: the only one
	Published  bool              `hcl:"published,optional"`       // the port that the engine has published for Port, on the engine's machine
	Connection string            `hcl:"connection,optional"`      // which docker block of the agent, where several are configured
	Range      hcl.Range         `hcl:",def_range"`
}

var (
	_ gateway.SourceSpec = (*Spec)(nil)
	_ gateway.Checker    = (*Spec)(nil)
)

// SourceKey names every attribute.
func (s *Spec) SourceKey() gateway.SourceKey {
	var parts []string
	add := func(name, value string) { parts = append(parts, plain(name)+"="+plain(value)) }
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		parts = append(parts, "label:"+plain(name)+"="+plain(s.Labels[name]))
	}
	add("port", strconv.Itoa(s.Port))
	if s.Network != "" {
		add("network", s.Network)
	}
	if s.Published {
		parts = append(parts, "published")
	}
	if s.Connection != "" {
		add("connection", s.Connection)
	}
	return gateway.SourceKey{Kind: "docker", Query: strings.Join(parts, " ")}
}

// plain quotes what could be taken for something else in a source key.
func plain(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '"' || r == '=' || r > '~' }) {
		return strconv.Quote(s)
	}
	return s
}

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
	if len(s.Labels) == 0 {
		wrong("Missing labels", "labels", "Without labels every container of the engine would be an endpoint. Select some: labels = { service = \"shop\" }.")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		if name == "" || strings.Contains(name, "=") {
			wrong("Invalid label", "labels", fmt.Sprintf("%q is no name of a label.", name))
		}
	}
	if s.Published && s.Network != "" {
		wrong("Unexpected network", "network", "A published port is one of the engine's machine, whatever networks the container is in. Remove either network or published.")
	}
	return diags
}

// matches says whether a container has all labels.
func (s *Spec) matches(c *container) bool {
	for name, value := range s.Labels {
		if has, ok := c.Labels[name]; !ok || has != value {
			return false
		}
	}
	return true
}
