package translate

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

type pathKind uint8

const (
	pathExact  pathKind = iota + 1
	pathPrefix          // by whole segments
	pathBelow           // a prefix that ends in a slash: only what is below it
	pathRegex           // a template or a regular expression
)

// path is a match's condition on the path, parsed.
type path struct {
	kind    pathKind
	text    string         // exact path or prefix
	regex   string         // template or regular expression, for the whole path
	vars    map[string]int // variables, and the group that captures each
	literal literal        // what every matching path begins with; empty for a regular expression that says nothing
}

// parsePath reads the path condition of a match. A template becomes a regular expression: Envoy's own template matcher
// takes five variables at most, one in a segment, and not every byte that a segment may hold; and it costs more time and
// memory.
func parsePath(m *gateway.Match) (path, error) {
	switch m.PathKind() {
	case gateway.PathExact:
		return path{kind: pathExact, text: m.Path, literal: literal{text: m.Path, reach: reachExact}}, nil
	case gateway.PathTemplate:
		return parseTemplate(m.Path)
	case gateway.PathRegex:
		return parseRegex(m.Regex)
	case gateway.PathPrefix:
		text := m.Prefix
		if text == "" {
			text = "/"
		}
		if strings.HasSuffix(text, "/") {
			return path{kind: pathBelow, text: text, literal: literal{text: text, reach: reachAny}}, nil
		}
		return path{kind: pathPrefix, text: text, literal: literal{text: text, reach: reachSegment}}, nil
	}
	return path{}, fmt.Errorf("the match names %s, which was not resolved", m.Function.ID)
}

func parseTemplate(template string) (path, error) {
	parts, err := gateway.ParsePathTemplate(template)
	if err != nil {
		return path{}, err
	}
	p := path{kind: pathRegex, vars: map[string]int{}}
	var re strings.Builder
	for i, part := range parts {
		switch {
		case part.Literal != "":
			re.WriteString(regexp.QuoteMeta(part.Literal))
			if i == 0 {
				p.literal.text = part.Literal
			}
			continue
		case part.Rest:
			re.WriteString("(.*)")
		default:
			re.WriteString("([^/]+)")
		}
		p.vars[part.Name] = len(p.vars) + 1
	}
	p.regex = re.String()
	return p, nil
}

// parseRegex keeps the expression as it is; its named groups are variables.
func parseRegex(expr string) (path, error) {
	// An anchor at the start means nothing where the whole path must match, and hides the literal beginning.
	re, err := regexp.Compile(strings.TrimPrefix(expr, "^"))
	if err != nil {
		return path{}, fmt.Errorf("regular expression %q: %w", expr, err)
	}
	p := path{kind: pathRegex, regex: expr, vars: map[string]int{}}
	p.literal.text, _ = re.LiteralPrefix()
	for i, name := range re.SubexpNames() {
		if name != "" {
			p.vars[name] = i
		}
	}
	return p, nil
}
