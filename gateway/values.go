package gateway

import (
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// badValues returns the values for which some reader is invalid now and valid with what was last accepted.
func (a *application) badValues(dirty map[ID]struct{}, run *evaluator) (bad []*BadValue) {
	found := map[ID]*BadValue{}
	for _, reader := range slices.SortedFunc(maps.Keys(run.memo), CompareID) {
		ev := run.memo[reader]
		if ev.form == nil || usable(ev.diags) {
			continue
		}
		var suspects []ID
		for _, leaf := range slices.SortedFunc(maps.Keys(run.leavesOf(ev.form, map[ID]bool{})), CompareID) {
			if leaf.Kind == KindValue && a.w.ledger.get(leaf) != nil && a.w.rejected.get(leaf) == nil {
				suspects = append(suspects, leaf)
			}
		}
		for _, leaf := range a.culprits(dirty, reader, suspects) {
			if found[leaf] == nil {
				found[leaf] = &BadValue{Key: leaf.Name, by: map[ID]hcl.Diagnostics{}}
				bad = append(bad, found[leaf])
			}
			found[leaf].Diags = append(found[leaf].Diags, ev.diags...)
			found[leaf].by[reader] = ev.diags
		}
	}
	return bad
}

// without is what remains when some readers are new; nil for nothing.
func (b *BadValue) without(readers map[ID]struct{}) *BadValue {
	out := &BadValue{Key: b.Key, by: map[ID]hcl.Diagnostics{}}
	for _, id := range slices.SortedFunc(maps.Keys(b.by), CompareID) {
		if _, isNew := readers[id]; !isNew {
			out.by[id] = b.by[id]
			out.Diags = append(out.Diags, b.by[id]...)
		}
	}
	switch len(out.by) {
	case 0:
		return nil
	case len(b.by):
		return b
	}
	return out
}

// culprits are those of the suspected values that make a reader invalid: each that alone makes the difference, else the
// fewest that do together.
func (a *application) culprits(dirty map[ID]struct{}, reader ID, suspects []ID) (bad []ID) {
	for _, leaf := range suspects {
		if a.validWithout(dirty, reader, []ID{leaf}) {
			bad = append(bad, leaf)
		}
	}
	if len(bad) > 0 || len(suspects) < 2 || !a.validWithout(dirty, reader, suspects) {
		return bad
	}
	bad = suspects
	for _, leaf := range suspects {
		fewer := slices.DeleteFunc(slices.Clone(bad), func(id ID) bool { return id == leaf })
		if a.validWithout(dirty, reader, fewer) {
			bad = fewer
		}
	}
	return bad
}

// validWithout says whether a reader is valid with the last accepted forms of some values in place of their newest.
func (a *application) validWithout(dirty map[ID]struct{}, reader ID, leaves []ID) bool {
	for _, leaf := range leaves {
		a.w.rejected.set(leaf, &BadValue{Key: leaf.Name})
	}
	trial := &evaluator{w: a.w, dirty: dirty, memo: map[ID]*evaluation{}}
	valid := usable(trial.block(reader).diags)
	for _, leaf := range leaves {
		a.w.rejected.del(leaf)
	}
	return valid
}

// acceptValues notes the values that the blocks evaluated now can live with. A first value is accepted when all its
// readers can; a later one also when those that cannot are invalid with the last accepted one too: it is not to blame.
func (a *application) acceptValues(run *evaluator) {
	refused, taken, read := map[ID]bool{}, map[ID]bool{}, map[ID]bool{}
	for _, ev := range run.memo {
		if ev.form == nil {
			continue
		}
		for leaf := range run.leavesOf(ev.form, map[ID]bool{}) {
			read[leaf] = true
			refused[leaf] = refused[leaf] || !usable(ev.diags)
		}
		for leaf := range ev.form.Reads {
			taken[leaf] = taken[leaf] || usable(ev.diags)
		}
	}
	for leaf := range read {
		raw := a.w.leaves.get(leaf)
		switch {
		case leaf.Kind != KindValue || a.w.rejected.get(leaf) != nil:
		case refused[leaf] && (a.w.ledger.get(leaf) == nil || !taken[leaf]):
		case raw == nil:
			a.w.ledger.del(leaf)
		default:
			a.w.ledger.set(leaf, &Form{Value: Value{Instances: map[string]any{"": *raw}}})
		}
	}
}
