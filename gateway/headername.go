package gateway

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// headerToken is a header's name; % and backquotes, which Envoy's formats use, are not among its characters.
var headerToken = regexp.MustCompile("^[A-Za-z0-9!#$&'*+.^_|~-]+$")

// connectionHeaders are headers that the proxy itself writes, or that steer a connection.
var connectionHeaders = []string{
	"host", "connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
}

// IsHeaderName says that name can be the name of a header.
func IsHeaderName(name string) bool { return headerToken.MatchString(name) }

// HeaderFault says in a sentence why documents cannot write the header; empty if they can.
func HeaderFault(name string) string {
	lower := strings.ToLower(name)
	switch {
	case strings.HasPrefix(name, ":"):
		return fmt.Sprintf("%q is part of the request line, not a header. A destination's path and prefix_rewrite change the path, and so does a request block.", name)
	case !IsHeaderName(name):
		return fmt.Sprintf("%q is no header name: letters, digits and dashes make one.", name)
	case slices.Contains(connectionHeaders, lower):
		return fmt.Sprintf("%q belongs to the connection, which the gateway keeps itself. Remove it from the block.", name)
	case strings.HasPrefix(lower, "x-envoy-") || strings.HasPrefix(lower, "x-sluice-"):
		return fmt.Sprintf("%q is reserved: x-envoy- and x-sluice- headers steer the gateway. Choose another name.", name)
	}
	return ""
}

// HeaderValueFault says why the constants of an expression cannot stand in a header, as the end of "The value of NAME …";
// empty if they can. A list is several headers of one name. What a request inserts is checked when it does.
func HeaderValueFault(e Expr) string {
	switch e.Op {
	case OpConst:
		return constantFault(e.Value)
	case OpObject:
		return isObject
	case OpFor:
		if !e.Args[1].IsZero() {
			return isObject
		}
	case OpTemplate, OpTuple:
		return firstFault(e.Args)
	case OpCond:
		return firstFault(e.Args[1:])
	}
	return ""
}

const isObject = "is an object; a header's value is text: jsonencode() makes text of it"

func firstFault(list []Expr) string {
	for _, e := range list {
		if why := HeaderValueFault(e); why != "" {
			return why
		}
	}
	return ""
}

func constantFault(v any) string {
	switch v := v.(type) {
	case string:
		if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return "holds a line break or another control character, which would begin another header; remove it, for example with trimspace()"
		}
	case []any:
		for _, item := range v {
			if why := constantFault(item); why != "" {
				return why
			}
		}
	case map[string]any:
		return isObject
	}
	return ""
}

// CheckHeaders finds headers that cannot be written, and values that cannot stand in one. At is where the object stands.
func CheckHeaders(values map[string]Expr, at hcl.Range) (diags hcl.Diagnostics) {
	seen := map[string]bool{}
	for _, n := range slices.Sorted(maps.Keys(values)) {
		place := values[n].Range
		if place.Filename == "" {
			place = at
		}
		if why := HeaderFault(n); why != "" {
			diags = append(diags, fault(place, "Invalid header name", why)...)
			continue
		}
		if why := HeaderValueFault(values[n]); why != "" {
			diags = append(diags, fault(place, "Unsupported header value", fmt.Sprintf("The value of %q %s.", n, why))...)
		}
		if lower := strings.ToLower(n); seen[lower] {
			diags = append(diags, fault(place, "Duplicate header", fmt.Sprintf("%q stands here twice: names of headers have no case. Remove one of the two.", lower))...)
		}
		seen[strings.ToLower(n)] = true
	}
	return diags
}

// LowerHeaders is values by lower-case names; nil where there are none.
func LowerHeaders(values map[string]Expr) map[string]Expr {
	if len(values) == 0 {
		return nil
	}
	out := make(map[string]Expr, len(values))
	for n, v := range values {
		out[strings.ToLower(n)] = v
	}
	return out
}
