package gateway

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// ranks orders kinds so that what is named is settled before what names it.
var ranks = map[string]int{
	KindLocal: 0, KindTeam: 0, KindSecret: 1, KindUpstream: 2, KindFunction: 3, KindPolicy: 4, KindGateway: 5, KindRoute: 6,
}

// anyGateway stands for all gateways: routes that name none depend on it.
var anyGateway = ID{Kind: KindGateway, Name: "*"}

// lastGood is the form to fall back to: what is in force, else what the ledger holds, unless an Envoy refused it or it
// needs a filter that is not in force.
func (w *World) lastGood(id ID) *Form {
	if b := w.blocks.get(id); b != nil && b.InForce != nil && !w.refused(id, b.InForce) {
		return b.InForce
	}
	return w.lastAccepted(id)
}

func (w *World) lastAccepted(id ID) *Form {
	if f := w.ledger.get(id); f != nil && !w.refused(id, f) {
		return f
	}
	return nil
}

// goodForms are the forms to fall back to, the best first.
func (w *World) goodForms(id ID) (forms []*Form) {
	best, accepted := w.lastGood(id), w.lastAccepted(id)
	if best != nil {
		forms = append(forms, best)
	}
	if accepted != nil && accepted != best {
		forms = append(forms, accepted)
	}
	return forms
}

func (w *World) refused(id ID, f *Form) bool {
	_, bad := w.quarantine.m[FormRef{id, f.Hash}]
	return bad || w.beyond(f) != nil || len(w.trespasses(id, f)) > 0
}

// winner orders the documents that define a block: who was accepted first, then the lower CreateIndex, then the name.
func (w *World) winner(id ID) []definition {
	defs := w.defs.get(id)
	if len(defs) < 2 {
		return defs
	}
	incumbent := ""
	if f := w.lastGood(id); f != nil {
		incumbent = f.Written.Document()
	}
	return slices.SortedStableFunc(slices.Values(defs), func(x, y definition) int {
		return cmp.Or(
			-compareBool(x.doc.Name == incumbent, y.doc.Name == incumbent),
			cmp.Compare(x.doc.Index, y.doc.Index),
			cmp.Compare(x.doc.Name, y.doc.Name),
			cmp.Compare(x.block.Range().Start.Byte, y.block.Range().Start.Byte),
		)
	})
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// settleAll settles until nothing is dirty: what comes back while routes are settled makes others dirty.
func (a *application) settleAll() {
	for {
		a.settleBlocks()
		a.settleRoutes()
		if len(a.settle) == 0 {
			return
		}
	}
}

// settleBlocks decides which form of every dirty block but routes is in force, lower ranks first.
func (a *application) settleBlocks() {
	for rank := range ranks[KindRoute] {
		for {
			var todo []ID
			for id := range a.settle {
				if ranks[id.Kind] == rank {
					todo = append(todo, id)
				}
			}
			if len(todo) == 0 {
				break
			}
			slices.SortFunc(todo, CompareID)
			for _, id := range todo {
				delete(a.settle, id)
				a.settleBlock(id)
			}
		}
	}
}

func (a *application) settleBlock(id ID) {
	before := a.w.blocks.get(id)
	if before == nil {
		before = &Block{ID: id}
	}
	next := *before
	form, diags := a.choose(&next)
	if next.Newest == nil && (form == nil || id.Kind == KindLocal) {
		a.remove(before)
		return
	}
	a.commit(before, &next, form, diags)
}

// commit stores the outcome of settling a block.
func (a *application) commit(before, next *Block, form *Form, diags hcl.Diagnostics) {
	next.InForce, next.Diags = form, diags
	next.State, next.HeldBy = a.state(next), nil
	if next.State == StateRetired {
		next.HeldBy = before.HeldBy
	}
	a.markDeleted(next.ID, next.State == StateRetired)
	a.install(before, next, form)
	a.put(next)
}

// remove takes a block out of everything.
func (a *application) remove(b *Block) {
	gone := *b
	gone.Newest, gone.lapsed = nil, nil
	a.install(&gone, &gone, nil)
	a.w.ledger.del(b.ID)
	a.w.withheld.del(b.ID)
	a.markDeleted(b.ID, false)
	a.drop(b.ID)
	a.forgetFunction(b.ID)
}

// markDeleted notes whether a block is retired; routes that name no gateway depend on that.
func (a *application) markDeleted(id ID, yes bool) {
	if a.w.deleted.get(id) == yes {
		return
	}
	if yes {
		a.w.deleted.set(id, true)
	} else {
		a.w.deleted.del(id)
	}
	if id.Kind == KindGateway {
		a.settleUsers(anyGateway)
	}
}

func (a *application) settleUsers(of ID) {
	for user := range a.w.users.of(of) {
		a.settle[user] = struct{}{}
	}
}

// choose picks the newest form where it is valid, the last good one otherwise, and says what is wrong.
func (a *application) choose(b *Block) (*Form, hcl.Diagnostics) {
	if b.Newest == nil {
		a.w.withheld.del(b.ID)
		return a.fallBack(b.ID), nil
	}
	diags := a.judge(b)
	form := b.Newest
	a.w.withheld.del(b.ID)
	if !usable(diags) {
		form = a.fallBack(b.ID)
	} else if kept, d := a.keepInUse(b); d != nil {
		a.w.withheld.set(b.ID, true)
		form, diags = kept, append(diags, d)
	}
	return form, append(diags, a.rivals(b.ID)...)
}

// fallBack returns the last good form of a block and brings back what that names.
func (a *application) fallBack(id ID) *Form {
	f := a.w.lastGood(id)
	if f != nil {
		a.recallAll(f)
	}
	return f
}

func (a *application) recallAll(f *Form) {
	for _, ref := range f.Value.Refs {
		a.recallRef(ref)
	}
}

// judge collects what is wrong with a block's newest form, claims of routes aside.
func (a *application) judge(b *Block) hcl.Diagnostics {
	diags := slices.Clip(b.own)
	if said, bad := a.w.quarantine.m[FormRef{b.ID, b.Newest.Hash}]; bad {
		at := b.Newest.Written.Range()
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Refused by Envoy", Subject: &at,
			Detail: "An Envoy did not accept what this block becomes. It said: " + said,
		})
	}
	if d := a.beyondGeneration(b.Newest); d != nil {
		diags = append(diags, d)
	}
	diags = append(diags, a.w.trespasses(b.ID, b.Newest)...)
	for _, ref := range b.Newest.Value.Refs {
		a.recallRef(ref)
		if d := a.missing(b.ID, ref); d != nil {
			diags = append(diags, d)
		}
	}
	if b.Kind == KindFunction && usable(diags) {
		a.note(b.ID, b.Newest)
		diags = append(diags, a.judgeFunction(b)...)
	}
	return append(diags, a.conflictingDefaults(b)...)
}

// recallRef brings back what a reference names: of a function, its upstream as well as its block.
func (a *application) recallRef(ref Ref) {
	if up, _, ok := SplitFunction(ref.ID); ok {
		a.recall(ID{KindUpstream, up}.Written())
	}
	a.recall(ref.ID.Written())
}

// recall brings a block back that is in no document any more, but in the ledger: another replica still holds it.
func (a *application) recall(id ID) {
	if a.w.blocks.get(id) == nil && a.w.lastGood(id) != nil && !a.recalled[id] {
		a.recalled[id] = true // it may name itself
		a.settleBlock(id)
		delete(a.recalled, id)
	}
}

// rivals are the diagnostics of the other documents that define the same block.
func (a *application) rivals(id ID) (diags hcl.Diagnostics) {
	defs := a.w.winner(id)
	for _, d := range defs[min(1, len(defs)):] {
		at := d.block.Range()
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagWarning, Summary: "Duplicate " + id.Kind, Subject: &at,
			Detail: fmt.Sprintf("%s is already defined at %s, which keeps the name. This block is not in force; rename or remove it.",
				id, defs[0].block.Range()),
		})
	}
	return diags
}

// state follows from what is in force; forms that the ledger holds are accepted.
func (a *application) state(b *Block) State {
	switch {
	case b.Newest == nil:
		return StateRetired
	case b.InForce == nil || b.InForce.Hash != b.Newest.Hash || !usable(b.Diags):
		if onlyWaits(b.Diags) {
			return StateWaiting
		}
		return StateRejected
	}
	if b.Kind == KindLocal {
		return StateAccepted // it becomes nothing that an Envoy could refuse; its readers do
	}
	if f := a.w.ledger.get(b.ID); f != nil && f.Hash == b.InForce.Hash {
		return StateAccepted
	}
	return StatePending
}

// onlyWaits says that time alone may mend what is wrong.
func onlyWaits(diags hcl.Diagnostics) (waits bool) {
	for _, d := range diags {
		if d.Severity == hcl.DiagError && !Waits(d) {
			return false
		}
		waits = waits || d.Severity == hcl.DiagError
	}
	return waits
}
