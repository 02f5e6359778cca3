package gateway

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// flat is one form of a route, resolved: what it puts into tables, what it claims, what it uses. It is immutable.
type flat struct {
	form    FormRef
	tables  map[Unit][]*TableRoute
	scopes  map[Unit]map[string]bool // hosts by scope; of listeners that have scopes
	claims  map[string]*TableRoute
	uses    map[use]bool
	selects map[selection]bool
	carries map[carriage]bool
	fails   []string // functions that are called and not found any more, sorted
	dangles bool     // an entry has lost all its upstreams, or a policy, which may be what admits requests
}

type use struct{ upstream, gateway string }

type selection struct {
	upstream string
	keys     SubsetKeys
}

// flatten resolves a form of a route against the policies, upstreams and gateways in force.
func (w *World) flatten(id ID, form *Form) (*flat, hcl.Diagnostics) {
	f := &flat{
		form: FormRef{id, form.Hash}, tables: map[Unit][]*TableRoute{}, claims: map[string]*TableRoute{},
		uses: map[use]bool{}, selects: map[selection]bool{},
	}
	var diags hcl.Diagnostics
	for _, name := range slices.Sorted(maps.Keys(form.Value.Instances)) {
		r := form.Value.Instances[name].(*Route)
		f.dangles = f.dangles || slices.ContainsFunc(r.Policies, func(ref Ref) bool { return w.policy(ref) == nil })
		p, said := w.prepare(r)
		f.dangles = f.dangles || p.dangles
		f.fails = append(f.fails, p.fails...)
		diags = append(diags, said...)
		listeners := w.listenersOf(r)
		if len(listeners) == 0 {
			at := r.Range
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "No gateway", Subject: &at,
				Detail: fmt.Sprintf("route %q names no gateway, none has attach = true, and there is not exactly one to choose. Add gateways = [gateway.NAME], or attach = true to a gateway.", r.Name),
			})
		}
		for _, l := range listeners {
			diags = append(diags, w.flattenOn(f, r, p, l)...)
		}
	}
	slices.Sort(f.fails)
	f.fails = slices.Compact(f.fails)
	return f, diags
}

// spot is a listener and the gateway that it belongs to.
type spot struct {
	gateway *Gateway
	key     ListenerKey
}

// listenersOf lists the listeners that serve a route: of the gateways it names, else of those that attach, else of the
// only one. A retired gateway serves only those that name it.
func (w *World) listenersOf(r *Route) (out []spot) {
	add := func(g *Gateway, part string) {
		for _, l := range g.Listeners {
			if p := (spot{g, ListenerKey{g.Name, l.Name}}); (part == "" || part == l.Name) && !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	for _, ref := range r.Gateways {
		if g := w.gateways.get(ref.Name); g != nil {
			add(g, ref.Part)
		}
	}
	if len(r.Gateways) > 0 {
		return out
	}
	all := slices.DeleteFunc(w.Gateways(), func(g *Gateway) bool { return w.deleted.get(ID{KindGateway, g.Name}) })
	for _, g := range defaults(all) {
		add(g, "")
	}
	return out
}

// defaults are those of all gateways that serve routes which name none: those that attach, or the only one.
func defaults(all []*Gateway) (out []*Gateway) {
	if len(all) == 1 {
		return all
	}
	for _, g := range all {
		if g.Attach {
			out = append(out, g)
		}
	}
	return out
}

func (w *World) flattenOn(f *flat, r *Route, p *prepared, at spot) (diags hcl.Diagnostics) {
	variants, scoped := w.variantsOf(r, at.gateway), at.gateway.listener(at.key.Listener).Scoped()
	for i, m := range p.matches {
		if m == nil {
			continue // of a function that is not known
		}
		entries := []*TableRoute{w.entry(f, r, p, at, i, m, nil)}
		for _, v := range variants {
			for _, vm := range v.Matches {
				entries = append(entries, w.entry(f, r, p, at, i, both(m, vm), v))
			}
		}
		for _, e := range entries {
			if scoped {
				if _, ok := e.Match.FirstSegment(); !ok {
					f.dangles = true
					diags = append(diags, unscoped(at.key, m, m.Range))
					continue
				}
			}
			diags = appendNew(diags, w.misdirected(e))
			diags = appendNew(diags, deniedByDefault(e, at.gateway))
			diags = append(diags, f.add(at.key, r, e, scoped)...)
		}
	}
	return diags
}

// add puts an entry into the table of each host and notes its claim.
func (f *flat) add(k ListenerKey, r *Route, e *TableRoute, scoped bool) (diags hcl.Diagnostics) {
	hosts := r.Hosts
	if len(hosts) == 0 {
		hosts = []string{"*"}
	}
	for _, h := range hosts {
		h = strings.ToLower(h)
		if scoped {
			f.scope(k, h, e)
		}
		claim := ClaimOf(k, h, e.Match, r.Priority)
		if e.Variant != nil {
			// It claims nothing: what was not written for this route cannot be in its way, or in another's. Of two that
			// match the same, the deciding order takes one.
			f.tables[HostUnit(k, h)] = append(f.tables[HostUnit(k, h)], e)
			continue
		}
		if other := f.claims[claim]; other != nil {
			at := e.Match.Range
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Duplicate match", Subject: &at,
				Detail: fmt.Sprintf("This matches just what %s matches, on host %q. Remove one of the two.", other.Match.Range, h),
			})
			continue
		}
		f.claims[claim] = e
		f.tables[HostUnit(k, h)] = append(f.tables[HostUnit(k, h)], e)
	}
	return diags
}

func (w *World) entry(f *flat, r *Route, p *prepared, at spot, index int, m *Match, v *Variant) *TableRoute {
	e := &TableRoute{Route: r, Form: f.form, Index: index, Match: m, Variant: v}
	if len(r.To) == 0 {
		e.Features = w.effective(at.gateway, nil, r, nil, nil)
		e.Denied = at.gateway.denies(e.Features)
		w.usesOf(f, e.Features, at.gateway.Name)
		return e
	}
	for i, to := range r.To {
		d := w.destination(r, at.gateway, to, p.call(index, i, v), v)
		if d == nil {
			continue // of an older form: its upstream was refused and is gone
		}
		e.Destinations = append(e.Destinations, d)
		f.uses[use{d.Upstream.Name, at.gateway.Name}] = true
		w.usesOf(f, d.Features, at.gateway.Name)
		if !d.Subset.IsZero() {
			f.selects[selection{d.Upstream.Name, d.selector()}] = true
		}
	}
	f.dangles = f.dangles || len(e.Destinations) == 0
	return e
}

func (w *World) destination(r *Route, g *Gateway, to *Destination, c *boundCall, v *Variant) *TableDestination {
	name := to.Upstream.Name
	if up, _, ok := SplitFunction(to.Function.ID); ok {
		name = up
	}
	u := w.upstreams.get(name)
	if u == nil {
		return nil
	}
	d := &TableDestination{To: to, Upstream: u, Weight: 1, Subset: to.Subset, Fallback: to.Fallback}
	if c != nil {
		d.Function, d.Call, d.Degraded, d.form = c.fn, c.call, c.degraded, c.form
	}
	if to.Weight != nil {
		d.Weight = uint32(*to.Weight)
	}
	if v != nil && !v.Subset.IsZero() {
		d.Subset, d.Fallback = v.Subset, v.Fallback
	}
	d.Features = w.effective(g, u, r, to, d.Function)
	d.Denied = g.denies(d.Features)
	return d
}

// usesOf notes the upstreams that features send requests to by themselves, and the secrets that they use.
func (w *World) usesOf(f *flat, features []Effective, gateway string) {
	f.carriesOf(features, gateway)
	for _, e := range features {
		for _, ref := range e.Feature.Refs() {
			if ref.Kind != KindUpstream {
				continue
			}
			f.uses[use{ref.Name, gateway}] = true
			if u := w.upstreams.get(ref.Name); u != nil { // what its cluster needs comes with it
				f.carriesOf(w.rules.merge([]layer{{u.Features, LevelUpstream, ID{KindUpstream, u.Name}}}), gateway)
			}
		}
	}
}

// selector names the metadata that a destination selects by.
func (d *TableDestination) selector() SubsetKeys {
	return SubsetKeys{Keys: strings.Join(d.Subset.Keys(), "\x00"), Fallback: d.Fallback}
}

// Keys lists the metadata entries that the subset selects by, sorted.
func (s *Subset) Keys() (keys []string) {
	if s == nil {
		return nil
	}
	if s.Tag != "" {
		keys = append(keys, SubsetKey(s.Tag))
	}
	for k := range s.Meta {
		keys = append(keys, SubsetMeta(k))
	}
	slices.Sort(keys)
	return keys
}

// variantsOf collects the variants of a route, its policies and its gateway; the nearest of a name wins.
func (w *World) variantsOf(r *Route, g *Gateway) (out []*Variant) {
	lists := [][]*Variant{r.Variants}
	for _, ref := range slices.Backward(r.Policies) {
		if p := w.policy(ref); p != nil {
			lists = append(lists, p.Variants)
		}
	}
	seen := map[string]bool{}
	for _, list := range append(lists, g.Variants) {
		for _, v := range list {
			if !seen[v.Name] {
				seen[v.Name] = true
				out = append(out, v)
			}
		}
	}
	return out
}

func (w *World) policy(ref Ref) *Policy {
	b := w.blocks.get(ref.ID.Written())
	if b == nil {
		return nil
	}
	p, _ := instances(b.InForce)[ref.Name].(*Policy)
	return p
}

// both is the conjunction of a route's match and a variant's conditions.
func both(m, v *Match) *Match {
	out := *m
	out.Headers = append(slices.Clip(m.Headers), v.Headers...)
	out.Query = append(slices.Clip(m.Query), v.Query...)
	return &out
}

// units returns the tables; none for a nil flat.
func (f *flat) units() map[Unit][]*TableRoute {
	if f == nil {
		return nil
	}
	return f.tables
}
