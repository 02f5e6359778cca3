package gateway

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
)

// PlatformOnly says that an upstream takes calls of its functions and nothing else: what it is sent is signed, so that a
// request which a client made up would have the rights of the credentials.
func (u *Upstream) PlatformOnly() bool { return u.Lambda != nil && u.Lambda.URL == "" }

// misdirected refuses destinations and features that send an upstream of Lambdas requests which call none of them.
func (w *World) misdirected(e *TableRoute) (diags hcl.Diagnostics) {
	refuse := func(summary string, ref Ref) {
		if u := w.upstreams.get(ref.Name); u == nil || !u.PlatformOnly() {
			return
		}
		at := ref.Range
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: summary, Subject: &at,
			Detail: fmt.Sprintf("The upstream %q is made of Lambdas: it takes calls of its functions, such as function.%s.NAME, and no other requests.", ref.Name, ref.Name),
		})
	}
	among := func(features []Effective) {
		for _, f := range features {
			for _, ref := range f.Feature.Refs() {
				if ref.Kind == KindUpstream {
					refuse("Invalid "+f.Feature.FeatureType(), ref)
				}
			}
		}
	}
	among(e.Features)
	for _, d := range e.Destinations {
		if d.To.Function.IsZero() {
			refuse("Invalid destination", d.To.Upstream)
		}
		among(d.Features)
	}
	return diags
}
