package console

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// RouteFilter selects routes; its zero value selects all.
type RouteFilter struct{ Gateway, Host, Name string }

// Routes lists the tables of all hosts in deciding order.
func Routes(w *gateway.World, f RouteFilter) []Route {
	out := []Route{}
	for _, g := range w.Gateways() {
		if f.Gateway != "" && f.Gateway != g.Name {
			continue
		}
		for _, l := range g.Listeners {
			k := gateway.ListenerKey{Gateway: g.Name, Listener: l.Name}
			for _, host := range w.Hosts(k) {
				if f.Host != "" && f.Host != host {
					continue
				}
				for i, e := range w.Table(k, host) {
					if f.Name == "" || f.Name == e.Route.Name {
						out = append(out, routeOf(k, host, i+1, e))
					}
				}
			}
		}
	}
	return out
}

func routeOf(k gateway.ListenerKey, host string, position int, e *gateway.TableRoute) Route {
	r := Route{
		Name: e.Route.Name, Gateway: k.Gateway, Listener: k.Listener, Host: host, Position: position,
		Priority: e.Route.Priority, Match: matchOf(e.Match), Destinations: []Destination{},
		Features: featuresOf(e.Features), Range: rangeOf(e.Route.Range),
	}
	if e.Variant != nil {
		r.Variant = e.Variant.Name
	}
	total := totalWeight(e)
	for _, d := range e.Destinations {
		r.Destinations = append(r.Destinations, destinationOf(d, total))
	}
	if x := e.Route.Redirect; x != nil {
		r.Redirect = &Redirect{Scheme: x.Scheme, Host: x.Host, Port: x.Port, Path: x.Path, Prefix: x.Prefix, Status: cmp.Or(x.Status, 301)}
	}
	if x := e.Route.Respond; x != nil {
		r.Respond = &Respond{Status: cmp.Or(x.Status, 200), ContentType: x.ContentType, Bytes: len(x.Body)}
	}
	return r
}

func totalWeight(e *gateway.TableRoute) (total uint64) {
	for _, d := range e.Destinations {
		total += uint64(d.Weight)
	}
	return total
}

func share(d *gateway.TableDestination, total uint64) float64 {
	if total == 0 {
		return 0
	}
	return float64(d.Weight) / float64(total)
}

func destinationOf(d *gateway.TableDestination, total uint64) Destination {
	j := Destination{Weight: d.Weight, Share: share(d, total), Fallback: d.Fallback, Features: featuresOf(d.Features)}
	if d.Upstream != nil {
		j.Upstream = d.Upstream.Name
	}
	if d.To != nil {
		j.Path, j.PrefixRewrite = d.To.Path, d.To.PrefixRewrite
		if !d.To.Function.IsZero() {
			j.Function = d.To.Function.Name
		}
	}
	if !d.Subset.IsZero() {
		j.SubsetTag, j.SubsetMeta = d.Subset.Tag, d.Subset.Meta
	}
	return j
}

func matchOf(m *gateway.Match) Match {
	j := Match{Methods: m.Methods, Headers: conditionsOf(m.Headers), Query: conditionsOf(m.Query)}
	if m.Method != "" {
		j.Methods = []string{m.Method}
	}
	switch m.PathKind() {
	case gateway.PathExact:
		j.Kind, j.Path = "exact", m.Path
	case gateway.PathTemplate:
		j.Kind, j.Path = "template", m.Path
	case gateway.PathRegex:
		j.Kind, j.Path = "regex", m.Regex
	case gateway.PathPrefix:
		j.Kind, j.Path = "prefix", cmp.Or(m.Prefix, "/")
	default:
		j.Kind, j.Path = "function", m.Function.Name
	}
	j.Text = j.line()
	return j
}

func conditionsOf(list []*gateway.ValueMatch) (out []Condition) {
	for _, c := range list {
		j := Condition{Name: c.Name}
		switch {
		case c.Absent:
			j.Kind = "absent"
		case c.Exact != nil:
			j.Kind, j.Value = "exact", *c.Exact
		case c.Prefix != nil:
			j.Kind, j.Value = "prefix", *c.Prefix
		case c.Regex != nil:
			j.Kind, j.Value = "regex", *c.Regex
		default:
			j.Kind = "present"
		}
		out = append(out, j)
	}
	return out
}

// line is the condition in one line: "GET,HEAD /pets/{id} x-beta=1 ?page".
func (m Match) line() string {
	parts := []string{}
	if len(m.Methods) > 0 {
		parts = append(parts, strings.Join(m.Methods, ","))
	}
	switch m.Kind {
	case "prefix":
		parts = append(parts, strings.TrimSuffix(m.Path, "/")+"/*")
	case "regex":
		parts = append(parts, "~"+m.Path)
	case "function":
		parts = append(parts, "function."+m.Path)
	default:
		parts = append(parts, m.Path)
	}
	for _, c := range m.Headers {
		parts = append(parts, c.text())
	}
	for _, c := range m.Query {
		parts = append(parts, "?"+c.text())
	}
	return strings.Join(parts, " ")
}

func (c Condition) text() string {
	switch c.Kind {
	case "present":
		return c.Name
	case "absent":
		return "!" + c.Name
	case "prefix":
		return c.Name + "^=" + c.Value
	case "regex":
		return c.Name + "~=" + c.Value
	}
	return c.Name + "=" + c.Value
}

// Lead says in words where a route leads.
func (r Route) Lead() string {
	switch {
	case r.Redirect != nil:
		x := r.Redirect
		to := x.Path
		if x.Prefix != nil {
			to = *x.Prefix + "…"
		}
		if x.Host != "" {
			to = x.Host + to
		}
		if x.Scheme != "" {
			to = x.Scheme + "://" + to
		}
		return strings.TrimSpace(fmt.Sprintf("redirect %d %s", x.Status, to))
	case r.Respond != nil:
		return fmt.Sprintf("respond %d (%d bytes)", r.Respond.Status, r.Respond.Bytes)
	}
	var parts []string
	for _, d := range r.Destinations {
		parts = append(parts, d.lead(len(r.Destinations) > 1))
	}
	return strings.Join(parts, ", ")
}

func (d Destination) lead(shared bool) string {
	s := "upstream." + d.Upstream
	if d.Function != "" {
		s = "function." + d.Function
	}
	if d.SubsetTag != "" {
		s += " tag " + d.SubsetTag
	}
	if shared {
		s += fmt.Sprintf(" %s%%", strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", d.Share*100), "0"), "."))
	}
	switch {
	case d.Path != "":
		s += " as " + d.Path
	case d.PrefixRewrite != nil:
		s += " with prefix " + cmp.Or(*d.PrefixRewrite, "/")
	}
	return s
}
