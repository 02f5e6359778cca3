// Package extauthz is the feature "ext_authz": a service of the user's decides about each request.
package extauthz

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// The ways to ask an authorization service.
const (
	overGRPC = "grpc"
	overHTTP = "http"
)

// What a request gets about which nobody decides.
const (
	onErrorDeny  = "deny"
	onErrorAllow = "allow"
)

// maxBody bounds what is held of a request's body to be sent along.
const maxBody = 1 << 20

// ExtAuthz asks a service whether a request may pass. Without an answer the request does not, unless OnError says otherwise.
type ExtAuthz struct {
	gateway.FeatureBase
	Upstream   gateway.Ref       `hcl:"upstream" ref:"upstream"`
	Protocol   string            `hcl:"protocol,optional" default:"grpc" oneof:"grpc http"`
	Path       string            `hcl:"path,optional"`        // http: what is asked, instead of the request's own path
	PathPrefix string            `hcl:"path_prefix,optional"` // http: before the request's own path
	Timeout    time.Duration     `hcl:"timeout,optional" default:"200ms" min:"1ms" max:"30s"`
	OnError    string            `hcl:"on_error,optional" default:"deny" oneof:"deny allow"`
	Headers    []string          `hcl:"headers,optional"`     // of the request that are sent; NAME, or PREFIX*
	ToUpstream []string          `hcl:"to_upstream,optional"` // headers of an answer that lets pass; NAME, or PREFIX*
	ToClient   []string          `hcl:"to_client,optional"`   // http: headers of the answer; NAME, or PREFIX*
	Client     bool              `hcl:"client,optional"`      // the answer's header x-sluice-client names who calls
	Context    map[string]string `hcl:"context,optional"`
	Body       *Body             `hcl:"include_body,block"`
}

// Body sends the request's body along.
type Body struct {
	Max     string `hcl:"max"`
	Partial bool   `hcl:"partial,optional"` // of a larger body the first Max; else it is refused with 413
}

var (
	_ gateway.Feature = (*ExtAuthz)(nil)
	_ gateway.Checker = (*ExtAuthz)(nil)
	_ gateway.Checker = (*Body)(nil)
)

// FeatureType is the block's name.
func (*ExtAuthz) FeatureType() string { return "ext_authz" }

// Refs names the upstream that decides.
func (e *ExtAuthz) Refs() []gateway.Ref { return []gateway.Ref{e.Upstream} }

// Kind is the feature as the translator and the language know it.
func Kind() translate.Kind {
	return translate.Kind{
		FeatureRule: gateway.FeatureRule{Type: "ext_authz", Combine: gateway.Add, Levels: gateway.AllLevels},
		New:         func() gateway.Feature { return &ExtAuthz{} },
		Filters: func() []translate.Filter {
			return []translate.Filter{translate.ChainFilter(place, "envoy.filters.http.ext_authz", "envoy.filters.http.header_mutation")}
		},
		Route: route,
	}
}

// Check refuses what only one of the protocols has, and headers that a service may not set.
func (e *ExtAuthz) Check(ranges map[string]hcl.Range) hcl.Diagnostics {
	r := reporter{ranges: ranges}
	if e.Protocol == overGRPC {
		for _, name := range []string{"path", "path_prefix", "to_client"} {
			if _, set := ranges[name]; set {
				r.report(name, "Unsupported argument", fmt.Sprintf("%s is for a service that is asked over HTTP. Remove it, or say protocol = \"http\".", name))
			}
		}
	}
	if e.Path != "" && e.PathPrefix != "" {
		r.report("path", "Invalid path", "path replaces the path of the request, and path_prefix goes before it. Remove one of the two.")
	}
	r.path("path", e.Path)
	r.path("path_prefix", e.PathPrefix)
	r.headers("headers", e.Headers, readFault)
	r.headers("to_upstream", e.ToUpstream, gateway.HeaderFault)
	r.headers("to_client", e.ToClient, gateway.HeaderFault)
	for _, key := range slices.Sorted(maps.Keys(e.Context)) {
		switch value := e.Context[key]; {
		case e.Protocol == overGRPC && slices.Contains([]string{"route", "upstream", "function"}, key):
			r.report("context", "Reserved context", fmt.Sprintf("%q is what the gateway itself tells the service. Choose another name.", key))
		case !gateway.IsHeaderName(key):
			r.report("context", "Invalid context", fmt.Sprintf("%q is no name: letters, digits, dashes and underscores make one.", key))
		case gateway.HeaderValueFault(gateway.Expr{Op: gateway.OpConst, Value: value}) != "":
			r.report("context", "Invalid context", fmt.Sprintf("The value of %q holds a line break or another control character. Remove it.", key))
		}
	}
	return r.diags
}

// Check refuses sizes that cannot be held.
func (b *Body) Check(ranges map[string]hcl.Range) hcl.Diagnostics {
	r := reporter{ranges: ranges}
	switch n, err := gateway.ParseSize(b.Max); {
	case err != nil:
		r.report("max", "Invalid size", fmt.Sprintf("%s.", err))
	case n == 0 || n > maxBody:
		r.report("max", "Invalid size", fmt.Sprintf("The gateway holds %s of each request in memory. Between 1B and 1MiB can be held.", b.Max))
	}
	return r.diags
}

// size is Max in bytes.
func (b *Body) size() uint32 {
	n, err := gateway.ParseSize(b.Max)
	if err != nil { // Check has refused it
		return 0
	}
	return uint32(n)
}

// reporter collects the diagnostics of a block.
type reporter struct {
	ranges map[string]hcl.Range
	diags  hcl.Diagnostics
}

func (r *reporter) report(attribute, summary, detail string) {
	at, ok := r.ranges[attribute]
	if !ok {
		at = r.ranges[""]
	}
	r.diags = append(r.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at})
}

func (r *reporter) path(attribute, path string) {
	if path == "" {
		return
	}
	if !strings.HasPrefix(path, "/") || strings.ContainsFunc(path, func(c rune) bool { return c <= ' ' || c > '~' || c == '#' || c == '?' }) {
		r.report(attribute, "Invalid path", fmt.Sprintf("%q is no path: it begins with a slash, and has neither spaces nor a query.", path))
	}
}

// headers checks names of headers, of which a last * makes prefixes.
func (r *reporter) headers(attribute string, names []string, fault func(string) string) {
	for _, name := range names {
		if why := fault(strings.TrimSuffix(name, "*")); why != "" {
			r.report(attribute, "Invalid header name", why)
		}
	}
}

// readFault says why a header cannot be sent to the service; those that nobody may set can.
func readFault(name string) string {
	if gateway.IsHeaderName(name) {
		return ""
	}
	return fmt.Sprintf("%q is no header name: letters, digits and dashes make one, and at its end a * stands for whatever follows.", name)
}
