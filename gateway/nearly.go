package gateway

import (
	"slices"
	"strings"
)

// Miss is an entry that did not take a request, and why.
type Miss struct {
	Entry   *TableRoute
	Reasons []Reason // all that did not hold; never empty
}

// Reason is one condition that did not hold.
type Reason struct {
	What string // "method", "path", "header" or "query"
	Name string // of the header or query parameter
	Kind string // "exact", "template", "prefix", "regex", "present", "absent"; for a method "one of"; "function" if unresolved
	Want string // as written; empty for present and absent
	Got  string // what the request has
	None bool   // the request has no such header or parameter
}

// Nearly says of every entry that does not take a request why it does not, in the order of the table.
func (t HostTable) Nearly(req Request) []Miss {
	var out []Miss
	for _, e := range t {
		if reasons := e.Match.reasons(req); len(reasons) > 0 {
			out = append(out, Miss{Entry: e, Reasons: reasons})
		}
	}
	return out
}

func (m *Match) reasons(req Request) []Reason {
	var out []Reason
	if !m.matchesMethod(req.Method) {
		out = append(out, Reason{What: "method", Kind: "one of", Want: strings.Join(m.methods(), ", "), Got: req.Method})
	}
	if _, ok := m.matchesPath(req.Path); !ok {
		kind, want := m.pathCondition()
		out = append(out, Reason{What: "path", Kind: kind, Want: want, Got: req.Path})
	}
	out = slices.Concat(out, failed("header", m.Headers, req.values), failed("query", m.Query, req.query))
	return out
}

func failed(what string, conditions []*ValueMatch, get func(string) []string) []Reason {
	var out []Reason
	for _, c := range conditions {
		if values := get(c.Name); !c.holds(values) {
			kind, want := c.condition()
			out = append(out, Reason{
				What: what, Name: c.Name, Kind: kind, Want: want, Got: strings.Join(values, ","), None: len(values) == 0,
			})
		}
	}
	return out
}

// pathCondition is the condition on the path, by name, and its text.
func (m *Match) pathCondition() (kind, text string) {
	switch m.PathKind() {
	case PathExact:
		return "exact", m.Path
	case PathTemplate:
		return "template", m.Path
	case PathRegex:
		return "regex", m.Regex
	case PathUnresolved:
		return "function", m.Function.ID.String()
	}
	if m.Prefix == "" {
		return "prefix", "/"
	}
	return "prefix", m.Prefix
}
