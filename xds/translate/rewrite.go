package translate

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/sluice-gateway/sluice/gateway"
)

// rewrite is a change of the path: one of a constant that replaces what the match took, and an expression over the
// whole path. Neither: the path stays.
type rewrite struct {
	prefix string
	regex  *matcherv3.RegexMatchAndSubstitute
}

// rewrite says how a path that matched p becomes whole, a template over the variables of p, or keeps what follows the
// matched prefix behind prefix. Query strings stay. Slashes are never doubled.
func (p path) rewrite(whole string, prefix *string) (rewrite, error) {
	switch {
	case whole != "":
		return p.rewriteWhole(whole)
	case prefix == nil:
		return rewrite{}, nil
	case p.kind != pathPrefix && p.kind != pathBelow:
		return p.rewriteWhole(rooted(*prefix))
	}
	to := strings.TrimRight(rooted(*prefix), "/")
	switch {
	case p.kind == pathBelow && p.text == to+"/":
		return rewrite{}, nil
	case p.kind == pathBelow:
		return rewrite{prefix: to + "/"}, nil
	case to == "":
		return substitute("^"+regexp.QuoteMeta(p.text)+"/?", "/"), nil
	}
	return rewrite{prefix: to}, nil
}

func rooted(s string) string {
	if strings.HasPrefix(s, "/") {
		return s
	}
	return "/" + s
}

func (p path) rewriteWhole(template string) (rewrite, error) {
	parts, err := gateway.ParsePathTemplate(template)
	if err != nil {
		return rewrite{}, err
	}
	var sub strings.Builder
	constant := true
	for _, part := range parts {
		if part.Literal != "" {
			sub.WriteString(strings.ReplaceAll(part.Literal, `\`, `\\`))
			continue
		}
		group := p.vars[part.Name]
		if group == 0 {
			return rewrite{}, fmt.Errorf("path %q uses variable %q, which the match does not have", template, part.Name)
		}
		if group > 9 {
			return rewrite{}, fmt.Errorf("path %q uses variable %q: of a match, the first nine can be used", template, part.Name)
		}
		constant = false
		sub.WriteString(`\` + strconv.Itoa(group))
	}
	switch {
	case constant && p.kind == pathExact:
		return rewrite{prefix: template}, nil
	case constant:
		return substitute("^.*$", sub.String()), nil
	}
	return substitute("^"+group(p.regex)+"$", sub.String()), nil
}

// group keeps an alternation together without a capture of its own.
func group(re string) string { return "(?:" + re + ")" }

func substitute(pattern, with string) rewrite {
	return rewrite{regex: &matcherv3.RegexMatchAndSubstitute{
		Pattern:      &matcherv3.RegexMatcher{Regex: pattern},
		Substitution: with,
	}}
}
