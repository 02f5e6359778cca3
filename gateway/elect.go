package gateway

// elect evaluates blocks anew that several documents define, where the one that counts has lost its last good form while
// blocks were settled: who was accepted first keeps the name for as long as that form can be in force, and no longer.
func (a *application) elect() {
	for range maxElections {
		a.eval = map[ID]struct{}{}
		for id := range a.moved {
			b := a.w.blocks.get(id)
			if b == nil || b.Newest == nil || len(a.w.defs.get(id)) < 2 {
				continue
			}
			if first := a.w.winner(id)[0].block; first.Document() != b.Newest.Written.Document() || first.Range() != b.Newest.Written.Range() {
				a.eval[id] = struct{}{}
			}
		}
		if len(a.eval) == 0 {
			return
		}
		a.evaluate(nil)
		a.settleAll()
	}
}

// maxElections bounds how often one change may move a name from one document to another.
const maxElections = 4
