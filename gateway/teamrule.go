package gateway

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Teams lists the teams in force by name.
func (w *World) Teams() []*Team { return sortedValues(w.teams.m) }

// TeamsOf lists the teams that a document belongs to, by name; none: it is the operators' own.
func (w *World) TeamsOf(document string) (out []*Team) {
	if len(w.teams.m) == 0 {
		return nil
	}
	place := w.rules.place(document)
	for _, t := range w.Teams() {
		if anyPattern(t.Documents, place) {
			out = append(out, t)
		}
	}
	return out
}

// place is the name of a document below where documents are.
func (r *Rules) place(document string) string {
	if rest, ok := strings.CutPrefix(document, "consul:"); ok {
		return rest
	}
	best := ""
	for _, root := range r.Roots {
		if root = strings.TrimSuffix(root, "/") + "/"; strings.HasPrefix(document, root) && len(root) > len(best) {
			best = root
		}
	}
	return strings.TrimPrefix(strings.TrimPrefix(document, best), "./")
}

// trespasses says what a form claims or uses that the teams of its document may not. A form with any is never in force,
// be it the last good one: who takes a right away from a team takes it at once.
func (w *World) trespasses(id ID, f *Form) (diags hcl.Diagnostics) {
	if f == nil || len(w.teams.m) == 0 {
		return nil
	}
	for _, t := range w.TeamsOf(f.Written.Document()) {
		c := &teamCheck{w: w, team: t, id: id, form: f}
		c.kind()
		c.refs()
		c.reads()
		for _, name := range slices.Sorted(maps.Keys(f.Value.Instances)) {
			if r, ok := f.Value.Instances[name].(*Route); ok {
				c.route(r)
			}
		}
		diags = append(diags, c.diags...)
	}
	return diags
}

// teamCheck compares one form with what one team may do.
type teamCheck struct {
	w     *World
	team  *Team
	id    ID
	form  *Form
	diags hcl.Diagnostics
}

func (c *teamCheck) deny(at hcl.Range, format string, args ...any) {
	c.diags = append(c.diags, fault(at, "Not allowed to team "+c.team.Name, fmt.Sprintf(format, args...)+
		fmt.Sprintf(" The team block at %s says what documents such as this one may do.", c.team.Range))...)
}

// kind refuses blocks that are not a team's to write.
func (c *teamCheck) kind() {
	at := c.form.Written.Range()
	switch c.id.Kind {
	case KindTeam, KindGateway:
		c.deny(at, "A %s block belongs to the operators of the edge.", c.id.Kind)
	case KindUpstream, KindSecret, KindFunction:
		if !slices.Contains(c.team.Define, c.id.Kind) {
			c.deny(at, "The team may not define %ss.", c.id.Kind)
			return
		}
		name := c.id.Name
		if up, _, ok := SplitFunction(c.id); ok {
			if !c.mayName(ID{KindUpstream, up}.Written()) {
				c.deny(at, "The team may not change functions of upstream %q.", up)
			}
			return
		}
		if !anyPattern(c.patterns(c.id.Kind), name) {
			c.deny(at, "The team may not define the %s %q: %ss does not list that name.", c.id.Kind, name, c.id.Kind)
		}
	}
}

func (c *teamCheck) patterns(kind string) []string {
	switch kind {
	case KindUpstream:
		return c.team.Upstreams
	case KindSecret:
		return c.team.Secrets
	case KindPolicy:
		return c.team.Policies
	case KindGateway:
		return orAll(c.team.Gateways)
	case KindValue:
		return c.team.Values
	}
	return nil
}

func orAll(patterns []string) []string {
	if len(patterns) == 0 {
		return []string{"**"}
	}
	return patterns
}

// mayName says whether the team may name a block: it is listed, or one of its own documents defines it.
func (c *teamCheck) mayName(id ID) bool {
	if up, name, ok := SplitFunction(id); ok {
		if len(c.team.Functions) == 0 {
			return c.mayName(ID{KindUpstream, up}.Written())
		}
		return anyPattern(c.team.Functions, up+"."+name)
	}
	return anyPattern(c.patterns(id.Kind), id.Name) || c.own(id)
}

// own says that the block of a name is written in a document of the team.
func (c *teamCheck) own(id ID) bool {
	b := c.w.blocks.get(id)
	return b != nil && b.InForce != nil && slices.Contains(c.w.TeamsOf(b.InForce.Written.Document()), c.team)
}

func (c *teamCheck) refs() {
	for _, ref := range c.form.Value.Refs {
		if id := ref.ID.Written(); id != c.id && !c.mayName(id) {
			c.deny(ref.Range, "The team may not use %s.", ref.Text())
		}
	}
}

// reads refuses values of others, and everything that is of the machine alone.
func (c *teamCheck) reads() {
	for _, id := range slices.SortedFunc(maps.Keys(c.form.Reads), CompareID) {
		switch id.Kind {
		case KindEnv, KindFile:
			c.deny(c.form.Written.Range(), "The team may not read %s(%q): what is on the machines of the edge is not a team's.", id.Kind, id.Name)
		case KindValue:
			if !anyPattern(c.team.Values, id.Name) {
				c.deny(c.form.Written.Range(), "The team may not read kv(%q): values does not list that key.", id.Name)
			}
		}
	}
}

// route refuses hosts and paths that the team has not claimed, and gateways that it is not on.
func (c *teamCheck) route(r *Route) {
	for _, at := range c.w.listenersOf(r) {
		if !anyPattern(orAll(c.team.Gateways), at.gateway.Name) && len(r.Gateways) == 0 {
			c.deny(r.Range, "The route names no gateway and would be on %q, which the team may not use. Name those that it may: %s.",
				at.gateway.Name, strings.Join(c.team.Gateways, ", "))
			break
		}
	}
	hosts, matches := r.Hosts, r.Matches
	if len(hosts) == 0 {
		hosts = []string{"*"}
	}
	if len(matches) == 0 {
		matches = []*Match{{Prefix: "/", Range: r.Range}}
	}
	for _, m := range matches {
		at := m.Range
		if !m.Function.IsZero() {
			if m = c.w.resolveMatch(&prepared{}, m, &hcl.Diagnostics{}); m == nil {
				continue // it takes no request as things stand
			}
		}
		literal, whole := m.literal()
		if literal == "" && m.PathKind() == PathPrefix {
			literal = "/"
		}
		for _, host := range hosts {
			if !slices.ContainsFunc(c.team.Claims, func(claim *Claim) bool { return claim.covers(host, literal, whole) }) {
				c.deny(at, "The team has not claimed what this takes: host %q, paths that begin with %q.%s", host, literal, c.claims())
			}
		}
	}
}

func (c *teamCheck) claims() string {
	var list []string
	for _, claim := range c.team.Claims {
		list = append(list, claim.Host+claim.Prefix)
	}
	if len(list) == 0 {
		return " It has claimed nothing."
	}
	return " It has claimed " + strings.Join(list, ", ") + "."
}

// teamChanged settles everything that a team's documents hold, and the accepted forms of it, after the team has changed.
func (a *application) teamChanged(teams ...*Team) {
	concerns := func(document string) bool {
		place := a.w.rules.place(document)
		return slices.ContainsFunc(teams, func(t *Team) bool { return t != nil && anyPattern(t.Documents, place) })
	}
	for id, defs := range a.w.defs.entries() {
		if slices.ContainsFunc(defs, func(d definition) bool { return concerns(d.doc.Name) }) {
			a.settle[id] = struct{}{}
		}
	}
	for id, b := range a.w.blocks.entries() { // a form may outlive its document
		if b.InForce != nil && concerns(b.InForce.Written.Document()) {
			a.settle[id] = struct{}{}
		}
	}
	for id, f := range a.w.ledger.entries() {
		if f.Written != nil && concerns(f.Written.Document()) {
			a.settle[id] = struct{}{}
			a.settleUsers(id)
		}
	}
}
