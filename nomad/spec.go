package nomad

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
)

// Spec is the nomad source of an upstream: the instances of one service that jobs register with Nomad itself.
//
//sluice:block nomad
type Spec struct {
	Service    string   `hcl:"service"`
	Tags       []string `hcl:"tags,optional"`        // an instance has all of them
	CanaryTags []string `hcl:"canary_tags,optional"` // an instance that has all of these is a canary, and listed too
	Checks     bool     `hcl:"checks,optional"`      // a new allocation takes no traffic until its checks pass
	Namespace  string   `hcl:"namespace,optional"`   // default: the connection's
	Region     string   `hcl:"region,optional"`      // default: the connection's
	Connection string   `hcl:"connection,optional"`  // which Nomad, where several are configured
}

var (
	_ gateway.SourceSpec = (*Spec)(nil)
	_ gateway.Checker    = (*Spec)(nil)
)

// SourceKey names every field; tags in any order are the same listing.
func (s *Spec) SourceKey() gateway.SourceKey {
	parts := []string{quoted(s.Service)}
	for _, list := range []struct {
		word string
		tags []string
	}{{"tag", s.Tags}, {"canary_tag", s.CanaryTags}} {
		for _, t := range slices.Compact(slices.Sorted(slices.Values(list.tags))) {
			parts = append(parts, list.word+"="+quoted(t))
		}
	}
	for _, p := range [][2]string{{"namespace", s.Namespace}, {"region", s.Region}, {"connection", s.Connection}} {
		if p[1] != "" {
			parts = append(parts, p[0]+"="+quoted(p[1]))
		}
	}
	if s.Checks {
		parts = append(parts, "checks")
	}
	return gateway.SourceKey{Kind: "nomad", Query: strings.Join(parts, " ")}
}

// quoted quotes what could be taken for something else in a source key.
func quoted(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '"' || r == '=' || r > '~' }) {
		return strconv.Quote(s)
	}
	return s
}

// Check implements gateway.Checker.
func (s *Spec) Check(ranges map[string]hcl.Range) (diags hcl.Diagnostics) {
	wrong := func(attribute, summary, detail string) {
		r, ok := ranges[attribute]
		if !ok {
			r = ranges[""]
		}
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &r})
	}
	if s.Service == "" || strings.Contains(s.Service, "/") {
		wrong("service", "Invalid service name",
			fmt.Sprintf("%q is no name of a Nomad service: it must not be empty or contain a slash.", s.Service))
	}
	if s.Namespace == "*" {
		wrong("namespace", "Invalid namespace",
			`A source lists one namespace: "*" is none. Write a nomad block for each namespace that has the service.`)
	}
	for name, tags := range map[string][]string{"tags": s.Tags, "canary_tags": s.CanaryTags} {
		if slices.Contains(tags, "") {
			wrong(name, "Invalid tag", fmt.Sprintf("An entry of %s is empty, and no instance has an empty tag.", name))
		}
	}
	if len(s.CanaryTags) > 0 && len(s.Tags) > 0 && containsAll(s.Tags, s.CanaryTags) {
		wrong("canary_tags", "Invalid canary tags",
			"Every instance that has all of tags has all of canary_tags too, so that all would be canaries. Give canary_tags a tag that only the canary_tags of the job have.")
	}
	return diags
}

func containsAll(all, some []string) bool {
	return !slices.ContainsFunc(some, func(t string) bool { return !slices.Contains(all, t) })
}
