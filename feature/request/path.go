package request

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
)

var pathText = regexp.MustCompile(`^([A-Za-z0-9/._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*$`)

// checkPath finds paths that do not begin with a slash, and text that is no part of one. What a template inserts is
// escaped, its slashes included, so the text around decides the segments.
func checkPath(e gateway.Expr) hcl.Diagnostics {
	if e.IsZero() {
		return nil
	}
	var diags hcl.Diagnostics
	texts(e, func(part gateway.Expr, text string) {
		if why := pathFault(text); why != "" {
			diags = append(diags, problem(part.Range, "Invalid path", why)...)
		}
	})
	if diags == nil && !rooted(e) {
		diags = problem(e.Range, "Invalid path", `A path begins with a slash that is written: "/users/${request.path.id}". What is inserted is escaped, its slashes included.`)
	}
	return diags
}

func pathFault(text string) string {
	switch {
	case strings.ContainsAny(text, "?#"):
		return "A path has no ? and no #. Query parameters stand in query, and # never reaches a server."
	case strings.ContainsAny(text, "{}"):
		return "Variables of the route's match are inserted as ${request.path.NAME} here."
	case !pathText.MatchString(text):
		return fmt.Sprintf("%q is not all text of a path. Other characters are written percent-encoded: %%20 is a space.", text)
	case slices.ContainsFunc(strings.Split(text, "/"), func(s string) bool { return s == ".." || s == "." }):
		return `The segments "." and ".." lead elsewhere. Write the path that is meant.`
	}
	return ""
}

// texts calls visit for every text that becomes part of the path as it stands.
func texts(e gateway.Expr, visit func(gateway.Expr, string)) {
	switch e.Op {
	case gateway.OpConst:
		if s, ok := e.Value.(string); ok {
			visit(e, s)
		}
	case gateway.OpTemplate:
		for _, a := range e.Args {
			texts(a, visit)
		}
	case gateway.OpCond:
		texts(e.Args[1], visit)
		texts(e.Args[2], visit)
	}
}

// rooted says that a path begins with a slash, whatever it inserts.
func rooted(e gateway.Expr) bool {
	switch e.Op {
	case gateway.OpConst:
		s, _ := e.Value.(string)
		return strings.HasPrefix(s, "/")
	case gateway.OpTemplate:
		return len(e.Args) > 0 && rooted(e.Args[0])
	case gateway.OpCond:
		return rooted(e.Args[1]) && rooted(e.Args[2])
	}
	return false
}
