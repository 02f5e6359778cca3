package gateway

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// contender is a route whose form in force is being decided.
type contender struct {
	id        ID
	before    *Block
	diags     hcl.Diagnostics
	candidate *flat // of the newest form; nil where that is invalid by itself
	lastGood  *Form
	fallback  *flat // of the last good form; nil where there is none
	demoted   bool  // the candidate lost a claim

	remembered *Form // the last good form, or the accepted one, be it of use or not
	memory     *flat // what that would put into tables
}

// chosen is what the contender puts into tables as things stand.
func (c *contender) chosen() *flat {
	if c.candidate != nil && !c.demoted {
		return c.candidate
	}
	return c.fallback
}

func (c *contender) holds(claim string) bool {
	return c.fallback != nil && c.fallback.claims[claim] != nil
}

// settleRoutes decides dirty routes together with all that contest a claim with them. Who holds a claim by its last
// good form keeps it; between two new ones the lower CreateIndex decides, then the document's name, then the place.
func (a *application) settleRoutes() {
	set := map[ID]*contender{}
	queue := slices.SortedFunc(maps.Keys(a.settle), CompareID)
	clear(a.settle)
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		if set[id] != nil || a.w.blocks.get(id) == nil {
			continue
		}
		c := a.contend(id)
		set[id] = c
		for _, claim := range c.contested() {
			for other := range a.w.claimants.of(claim) {
				if set[other] == nil {
					queue = append(queue, other)
				}
			}
		}
	}
	if len(set) == 0 {
		return
	}
	order := slices.SortedFunc(maps.Values(set), a.byAge)
	lost := resolve(order)
	slices.SortFunc(order, func(x, y *contender) int { return CompareID(x.id, y.id) })
	for _, c := range order {
		a.commitRoute(c, lost[c.id])
	}
}

func (a *application) contend(id ID) *contender {
	b := a.w.blocks.get(id)
	c := &contender{id: id, before: b}
	if b.Newest == nil {
		return c
	}
	a.note(id, append(a.w.goodForms(id), b.Newest)...)
	c.diags = a.judge(b)
	if usable(c.diags) {
		candidate, diags := a.w.flatten(id, b.Newest)
		c.diags = append(c.diags, diags...)
		if usable(diags) {
			c.candidate = candidate
		}
	}
	for _, f := range a.w.goodForms(id) {
		a.recallAll(f)
		c.remembered, c.memory = f, c.candidate
		if c.candidate == nil || f.Hash != b.Newest.Hash {
			c.memory, _ = a.w.flatten(id, f)
		}
		if !c.memory.dangles {
			c.lastGood, c.fallback = c.remembered, c.memory
			break
		}
	}
	return c
}

// contested lists the claims that the contender had, has or wants.
func (c *contender) contested() []string {
	all := map[string]bool{}
	for _, claim := range c.before.wants {
		all[claim] = true
	}
	for _, f := range []*flat{c.candidate, c.memory} {
		if f != nil {
			for claim := range f.claims {
				all[claim] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// byAge orders contenders for claims that nobody holds.
func (a *application) byAge(x, y *contender) int {
	dx, dy := a.definitionOf(x.id), a.definitionOf(y.id)
	return cmp.Or(
		cmp.Compare(dx.index, dy.index), cmp.Compare(dx.name, dy.name), cmp.Compare(dx.byte, dy.byte), CompareID(x.id, y.id))
}

type age struct {
	index uint64
	name  string
	byte  int
}

func (a *application) definitionOf(id ID) age {
	defs := a.w.winner(id)
	if len(defs) == 0 {
		return age{}
	}
	return age{defs[0].doc.Index, defs[0].doc.Name, defs[0].block.Range().Start.Byte}
}

// loss says which claim a contender lost, and to whose entry.
type loss struct {
	claim  string
	winner *TableRoute
	mine   *TableRoute
}

// resolve demotes candidates until no claim is made twice. The result does not depend on the order of arrival: first
// all that collide with a holder, to a fixpoint; then, by age, those that collide with each other.
func resolve(order []*contender) map[ID]*loss {
	lost := map[ID]*loss{}
	for {
		for demoteByHolders(order, lost) {
		}
		if !demoteByAge(order, lost) {
			return lost
		}
	}
}

func demoteByHolders(order []*contender, lost map[ID]*loss) (again bool) {
	held := map[string]*contender{}
	for _, c := range order {
		if f := c.chosen(); f != nil {
			for claim := range f.claims {
				if c.holds(claim) && held[claim] == nil {
					held[claim] = c
				}
			}
		}
	}
	for _, c := range order {
		if f := c.chosen(); f != nil {
			for _, claim := range slices.Sorted(maps.Keys(f.claims)) {
				if h := held[claim]; h != nil && h != c {
					again = c.demote(claim, h, lost) || again
					break
				}
			}
		}
	}
	return again
}

func demoteByAge(order []*contender, lost map[ID]*loss) bool {
	taken := map[string]*contender{}
	for _, c := range order {
		f := c.chosen()
		if f == nil {
			continue
		}
		for _, claim := range slices.Sorted(maps.Keys(f.claims)) {
			if t := taken[claim]; t != nil && c.demote(claim, t, lost) {
				return true
			}
		}
		for claim := range f.claims {
			taken[claim] = c
		}
	}
	return false
}

// demote takes back what the contender wants; a last good form that collides with another one goes altogether.
func (c *contender) demote(claim string, to *contender, lost map[ID]*loss) bool {
	f := c.chosen()
	lost[c.id] = &loss{claim: claim, winner: to.chosen().claims[claim], mine: f.claims[claim]}
	if c.candidate != nil && !c.demoted {
		c.demoted = true
		if c.fallback == c.candidate {
			c.fallback, c.lastGood = nil, nil
		}
		return true
	}
	c.fallback, c.lastGood = nil, nil
	return true
}

// commitRoute stores the outcome for one route.
func (a *application) commitRoute(c *contender, l *loss) {
	next := *c.before
	form, f := next.Newest, c.candidate
	if c.candidate == nil || c.demoted {
		form, f = c.lastGood, c.fallback
	}
	a.replaceFlat(c.before.flat, f)
	next.flat, next.lapsed, next.Degraded = f, nil, nil
	if f != nil {
		next.Degraded = f.fails
	}
	if form == nil && next.Newest != nil { // it comes back when what it needs does
		next.lapsed = c.remembered
		a.reindexClaims(&next, c.candidate, c.memory)
	} else {
		a.reindexClaims(&next, c.candidate, f)
	}
	if next.Newest == nil {
		a.remove(c.before)
		return
	}
	diags := append(c.diags, a.rivals(c.id)...)
	if c.demoted && l != nil {
		diags = append(diags, l.diagnostic())
	}
	a.commit(c.before, &next, form, diags)
}

func (l *loss) diagnostic() *hcl.Diagnostic {
	at := l.mine.Match.Range
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Conflicting claim", Subject: &at,
		Detail: fmt.Sprintf("route %q at %s was accepted first and already matches the same host and requests. Change the match or the priority of one of them.",
			l.winner.Route.Name, l.winner.Match.Range),
	}
}

// reindexClaims keeps who wants which claim.
func (a *application) reindexClaims(b *Block, flats ...*flat) {
	will := map[string]bool{}
	for _, f := range flats {
		if f != nil {
			for claim := range f.claims {
				will[claim] = true
			}
		}
	}
	for _, claim := range b.wants {
		if !will[claim] {
			a.w.claimants.add(claim, b.ID, -1)
		}
	}
	had := map[string]bool{}
	for _, claim := range b.wants {
		had[claim] = true
	}
	for claim := range will {
		if !had[claim] {
			a.w.claimants.add(claim, b.ID, 1)
		}
	}
	b.wants = slices.Sorted(maps.Keys(will))
}
