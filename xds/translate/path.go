package translate

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

type pathKind uint8

const (
	pathExact    pathKind = iota + 1
	pathPrefix            // by whole segments
	pathTemplate          // compiled to a regular expression
	pathRegex
)

// path is a match's condition on the path, parsed.
type path struct {
	kind    pathKind
	text    string         // exact path; prefix without a final slash, but for "/"
	regex   string         // template or regular expression, for the whole path
	vars    map[string]int // variables, and the group that captures each
	literal string         // what every matching path begins with; empty for a regular expression that says nothing
}

// parsePath reads the path condition of a match. A template becomes a regular expression whose variables each take one
// segment that is not empty: any byte but a slash, which Envoy's own template matcher does not offer, and any number of
// variables, also within a segment. {name=**} takes the rest of the path, which may be empty.
func parsePath(m *gateway.Match) (path, error) {
	switch {
	case m.Path != "" && strings.ContainsAny(m.Path, "{}"):
		return parseTemplate(m.Path)
	case m.Path != "":
		return path{kind: pathExact, text: m.Path, literal: m.Path}, nil
	case m.Regex != "":
		return parseRegex(m.Regex)
	case m.Function.ID != gateway.ID{}:
		return path{}, fmt.Errorf("the match names %s, which was not resolved", m.Function.ID)
	}
	text := strings.TrimRight(m.Prefix, "/")
	if text == "" {
		text = "/"
	}
	return path{kind: pathPrefix, text: text, literal: text}, nil
}

func parseTemplate(template string) (path, error) {
	p := path{kind: pathTemplate, vars: map[string]int{}}
	var re strings.Builder
	parts, err := splitTemplate(template)
	if err != nil {
		return path{}, err
	}
	for i, part := range parts {
		switch {
		case part.name == "":
			re.WriteString(regexp.QuoteMeta(part.text))
			if i == 0 {
				p.literal = part.text
			}
			continue
		case p.vars[part.name] != 0:
			return path{}, fmt.Errorf("path template %q has two variables %q", template, part.name)
		case part.rest && i != len(parts)-1:
			return path{}, fmt.Errorf("path template %q goes on after {%s=**}", template, part.name)
		case part.rest:
			re.WriteString("(.*)")
		default:
			re.WriteString("([^/]+)")
		}
		p.vars[part.name] = len(p.vars) + 1
	}
	p.regex = re.String()
	return p, nil
}

// templatePart is literal text, or a variable.
type templatePart struct {
	text string
	name string
	rest bool // {name=**}
}

// splitTemplate parts a template into literal text and variables.
func splitTemplate(template string) ([]templatePart, error) {
	var parts []templatePart
	for rest := template; rest != ""; {
		open := strings.IndexAny(rest, "{}")
		if open < 0 {
			return append(parts, templatePart{text: rest}), nil
		}
		if rest[open] == '}' {
			return nil, fmt.Errorf("path template %q closes a variable that it does not open", template)
		}
		if open > 0 {
			parts = append(parts, templatePart{text: rest[:open]})
		}
		end := strings.IndexAny(rest[open+1:], "{}")
		if end < 0 || rest[open+1+end] == '{' {
			return nil, fmt.Errorf("path template %q opens a variable that it does not close", template)
		}
		name, glob, found := strings.Cut(rest[open+1:open+1+end], "=")
		if name == "" || found && glob != "**" && glob != "*" {
			return nil, fmt.Errorf("path template %q: a variable is {name} or {name=**}", template)
		}
		parts = append(parts, templatePart{name: name, rest: glob == "**"})
		rest = rest[open+1+end+1:]
	}
	return parts, nil
}

// parseRegex keeps the expression as it is; its named groups are variables.
func parseRegex(expr string) (path, error) {
	// An anchor at the start means nothing where the whole path must match, and hides the literal beginning.
	re, err := regexp.Compile(strings.TrimPrefix(expr, "^"))
	if err != nil {
		return path{}, fmt.Errorf("regular expression %q: %w", expr, err)
	}
	p := path{kind: pathRegex, regex: expr, vars: map[string]int{}}
	p.literal, _ = re.LiteralPrefix()
	for i, name := range re.SubexpNames() {
		if name != "" {
			p.vars[name] = i
		}
	}
	return p, nil
}
