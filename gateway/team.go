package gateway

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Team says what some documents may claim and use. A document that no team names is the operators' own, and may do
// everything; one that several name may do what all of them allow.
//
//sluice:block team "NAME"
type Team struct {
	Name      string   `hcl:"name,label"`
	Documents []string `hcl:"documents"` // patterns over the names of documents, below PREFIX/routes/ or the configured path
	Claims    []*Claim `hcl:"claim,block"`

	// What its documents may name, by patterns. Blocks of its own documents need no mention.
	Upstreams []string `hcl:"upstreams,optional"`
	Functions []string `hcl:"functions,optional"` // UPSTREAM.NAME; none: those of its upstreams
	Secrets   []string `hcl:"secrets,optional"`
	Values    []string `hcl:"values,optional"` // keys of kv()
	Policies  []string `hcl:"policies,optional"`
	Gateways  []string `hcl:"gateways,optional"` // none: all

	// Define lists what its documents may hold besides routes, policies and locals: upstream, function, secret. A name
	// of an upstream or a secret that they define is one of those above.
	Define []string  `hcl:"define,optional"`
	Range  hcl.Range `hcl:",def_range"`
}

// Claim is a part of the edge that a team's routes may take.
//
//sluice:block claim
type Claim struct {
	Host   string    `hcl:"host"`                        // a name; "*.example.com", all names that end so; "*", all
	Prefix string    `hcl:"prefix,optional" default:"/"` // by whole segments
	Range  hcl.Range `hcl:",def_range"`
}

var _ Checker = (*Team)(nil)

// definable are the kinds of block that a team's documents may hold if it says so.
var definable = []string{KindUpstream, KindFunction, KindSecret}

// Check refuses patterns that mean nothing, and a team without documents.
func (t *Team) Check(ranges map[string]hcl.Range) (diags hcl.Diagnostics) {
	if len(t.Documents) == 0 {
		diags = append(diags, fault(ranges["documents"], "Team without documents", "Name at least one pattern of documents, such as \"team-orders/**\".")...)
	}
	all := map[string][]string{
		"documents": t.Documents, "upstreams": t.Upstreams, "functions": t.Functions, "secrets": t.Secrets,
		"values": t.Values, "policies": t.Policies, "gateways": t.Gateways,
	}
	for _, attribute := range slices.Sorted(maps.Keys(all)) {
		for _, p := range all[attribute] {
			if p == "" || strings.HasPrefix(p, "/") || strings.Contains(p, "***") {
				diags = append(diags, fault(ranges[attribute], "Invalid pattern", fmt.Sprintf(
					"%q is no pattern. It is a name, in which * stands for anything within a segment and ** for any number of segments; it does not begin with a slash.", p))...)
			}
		}
	}
	for _, kind := range t.Define {
		if !slices.Contains(definable, kind) {
			diags = append(diags, fault(ranges["define"], "Invalid kind of block", fmt.Sprintf(
				"A team's documents may define %s, besides routes, policies and locals; not %q.", strings.Join(definable, ", "), kind))...)
		}
	}
	for _, c := range t.Claims {
		if !strings.HasPrefix(c.Prefix, "/") {
			diags = append(diags, fault(c.Range, "Invalid claim", fmt.Sprintf("The prefix %q does not begin with a slash.", c.Prefix))...)
		}
		if why := hostFault(c.Host); why != "" {
			diags = append(diags, fault(c.Range, "Invalid claim", why)...)
		}
	}
	return diags
}

func hostFault(host string) string {
	rest := strings.TrimPrefix(host, "*")
	switch {
	case host == "*":
		return ""
	case rest == "", strings.Contains(rest, "*"), rest != host && !strings.HasPrefix(rest, "."), strings.ContainsAny(host, "/: "):
		return fmt.Sprintf("%q is no host: it is a name, \"*.example.com\" or \"*\".", host)
	}
	return ""
}

// covers says that whoever has the claim may have a route on the host that takes paths which all begin with a text; whole
// says that the segment in which the text ends, ends there.
func (c *Claim) covers(host, literal string, whole bool) bool {
	prefix := strings.TrimSuffix(c.Prefix, "/")
	if !coversHost(strings.ToLower(c.Host), strings.ToLower(host)) {
		return false
	}
	return prefix == "" || strings.HasPrefix(literal, prefix+"/") || whole && literal == prefix
}

func coversHost(claim, host string) bool {
	suffix, wild := strings.CutPrefix(claim, "*")
	return claim == host || claim == "*" || wild && strings.HasSuffix(host, suffix) && len(host) > len(suffix)
}

// anyPattern says that one of the patterns matches a name.
func anyPattern(patterns []string, name string) bool {
	for _, p := range patterns {
		if patternMatches(strings.Split(p, "/"), strings.Split(name, "/")) {
			return true
		}
	}
	return false
}

// patternMatches compares segment by segment; "**" stands for any number of segments.
func patternMatches(pattern, name []string) bool {
	for len(pattern) > 0 {
		if pattern[0] == "**" {
			for i := range len(name) + 1 {
				if patternMatches(pattern[1:], name[i:]) {
					return true
				}
			}
			return false
		}
		if len(name) == 0 || !segmentMatches(pattern[0], name[0]) {
			return false
		}
		pattern, name = pattern[1:], name[1:]
	}
	return len(name) == 0
}

// segmentMatches compares a segment with one in which "*" stands for any text.
func segmentMatches(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	text, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(text, parts[len(parts)-1])
}
