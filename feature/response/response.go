// Package response is the feature "response": what the client gets instead of what the upstream answered.
package response

import (
	"fmt"
	"math"
	"regexp"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// Response changes responses on their way to the client. What is left out stays as it was. Blocks of several levels all
// act, the nearest first, each on what the one before left; every expression sees the client's original request.
type Response struct {
	gateway.FeatureBase
	Statuses    []string                `hcl:"status,optional"` // "2xx", "404"; none: every response
	SetStatus   gateway.Expr            `hcl:"set_status,optional" names:"request response"`
	Headers     map[string]gateway.Expr `hcl:"headers,optional" names:"request response"` // sets headers; null removes
	Body        gateway.Expr            `hcl:"body,optional" names:"request response"`    // an object or a list is sent as JSON
	ContentType string                  `hcl:"content_type,optional"`                     // text/html: what Body inserts is escaped
}

var (
	_ gateway.Feature = (*Response)(nil)
	_ gateway.Checker = (*Response)(nil)
)

// FeatureType is the block's name.
func (*Response) FeatureType() string { return "response" }

var statusPattern = regexp.MustCompile(`^[2-5]([0-9][0-9]|xx)$`)

// Check refuses what no response can be, and places where a value could break out of the body.
func (r *Response) Check(ranges map[string]hcl.Range) hcl.Diagnostics {
	if r.SetStatus.IsZero() && len(r.Headers) == 0 && r.Body.IsZero() && r.ContentType == "" && r.Enabled == nil {
		return problem(ranges[""], "Empty response", "A response block changes at least one of set_status, headers and body.")
	}
	var diags hcl.Diagnostics
	for _, s := range r.Statuses {
		if !statusPattern.MatchString(s) {
			diags = append(diags, problem(ranges["status"], "Invalid status", fmt.Sprintf(
				`%q is no status. Write three digits, "404", or a class, "2xx".`, s))...)
		}
	}
	diags = append(diags, r.checkSetStatus(r.SetStatus)...)
	p := r.payload(ranges)
	diags = append(diags, gateway.CheckMessage(r.Headers, p, ranges)...)
	if !diags.HasErrors() {
		diags = append(diags, checkMarkup(p)...)
	}
	return diags
}

func (r *Response) payload(ranges map[string]hcl.Range) gateway.Payload {
	return gateway.PayloadOf(r.Body, r.ContentType, ranges)
}

func (r *Response) checkSetStatus(e gateway.Expr) hcl.Diagnostics {
	if e.Op == gateway.OpCond {
		return append(r.checkSetStatus(e.Args[1]), r.checkSetStatus(e.Args[2])...)
	}
	v, ok := e.Const()
	if !ok {
		return nil
	}
	n, number := v.(float64)
	switch {
	case !number || n != math.Trunc(n) || n < 200 || n > 599:
		return problem(e.Range, "Invalid status", "A status is a whole number from 200 to 599.")
	case (n == 204 || n == 304) && !r.Body.IsZero():
		return problem(e.Range, "Status without a body", fmt.Sprintf("A response with status %v has no body. Remove body, or choose another status.", n))
	}
	return nil
}

func problem(at hcl.Range, summary, detail string) hcl.Diagnostics {
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at}}
}

// Kind is the feature as the translator and the language know it.
func Kind() translate.Kind {
	return translate.Kind{
		FeatureRule: gateway.FeatureRule{Type: "response", Combine: gateway.Compose, Levels: gateway.AllLevels, Since: 2},
		New:         func() gateway.Feature { return &Response{} },
		Route:       route,
	}
}

func route(features []gateway.Effective, out *translate.Route) error {
	if out.Program == nil {
		return nil // the gateway answers by itself, with what the route says
	}
	for _, f := range slices.Backward(features) {
		out.Program.Response = append(out.Program.Response, f.Feature.(*Response).change())
	}
	return nil
}

// change is the block as the script has it: null for an empty body, which has no content type.
func (r *Response) change() *gateway.ResponseChange {
	p := r.payload(nil)
	body := r.Body
	if p.IsEmpty() {
		body = gateway.Expr{Op: gateway.OpConst, Range: body.Range}
	}
	return &gateway.ResponseChange{
		Statuses: r.Statuses, SetStatus: r.SetStatus, Headers: gateway.LowerHeaders(r.Headers),
		Body: body, ContentType: p.Type(), Range: r.Range,
	}
}
