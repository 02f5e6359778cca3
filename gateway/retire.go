package gateway

import (
	"maps"
	"slices"
)

// retire removes deleted blocks that nothing in force names any more, and says who holds the others.
func (a *application) retire() {
	for {
		var gone []ID
		for _, id := range slices.SortedFunc(maps.Keys(a.w.deleted.m), CompareID) {
			held := a.holders(id)
			b := a.w.blocks.get(id)
			if len(held) == 0 {
				gone = append(gone, id)
			} else if !slices.Equal(held, b.HeldBy) {
				next := *b
				next.HeldBy = held
				a.put(&next)
			}
		}
		if len(gone) == 0 {
			return
		}
		for _, id := range gone {
			a.remove(a.w.blocks.get(id))
		}
		a.settleBlocks()
		a.settleRoutes()
	}
}

func (a *application) holders(id ID) (held []ID) {
	for user := range a.w.users.m[id] {
		if b := a.w.blocks.get(user); b != nil && targets(b.InForce)[id] {
			held = append(held, user)
		}
	}
	slices.SortFunc(held, CompareID)
	return held
}
