// Package headers is the feature "headers": it sets, adds and removes headers of requests and responses.
package headers

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
)

// Headers changes headers on the way to the upstream and back. Blocks of several levels all act: on requests the
// weakest first, on responses the nearest first. What Envoy's own formats can say is native; the script does the rest.
type Headers struct {
	gateway.FeatureBase
	Request  *RequestHeaders  `hcl:"request,block"`
	Response *ResponseHeaders `hcl:"response,block"`
}

// RequestHeaders is what the upstream sees changed. Names are not case-sensitive.
type RequestHeaders struct {
	Set    map[string]gateway.Expr `hcl:"set,optional"`    // replaces; a value that is absent removes the header
	Add    map[string]gateway.Expr `hcl:"add,optional"`    // beside what is there; a value that is absent adds nothing
	Remove []string                `hcl:"remove,optional"` // before set and add
}

// ResponseHeaders is what the client sees changed.
type ResponseHeaders struct {
	Set    map[string]gateway.Expr `hcl:"set,optional" names:"request response"`
	Add    map[string]gateway.Expr `hcl:"add,optional" names:"request response"`
	Remove []string                `hcl:"remove,optional"`
}

var (
	_ gateway.Feature = (*Headers)(nil)
	_ gateway.Checker = (*Headers)(nil)
	_ gateway.Checker = (*RequestHeaders)(nil)
	_ gateway.Checker = (*ResponseHeaders)(nil)
)

// FeatureType is the block's name.
func (*Headers) FeatureType() string { return "headers" }

// Check refuses a block that changes nothing.
func (h *Headers) Check(ranges map[string]hcl.Range) hcl.Diagnostics {
	if h.Request != nil || h.Response != nil || h.Enabled != nil {
		return nil
	}
	at := ranges[""]
	return hcl.Diagnostics{{
		Severity: hcl.DiagError, Summary: "Empty headers", Subject: &at,
		Detail: "A headers block holds a request block, a response block or both.",
	}}
}

// Check refuses names and values that a request cannot carry.
func (r *RequestHeaders) Check(ranges map[string]hcl.Range) hcl.Diagnostics {
	return check(side{r.Set, r.Add, r.Remove}, ranges, false)
}

// Check refuses names and values that a response cannot carry.
func (r *ResponseHeaders) Check(ranges map[string]hcl.Range) hcl.Diagnostics {
	return check(side{r.Set, r.Add, r.Remove}, ranges, true)
}

// side is one direction of a block.
type side struct {
	set, add map[string]gateway.Expr
	remove   []string
}

func check(s side, ranges map[string]hcl.Range, response bool) hcl.Diagnostics {
	var diags hcl.Diagnostics
	report := func(at hcl.Range, attribute, summary, detail string) {
		if at.Filename == "" {
			at = ranges[attribute]
		}
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at})
	}
	name := func(attribute, n string) {
		if why := gateway.HeaderFault(n); why != "" {
			report(ranges[attribute], attribute, "Invalid header name", why)
		}
	}
	for attribute, values := range map[string]map[string]gateway.Expr{"set": s.set, "add": s.add} {
		for _, n := range slices.Sorted(maps.Keys(values)) {
			name(attribute, n)
			if _, err := compile(values[n], response); err != nil {
				report(values[n].Range, attribute, "Unsupported header value", fmt.Sprintf("The value of %q %v.", n, err))
			}
		}
	}
	for _, n := range s.remove {
		name("remove", n)
	}
	slices.SortStableFunc(diags, func(a, b *hcl.Diagnostic) int { return a.Subject.Start.Byte - b.Subject.Start.Byte })
	return diags
}
