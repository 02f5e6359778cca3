package gateway

import (
	"fmt"
	"regexp"
	"strings"
)

// PathKind is how a match looks at the path.
type PathKind uint8

// The kinds in the order in which they decide. PathUnresolved is a function whose path is not known.
const (
	PathExact PathKind = iota + 1
	PathTemplate
	PathPrefix
	PathRegex
	PathUnresolved
)

// PathKind says how m looks at the path; nothing written is the prefix "/".
func (m *Match) PathKind() PathKind {
	switch {
	case m.Path != "" && strings.ContainsAny(m.Path, "{}"):
		return PathTemplate
	case m.Path != "":
		return PathExact
	case m.Regex != "":
		return PathRegex
	case m.Prefix == "" && !m.Function.IsZero():
		return PathUnresolved
	}
	return PathPrefix
}

// PathPart is a piece of a path template: literal text, or a variable.
type PathPart struct {
	Literal string // empty for a variable
	Name    string // of a variable
	Rest    bool   // {name=**}: takes all that is left, slashes too, or nothing
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// ParsePathTemplate parts a path template. {name} is one segment or a piece of one, never empty and without a slash;
// {name=**} stands last, after a slash. The error says what is wrong for the template's author.
func ParsePathTemplate(template string) ([]PathPart, error) {
	if !strings.HasPrefix(template, "/") {
		return nil, fmt.Errorf("the path %q does not begin with a slash", template)
	}
	var parts []PathPart
	seen := make(map[string]bool)
	for rest := template; rest != ""; {
		literal, after, opens := strings.Cut(rest, "{")
		if strings.Contains(literal, "}") {
			return nil, fmt.Errorf("the path %q closes a variable that it does not open", template)
		}
		if literal != "" {
			parts = append(parts, PathPart{Literal: literal})
		}
		if !opens {
			break
		}
		inner, next, closes := strings.Cut(after, "}")
		if !closes || strings.Contains(inner, "{") {
			return nil, fmt.Errorf("the path %q opens a variable that it does not close", template)
		}
		part, err := parseVariable(template, inner, literal, next)
		if err != nil {
			return nil, err
		}
		if seen[part.Name] {
			return nil, fmt.Errorf("the path %q has two variables named %q", template, part.Name)
		}
		seen[part.Name] = true
		parts = append(parts, part)
		rest = next
	}
	return parts, nil
}

func parseVariable(template, inner, before, after string) (PathPart, error) {
	name, glob, has := strings.Cut(inner, "=")
	part := PathPart{Name: name, Rest: glob == "**"}
	switch {
	case !variableName.MatchString(name):
		return part, fmt.Errorf("the path %q has a variable named %q: a name is letters, digits and underscores, and begins with no digit", template, name)
	case has && glob != "**" && glob != "*":
		return part, fmt.Errorf("the path %q has {%s}: a variable is written {%s} or {%s=**}", template, inner, name, name)
	case part.Rest && after != "":
		return part, fmt.Errorf("the path %q goes on after {%s}, which takes all that is left", template, inner)
	case part.Rest && !strings.HasSuffix(before, "/"):
		return part, fmt.Errorf("the path %q has {%s} within a segment: it follows a slash", template, inner)
	}
	return part, nil
}

// templateRegex is the regular expression of a path template, its variables named groups.
func templateRegex(template string) (string, error) {
	parts, err := ParsePathTemplate(template)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, p := range parts {
		switch {
		case p.Literal != "":
			b.WriteString(regexp.QuoteMeta(p.Literal))
		case p.Rest:
			b.WriteString("(?P<" + p.Name + ">.*)")
		default:
			b.WriteString("(?P<" + p.Name + ">[^/]+)")
		}
	}
	return b.String(), nil
}
