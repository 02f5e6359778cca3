package gateway

import (
	"regexp"
	"slices"
	"strings"
)

// Matches says whether a request meets the alternative, as the edge decides it, and what the variables of its path
// template, or the named groups of its regular expression, hold: the raw text, percent-encoding as sent. A match that
// is malformed, or whose function is not resolved, matches nothing.
func (m *Match) Matches(req Request) (vars map[string]string, ok bool) {
	if !m.matchesMethod(req.Method) {
		return nil, false
	}
	if vars, ok = m.matchesPath(req.Path); !ok {
		return nil, false
	}
	for _, c := range m.Headers {
		if !c.holds(req.values(c.Name)) {
			return nil, false
		}
	}
	for _, c := range m.Query {
		if !c.holds(req.query(c.Name)) {
			return nil, false
		}
	}
	return vars, true
}

// HostTable is the routes of one host in deciding order.
type HostTable []*TableRoute

// MatchTable returns the first entry that takes a request, and the variables of its path; nil where none does.
func MatchTable(table []*TableRoute, req Request) (entry *TableRoute, vars map[string]string) {
	for _, e := range table {
		if vars, ok := e.Match.Matches(req); ok {
			return e, vars
		}
	}
	return nil, nil
}

// methods is what was written, the one or the several.
func (m *Match) methods() []string {
	if m.Method != "" {
		return []string{m.Method}
	}
	return m.Methods
}

func (m *Match) matchesMethod(method string) bool {
	list := m.methods()
	return len(list) == 0 || slices.Contains(list, method)
}

func (m *Match) matchesPath(path string) (map[string]string, bool) {
	switch m.PathKind() {
	case PathExact:
		return nil, path == m.Path
	case PathTemplate:
		expr, err := templateRegex(m.Path)
		if err != nil {
			return nil, false
		}
		return fullMatch(expr, path)
	case PathRegex:
		return fullMatch(m.Regex, path)
	case PathPrefix:
		return nil, matchesPrefix(m.Prefix, path)
	}
	return nil, false // a function that is not resolved
}

// matchesPrefix compares by whole segments; a prefix that ends in a slash matches only what is below it.
func matchesPrefix(prefix, path string) bool {
	if prefix == "" {
		prefix = "/"
	}
	below, ok := strings.CutPrefix(path, prefix)
	return ok && (below == "" || below[0] == '/' || prefix[len(prefix)-1] == '/')
}

// fullMatch matches the whole text against an expression in RE2 syntax and returns its named groups.
func fullMatch(expr, text string) (map[string]string, bool) {
	if _, err := regexp.Compile(expr); err != nil {
		return nil, false
	}
	re, err := regexp.Compile(`\A(?:` + expr + `)\z`)
	if err != nil {
		return nil, false
	}
	groups := re.FindStringSubmatch(text)
	if groups == nil {
		return nil, false
	}
	var vars map[string]string
	for i, name := range re.SubexpNames() {
		if name == "" {
			continue
		}
		if vars == nil {
			vars = make(map[string]string)
		}
		vars[name] = groups[i]
	}
	return vars, true
}

// holds says whether a condition is met by one of the values, or by there being none.
func (c *ValueMatch) holds(values []string) bool {
	if c.Absent {
		return len(values) == 0
	}
	return slices.ContainsFunc(values, c.holdsFor)
}

func (c *ValueMatch) holdsFor(value string) bool {
	switch {
	case c.Present:
		return true
	case c.Exact != nil:
		return value == *c.Exact
	case c.Prefix != nil:
		return strings.HasPrefix(value, *c.Prefix)
	case c.Regex != nil:
		_, ok := fullMatch(*c.Regex, value)
		return ok
	}
	return false
}
