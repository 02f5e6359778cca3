package gateway

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// ScopeFirstSegment is the scope of a listener whose table is parted by the first segment of the path: a change of one
// route has Envoy build the table of its segment anew, where it would build that of all hosts.
const ScopeFirstSegment = "first_segment"

// Scoped says that the table of the listener is parted by the first segment of the path.
func (l *Listener) Scoped() bool { return l != nil && l.Scope == ScopeFirstSegment }

// ScopeUnit names the part of a listener's table that holds the routes of one first segment. The segment "" is that of
// the path "/"; its scope is always there, so that Envoy hears of one.
func ScopeUnit(k ListenerKey, segment string) Unit {
	return Unit{Type: UnitScope, Name: k.String() + "/" + segment}
}

// FirstSegment is the first segment of every path that m takes; ok is false where they differ in it.
func (m *Match) FirstSegment() (segment string, ok bool) {
	text, whole := m.literal()
	rest, ok := strings.CutPrefix(text, "/")
	if !ok {
		return "", false
	}
	segment, _, slash := strings.Cut(rest, "/")
	return segment, slash || whole
}

// literal is what every path that m takes begins with, and whether the segment that it ends in ends there.
func (m *Match) literal() (text string, whole bool) {
	switch m.PathKind() {
	case PathExact:
		return m.Path, true
	case PathPrefix:
		return m.Prefix, !strings.HasSuffix(m.Prefix, "/")
	case PathTemplate:
		if parts, err := ParsePathTemplate(m.Path); err == nil {
			return parts[0].Literal, false
		}
	case PathRegex:
		if re, err := regexp.Compile(strings.TrimPrefix(m.Regex, "^")); err == nil {
			return re.LiteralPrefix()
		}
	}
	return "", false
}

// ScopeHost is what one scope of a listener has of one host.
type ScopeHost struct {
	Host  string
	Table []*TableRoute // in deciding order; empty where the scope has none and a wildcard host must not stand in for it
}

// scope puts an entry into the scope of its first segment.
func (f *flat) scope(k ListenerKey, host string, e *TableRoute) {
	segment, _ := e.Match.FirstSegment()
	u := ScopeUnit(k, segment)
	if f.scopes[u] == nil {
		if f.scopes == nil {
			f.scopes = map[Unit]map[string]bool{}
		}
		f.scopes[u] = map[string]bool{}
	}
	f.scopes[u][host] = true
}

// unscoped says that a match belongs to no one scope of a listener that has them.
func unscoped(k ListenerKey, m *Match, at hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Route outside of scopes", Subject: &at,
		Detail: "The listener " + k.String() + " parts its routes by the first segment of the path (scope = \"first_segment\"), and this match takes " +
			"paths that differ in it. Begin its path, prefix or regex with a whole segment, such as \"/shop/\", or serve the route on a listener without a scope.",
	}
}

// countScopes keeps which hosts have routes in a scope, and marks the scopes of a flat form.
func (a *application) countScopes(f *flat, n int) {
	if f == nil {
		return
	}
	for u, hosts := range f.scopes {
		a.units[u] = struct{}{}
		for h := range hosts {
			a.w.scopes.add(u.Name, h, n)
		}
	}
}

// hostsChanged marks the scopes of a host's listener in which a wildcard host could stand in for it.
func (a *application) hostsChanged(host Unit) {
	listener, name, _ := strings.Cut(host.Name, "/")
	for scope, hosts := range a.w.scopes.entries() {
		if !strings.HasPrefix(scope, listener+"/") {
			continue
		}
		for h := range hosts {
			if covers(h, name) {
				a.units[Unit{UnitScope, scope}] = struct{}{}
				break
			}
		}
	}
}

// covers says that a wildcard host takes requests for another host that is not there.
func covers(wildcard, host string) bool {
	if wildcard == "*" {
		return host != "*"
	}
	suffix, ok := strings.CutPrefix(wildcard, "*")
	return ok && host != wildcard && strings.HasSuffix(host, suffix)
}

// scopeInputs collects the hosts of one scope. A host that has no routes there is in it nevertheless, where a wildcard
// host of the scope would take its requests: the longest host that matches decides, whether it has a route or not.
func (w *World) scopeInputs(in *Inputs) {
	name, segment, _ := strings.Cut(in.Unit.Name, "/")
	hosts := w.scopes.of(in.Unit.Name)
	gw, listener, _ := strings.Cut(name, ".")
	g := w.gateways.get(gw)
	if g == nil || !g.listener(listener).Scoped() || segment != "" && len(hosts) == 0 {
		return
	}
	w.listenerInputs(in, name)
	in.Segment = segment
	k := ListenerKey{gw, listener}
	wild := slices.DeleteFunc(slices.Collect(maps.Keys(hosts)), func(h string) bool { return !strings.HasPrefix(h, "*") })
	if len(wild) > 0 {
		for _, h := range w.Hosts(k) {
			if hosts[h] == 0 && slices.ContainsFunc(wild, func(by string) bool { return covers(by, h) }) {
				in.Hosts = append(in.Hosts, ScopeHost{Host: h})
			}
		}
	}
	for h := range hosts {
		part := ScopeHost{Host: h}
		for _, e := range w.Table(k, h) {
			if s, _ := e.Match.FirstSegment(); s == segment {
				part.Table = append(part.Table, e)
			}
		}
		in.tableForms(w, part.Table)
		in.Hosts = append(in.Hosts, part)
	}
	slices.SortFunc(in.Hosts, func(a, b ScopeHost) int { return strings.Compare(a.Host, b.Host) })
}
