package gateway

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// conflictingDefaults reports the values for which another block states another default. Who was accepted first keeps
// its own; between two new ones the lower CreateIndex decides, then the document's name, then the place.
func (a *application) conflictingDefaults(b *Block) (diags hcl.Diagnostics) {
	mine := b.Newest.Written.Defaults()
	for _, id := range slices.SortedFunc(maps.Keys(mine), CompareID) {
		if len(a.w.stated.of(id)) < 2 {
			continue // all say the same
		}
		owner := a.ownerOfDefault(id)
		if owner == nil || owner.ID == b.ID {
			continue
		}
		if theirs := owner.Newest.Written.Defaults()[id]; theirs != mine[id] {
			at := b.Newest.Written.Range()
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Conflicting defaults", Subject: &at,
				Detail: fmt.Sprintf("The value %q has the default %s in %s at %s, and %s here. Give it one default: put the call into a local and use that.",
					id.Name, theirs, owner.ID, owner.Newest.Written.Range(), mine[id]),
			})
		}
	}
	return diags
}

// ownerOfDefault is the first of the blocks that state a default for a value, as things stand when it is first asked.
func (a *application) ownerOfDefault(id ID) *Block {
	owner, known := a.owners[id]
	if !known {
		owner = a.findOwner(id)
		a.owners[id] = owner
	}
	return owner
}

func (a *application) findOwner(id ID) (owner *Block) {
	for reader := range a.w.readers.of(id) {
		b := a.w.blocks.get(reader)
		if b == nil || b.Newest == nil {
			continue
		}
		if _, states := b.Newest.Written.Defaults()[id]; states && (owner == nil || a.before(b, owner)) {
			owner = b
		}
	}
	return owner
}

func (a *application) before(x, y *Block) bool {
	ax, ay := a.definitionOf(x.ID), a.definitionOf(y.ID)
	return cmp.Or(
		-compareBool(a.w.holds(x), a.w.holds(y)),
		cmp.Compare(ax.index, ay.index), cmp.Compare(ax.name, ay.name), cmp.Compare(ax.byte, ay.byte), CompareID(x.ID, y.ID),
	) < 0
}

// holds says that the newest form is the one that was good last.
func (w *World) holds(b *Block) bool {
	f := w.lastGood(b.ID)
	return f != nil && f.Hash == b.Newest.Hash
}

// stateDefaults counts the defaults that a form states, n times; where another says another, all that read the value are to be
// judged anew.
func (a *application) stateDefaults(f *Form, n int) {
	for id, text := range f.Written.Defaults() {
		a.restate(id)
		a.w.stated.add(id, text, n)
		a.restate(id)
	}
}

func (a *application) restate(id ID) {
	if len(a.w.stated.of(id)) > 1 {
		a.restated[id] = struct{}{}
	}
}

// settleStaters settles all blocks that read a value whose first default may be another.
func (a *application) settleStaters() {
	for id := range a.restated {
		for reader := range a.w.readers.of(id) {
			a.settle[reader] = struct{}{}
		}
	}
}
