package gateway

import "iter"

// Each runs over all blocks, in no order. Blocks lists them in order, at the cost of sorting them.
func (w *World) Each() iter.Seq[*Block] {
	return func(yield func(*Block) bool) {
		for _, b := range w.blocks.entries() {
			if !yield(b) {
				return
			}
		}
	}
}
