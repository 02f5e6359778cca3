package translate

import (
	"fmt"
	"regexp"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/sluice-gateway/sluice/gateway"
)

// match builds Envoy's condition of one alternative.
func match(m *gateway.Match, p path) (*routev3.RouteMatch, error) {
	out := &routev3.RouteMatch{}
	switch {
	case p.kind == pathExact:
		out.PathSpecifier = &routev3.RouteMatch_Path{Path: p.text}
	case p.kind == pathBelow:
		out.PathSpecifier = &routev3.RouteMatch_Prefix{Prefix: p.text}
	case p.kind == pathPrefix:
		out.PathSpecifier = &routev3.RouteMatch_PathSeparatedPrefix{PathSeparatedPrefix: p.text}
	default:
		out.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: p.regex}}
	}
	if h := methods(m); h != nil {
		out.Headers = append(out.Headers, h)
	}
	for _, c := range m.Headers {
		h, err := headerCondition(c)
		if err != nil {
			return nil, fmt.Errorf("header %q: %w", c.Name, err)
		}
		out.Headers = append(out.Headers, h)
	}
	for _, c := range m.Query {
		q, err := queryCondition(c)
		if err != nil {
			return nil, fmt.Errorf("query %q: %w", c.Name, err)
		}
		out.QueryParameters = append(out.QueryParameters, q)
	}
	return out, nil
}

func methods(m *gateway.Match) *routev3.HeaderMatcher {
	list := m.Methods
	if m.Method != "" {
		list = []string{m.Method}
	}
	if len(list) == 0 {
		return nil
	}
	h := &routev3.HeaderMatcher{Name: ":method"}
	if len(list) == 1 {
		h.HeaderMatchSpecifier = &routev3.HeaderMatcher_StringMatch{StringMatch: exact(list[0])}
		return h
	}
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = regexp.QuoteMeta(s)
	}
	h.HeaderMatchSpecifier = &routev3.HeaderMatcher_StringMatch{StringMatch: fullRegex(strings.Join(quoted, "|"))}
	return h
}

func headerCondition(c *gateway.ValueMatch) (*routev3.HeaderMatcher, error) {
	h := &routev3.HeaderMatcher{Name: strings.ToLower(c.Name)}
	if c.Present || c.Absent {
		h.HeaderMatchSpecifier = &routev3.HeaderMatcher_PresentMatch{PresentMatch: c.Present}
		return h, nil
	}
	s, err := stringCondition(c)
	if err != nil {
		return nil, err
	}
	h.HeaderMatchSpecifier = &routev3.HeaderMatcher_StringMatch{StringMatch: s}
	return h, nil
}

func queryCondition(c *gateway.ValueMatch) (*routev3.QueryParameterMatcher, error) {
	q := &routev3.QueryParameterMatcher{Name: c.Name}
	if c.Present || c.Absent {
		q.QueryParameterMatchSpecifier = &routev3.QueryParameterMatcher_PresentMatch{PresentMatch: c.Present}
		return q, nil
	}
	s, err := stringCondition(c)
	if err != nil {
		return nil, err
	}
	q.QueryParameterMatchSpecifier = &routev3.QueryParameterMatcher_StringMatch{StringMatch: s}
	return q, nil
}

func stringCondition(c *gateway.ValueMatch) (*matcherv3.StringMatcher, error) {
	switch {
	case c.Exact != nil:
		return exact(*c.Exact), nil
	case c.Prefix != nil && *c.Prefix == "": // Envoy refuses it; every value begins with nothing
		return fullRegex("(?s).*"), nil
	case c.Prefix != nil:
		return beginning(*c.Prefix), nil
	case c.Regex != nil:
		return fullRegex(*c.Regex), nil
	}
	return nil, fmt.Errorf("no condition is set")
}

func exact(s string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: s}}
}

func beginning(s string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: s}}
}

func fullRegex(re string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{
		SafeRegex: &matcherv3.RegexMatcher{Regex: re},
	}}
}

// Literal escapes text for a place where Envoy expands %COMMANDS%.
func Literal(s string) string { return strings.ReplaceAll(s, "%", "%%") }
