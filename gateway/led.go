package gateway

// Led is what a reference to a discovered function led to, as replicas share it beside the ledger.
type Led struct {
	Function *Function // what it led to last; nil says that no block names the reference any more
	Before   *Function // what it led to before that, for when an Envoy refuses Function; nil: nothing else is known
	Index    uint64    // of the shared entry, as it was last read; 0: none was read
}

// takeLed takes what the ledger holds of references to functions. What this replica's own finders list counts more, but
// for a short name that means several of them: whoever was accepted first keeps it, and that is what the ledger says.
func (a *application) takeLed(in Input) {
	for id, l := range in.Led {
		up, name, ok := SplitFunction(id)
		if !ok || name == "" || l != nil && l.Function == nil {
			continue
		}
		if l == nil {
			a.w.agreed.del(id)
			if !a.w.named(id) {
				a.forgetFunction(id)
			}
			continue
		}
		before := a.w.lead(id)
		a.w.agreed.set(id, l)
		a.adopt(up, id, l)
		if after := a.w.lead(id); after.fn != before.fn || after.state != before.state {
			a.settleFunction(id)
		}
	}
}

// adopt makes the memory of a reference that leads to nothing that is there what the ledger says. With what it led to
// last goes what it led to before.
func (a *application) adopt(upstream string, id ID, l *Led) {
	own, known := a.w.memory.lookup(id)
	same := known && equalFunctions(upstream, own, l.Function)
	if !same {
		if _, refused := a.w.refusal(upstream, l.Function); refused || a.w.lead(id).live() {
			return
		}
		a.w.memory.set(id, l.Function)
	}
	if l.Before == nil {
		return
	}
	if was, known := a.w.memory.lookup(beforeID(id)); !known || !equalFunctions(upstream, was, l.Before) {
		a.w.memory.set(beforeID(id), l.Before)
	}
}

func equalFunctions(upstream string, a, b *Function) bool {
	return a == b || functionForm(upstream, a) == functionForm(upstream, b)
}

// target is what an ambiguous short name is to mean: what the ledger says, else what it led to here.
func (w *World) target(upstream string, id ID, was *Function) *Function {
	l := w.agreed.get(id)
	if l == nil || was != nil && was.Name == l.Function.Name {
		return was
	}
	if _, refused := w.refusal(upstream, l.Function); refused {
		return was
	}
	return l.Function
}

// named says that some block names a function, or is laid on it.
func (w *World) named(id ID) bool {
	id = id.Written()
	return len(w.users.of(id)) > 0 || w.blocks.get(id) != nil
}

// Led is what is to be shared: what each reference that a block names leads to, with the index of the entry that this
// replica has read; and, without a function, the entries that nobody needs any more.
func (w *World) Led() map[ID]Led {
	out := map[ID]Led{}
	for id, f := range w.memory.entries() {
		if id.Kind == KindFunction && w.named(id) {
			l := Led{Function: f, Before: w.memory.get(beforeID(id))}
			if have := w.agreed.get(id); have != nil {
				l.Index = have.Index
			}
			out[id] = l
		}
	}
	for id, have := range w.agreed.entries() {
		if _, needed := out[id]; !needed && !w.named(id) {
			out[id] = Led{Index: have.Index}
		}
	}
	return out
}
