// Package request is the feature "request": what the upstream gets instead of what the client sent.
package request

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// Request changes a request on its way to the upstream. What is left out stays as it was. Blocks of several levels all
// act, the weakest first; every expression sees the request as the client sent it.
type Request struct {
	gateway.FeatureBase
	Method      gateway.Expr            `hcl:"method,optional"`
	Path        gateway.Expr            `hcl:"path,optional"`    // template; what it inserts is escaped per segment
	Query       map[string]gateway.Expr `hcl:"query,optional"`   // sets parameters; null removes
	Headers     map[string]gateway.Expr `hcl:"headers,optional"` // sets headers; null removes
	Body        gateway.Expr            `hcl:"body,optional"`    // an object or a list is sent as JSON, or as ContentType says
	ContentType string                  `hcl:"content_type,optional"`
}

var (
	_ gateway.Feature = (*Request)(nil)
	_ gateway.Checker = (*Request)(nil)
)

// FeatureType is the block's name.
func (*Request) FeatureType() string { return "request" }

// Check refuses what no request can be, and bodies that a value could break out of.
func (r *Request) Check(ranges map[string]hcl.Range) hcl.Diagnostics {
	if r.empty() && r.Enabled == nil {
		return problem(ranges[""], "Empty request", "A request block changes at least one of method, path, query, headers and body.")
	}
	diags := r.checkMethod(r.Method)
	diags = append(diags, checkPath(r.Path)...)
	return append(diags, gateway.CheckMessage(r.Headers, r.payload(ranges), ranges)...)
}

func (r *Request) empty() bool {
	return r.Method.IsZero() && r.Path.IsZero() && len(r.Query) == 0 && len(r.Headers) == 0 && r.Body.IsZero() && r.ContentType == ""
}

func (r *Request) payload(ranges map[string]hcl.Range) gateway.Payload {
	return gateway.PayloadOf(r.Body, r.ContentType, ranges)
}

var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

func (r *Request) checkMethod(e gateway.Expr) hcl.Diagnostics {
	if e.Op == gateway.OpCond {
		return append(r.checkMethod(e.Args[1]), r.checkMethod(e.Args[2])...)
	}
	v, ok := e.Const()
	if name, text := v.(string); !ok || text && slices.Contains(methods, name) {
		return nil
	}
	return problem(e.Range, "Invalid method", fmt.Sprintf("A request's method is one of %s.", strings.Join(methods, ", ")))
}

func problem(at hcl.Range, summary, detail string) hcl.Diagnostics {
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at}}
}

// Kind is the feature as the translator and the language know it.
func Kind() translate.Kind {
	return translate.Kind{
		FeatureRule: gateway.FeatureRule{Type: "request", Combine: gateway.Compose, Levels: gateway.AllLevels, Since: 2},
		New:         func() gateway.Feature { return &Request{} },
		Route:       route,
	}
}

func route(features []gateway.Effective, out *translate.Route) error {
	if out.Program == nil {
		return nil // the gateway answers by itself: nobody gets a request
	}
	nearest := pathLevel(features)
	if rewritten := out.Dest.To != nil && (out.Dest.To.Path != "" || out.Dest.To.PrefixRewrite != nil); rewritten {
		if nearest == gateway.LevelTo {
			out.Action.PrefixRewrite, out.Action.RegexRewrite = "", nil // of the same destination, but the block says more
		} else {
			nearest = 0 // the destination's own path is nearer than all blocks that have one
		}
	}
	for _, e := range features {
		r := e.Feature.(*Request)
		change := r.change()
		if nearest == 0 {
			change.Path = gateway.Expr{}
		}
		out.Program.Request = append(out.Program.Request, change)
	}
	return nil
}

// pathLevel is the nearest level whose block has a path; 0 where none has.
func pathLevel(features []gateway.Effective) (level gateway.Level) {
	for _, e := range features {
		if !e.Feature.(*Request).Path.IsZero() {
			level = e.Level
		}
	}
	return level
}

// change is the block as the script has it. A request that becomes a GET or HEAD loses its body.
func (r *Request) change() *gateway.RequestChange {
	p := r.payload(nil)
	c := &gateway.RequestChange{
		Method: r.Method, Path: r.Path, Query: r.Query, Headers: gateway.LowerHeaders(r.Headers),
		Body: r.Body, ContentType: p.Type(), Range: r.Range,
	}
	m, _ := r.Method.Const()
	if bodiless := m == "GET" || m == "HEAD"; p.IsEmpty() || r.Body.IsZero() && bodiless {
		c.Body = gateway.Expr{Op: gateway.OpConst, Range: r.Range} // null: it has no content type either
	}
	return c
}
