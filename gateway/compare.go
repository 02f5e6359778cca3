package gateway

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// CompareTable orders the entries of a host's table, the deciding one first: higher priority; exact path, template,
// prefix (the longest first), regular expression; more conditions; document; place in it; the alternative's number; a
// variant before the plain entry. It is a strict total order: 0 is one and the same entry.
func CompareTable(a, b *TableRoute) int {
	if c := cmp.Or(
		cmp.Compare(b.Route.Priority, a.Route.Priority),
		cmp.Compare(a.Match.PathKind(), b.Match.PathKind()),
		cmp.Compare(prefixLength(b.Match), prefixLength(a.Match)),
		cmp.Compare(b.Match.conditions(), a.Match.conditions()),
		strings.Compare(a.Route.Range.Filename, b.Route.Range.Filename),
		cmp.Compare(a.Route.Range.Start.Byte, b.Route.Range.Start.Byte),
		strings.Compare(a.Route.Name, b.Route.Name), // instances of one for_each stand in one place
		cmp.Compare(a.Index, b.Index),
		compareVariant(a.Variant, b.Variant),
	); c != 0 || a.Match == b.Match {
		return c
	}
	return strings.Compare(a.Match.claim(), b.Match.claim()) // alternatives of one variant
}

// prefixLength is 0 where the path is no prefix.
func prefixLength(m *Match) int {
	if m.PathKind() != PathPrefix {
		return 0
	}
	return max(len(m.Prefix), 1)
}

// conditions counts what m demands besides the path; methods are one.
func (m *Match) conditions() int {
	return min(len(m.methods()), 1) + len(m.Headers) + len(m.Query)
}

func compareVariant(a, b *Variant) int {
	switch {
	case a == b:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return cmp.Or(
		strings.Compare(a.Range.Filename, b.Range.Filename),
		cmp.Compare(a.Range.Start.Byte, b.Range.Start.Byte),
		strings.Compare(a.Name, b.Name),
	)
}

// ClaimOf is the identity of what an entry claims on a host of a listener. Entries with equal claims can never both be
// of use: they have one priority and equal conditions, whatever the order in which these are written and whatever the
// names of the path's variables. It is no prose; compare it only.
func ClaimOf(k ListenerKey, host string, m *Match, priority int) string {
	return list(k.Gateway, k.Listener, strings.ToLower(host), strconv.Itoa(priority)) + m.claim()
}

// claim is the canonical text of the conditions.
func (m *Match) claim() string {
	methods := slices.Sorted(slices.Values(m.methods()))
	return list(m.claimPath()...) + list(slices.Compact(methods)...) +
		list(claims(m.Headers, strings.ToLower)...) + list(claims(m.Query, strings.Clone)...)
}

func (m *Match) claimPath() []string {
	switch m.PathKind() {
	case PathExact:
		return []string{"exact", m.Path}
	case PathTemplate:
		out := []string{"template"}
		parts, err := ParsePathTemplate(m.Path)
		if err != nil {
			return append(out, m.Path)
		}
		for _, p := range parts {
			switch {
			case p.Rest:
				out = append(out, "{**}")
			case p.Literal == "":
				out = append(out, "{*}")
			default:
				out = append(out, p.Literal)
			}
		}
		return out
	case PathRegex:
		return []string{"regex", m.Regex}
	case PathUnresolved:
		return []string{"function", m.Function.Name}
	}
	return []string{"prefix", cmp.Or(m.Prefix, "/")}
}

// claims lists conditions, each once and sorted.
func claims(conditions []*ValueMatch, fold func(string) string) []string {
	out := make([]string, 0, len(conditions))
	for _, c := range conditions {
		kind, value := c.condition()
		out = append(out, list(fold(c.Name), kind, value))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// condition is the one that is set, by name, and its value.
func (c *ValueMatch) condition() (kind, value string) {
	switch {
	case c.Absent:
		return "absent", ""
	case c.Present:
		return "present", ""
	case c.Exact != nil:
		return "exact", *c.Exact
	case c.Prefix != nil:
		return "prefix", *c.Prefix
	case c.Regex != nil:
		return "regex", *c.Regex
	}
	return "nothing", ""
}

// list writes items so that no two different lists look alike.
func list(items ...string) string {
	var b strings.Builder
	b.WriteByte('[')
	for _, s := range items {
		b.WriteString(strconv.Quote(s))
	}
	b.WriteByte(']')
	return b.String()
}
