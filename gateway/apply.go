package gateway

import (
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// Input is what changed outside. A nil map changes nothing; within a map, absent keys change nothing.
type Input struct {
	Documents  map[string]*Document      // nil: the document is gone
	Leaves     map[ID]*string            // raw values, variables and file contents; nil: absent
	Endpoints  map[SourceKey][]Endpoint  // the whole truth of a source; nil: it lists nothing
	Forget     []SourceKey               // sources of which nothing is known any more
	Functions  map[FinderKey][]*Function // the whole truth of a finder; nil: nobody asks for it any more
	Remembered map[ID]*Function          // what references to functions led to, of a last good state: see World.Remembered
	Led        map[ID]*Led               // the same, as the ledger has it for all replicas; nil: the entry is gone
	Secrets    map[ID]string             // versions of secret material, opaque. Absent: not known (yet); "": it has expired, or is no more
	Ledger     map[ID]*Form              // last accepted forms; nil: none. A value's form holds it under Instances[""]
	Quarantine map[FormRef]*string       // forms that an Envoy refused, and its words; nil: lifted
	Drained    map[string]bool           // ADDRESS:PORT that takes no traffic; false: undone
	Settled    bool                      // the start-up grace is over: do not wait for every source of an upstream
	Generation int                       // of the filter list, that every replica can serve; 0 changes nothing
}

// Change says what a transition touched.
type Change struct {
	Blocks []ID   // sorted: blocks whose state, form or diagnostics are new, or that are gone
	Units  []Unit // sorted: resources whose inputs may differ
}

// Apply makes the next world. It is pure and never fails: what is invalid keeps its last good form, and says so.
// The cost follows what changed, not what exists.
func Apply(w *World, in Input) (*World, Change) {
	a := &application{
		w: w.begin(), old: w,
		eval: map[ID]struct{}{}, settle: map[ID]struct{}{}, moved: map[ID]struct{}{},
		units: map[Unit]struct{}{}, touched: map[Unit]*tableDelta{}, owners: map[ID]*Block{},
		hints: map[ID]string{}, names: map[string][]string{}, restated: map[ID]struct{}{}, recalled: map[ID]bool{},
	}
	values := a.takeLedger(in)
	values = append(values, a.takeLeaves(in)...)
	a.takeDocuments(in)
	a.takeEndpoints(in)
	a.takeFunctions(in)
	a.takeLed(in)
	a.takeSecrets(in)
	a.takeGeneration(in)
	a.evaluate(values)
	a.settleAll()
	a.elect()
	a.retire()
	a.writeTables()
	return a.w, a.change()
}

// application is one run of Apply.
type application struct {
	w, old  *World
	eval    map[ID]struct{} // blocks to evaluate anew
	settle  map[ID]struct{} // blocks whose form in force to decide anew
	moved   map[ID]struct{} // blocks that changed, for Change
	units   map[Unit]struct{}
	touched map[Unit]*tableDelta
	owners  map[ID]*Block // of the defaults of values

	namers   map[ID][]ID          // see remembered
	late     map[string]bool      // documents that do not parse, of which the ledger has new blocks
	accepts  map[string][]Written // what the ledger holds, by document
	hints    map[ID]string        // for names that lead nowhere
	names    map[string][]string  // by kind
	recalled map[ID]bool          // blocks that are being brought back
	restated map[ID]struct{}      // values of which some block may state another default now
}

func (a *application) change() Change {
	return Change{
		Blocks: slices.SortedFunc(maps.Keys(a.moved), CompareID),
		Units:  slices.SortedFunc(maps.Keys(a.units), CompareUnit),
	}
}

// takeLedger returns the values whose accepted form is another and counts, since the raw one is not in force.
func (a *application) takeLedger(in Input) (values []ID) {
	a.late = map[string]bool{}
	for id, f := range in.Ledger {
		if f == nil {
			a.w.ledger.del(id)
		} else {
			a.w.ledger.set(id, f)
		}
		if id.Kind == KindValue && a.w.rejected.get(id) != nil {
			values = append(values, id)
		}
		if a.strange(id, f) {
			a.late[f.Written.Document()] = true
		}
		if !a.accepted(id, f) {
			a.reconsider(id)
		}
	}
	for ref, said := range in.Quarantine {
		if said == nil {
			a.w.quarantine.del(ref)
		} else {
			a.w.quarantine.set(ref, *said)
		}
		a.reconsider(ref.ID)
		a.reconsiderFunction(ref.ID)
	}
	return values
}

// strange says that a form is of a document that was never seen whole, and that its stand-in lacks the block.
func (a *application) strange(id ID, f *Form) bool {
	if f == nil || f.Written == nil || f.Detached || a.w.broken.get(f.Written.Document()) == nil {
		return false
	}
	doc := a.w.docs.get(f.Written.Document())
	return doc.Text == "" && !doc.defines(id)
}

// accepted handles the common news of the ledger: what is in force was acknowledged everywhere.
func (a *application) accepted(id ID, f *Form) bool {
	b := a.w.blocks.get(id)
	if b == nil || f == nil || b.InForce == nil || b.InForce.Hash != f.Hash || len(a.w.defs.get(id)) > 1 {
		return false
	}
	if b.State == StatePending {
		next := *b
		next.State = StateAccepted
		a.put(&next)
	}
	return true
}

// reconsider settles a block anew, whose last good form may have changed; with several definitions, that decides which
// of them counts.
func (a *application) reconsider(id ID) {
	if b := a.w.blocks.get(id); b != nil {
		a.settle[id] = struct{}{}
		if b.Newest != nil {
			for value := range b.Newest.Written.Defaults() {
				a.restate(value)
			}
		}
	}
	if len(a.w.defs.get(id)) > 1 {
		a.eval[id] = struct{}{}
	}
}

// takeLeaves stores raw values and returns those that differ.
func (a *application) takeLeaves(in Input) (changed []ID) {
	for id, raw := range in.Leaves {
		have, known := a.w.leaves.m[id]
		if known && equalPtr(have, raw) {
			continue
		}
		if raw == nil && id.Kind == KindValue {
			a.w.leaves.del(id)
		} else {
			a.w.leaves.set(id, raw)
		}
		a.w.rejected.del(id)
		changed = append(changed, id)
	}
	slices.SortFunc(changed, CompareID)
	return changed
}

func (a *application) takeDocuments(in Input) {
	for _, name := range slices.Sorted(maps.Keys(in.Documents)) {
		doc := in.Documents[name]
		before := a.w.docs.get(name)
		switch {
		case doc == nil:
			a.w.docs.del(name)
			a.w.broken.del(name)
		case doc.Broken:
			a.w.broken.set(name, doc)
			if before != nil {
				doc = a.inForce(before)
			} else {
				doc = a.fromLedger(doc)
			}
			a.w.docs.set(name, doc)
		default:
			a.w.broken.del(name)
			a.w.docs.set(name, doc)
		}
		delete(a.late, name)
		a.redefine(name, before, doc)
	}
	for _, name := range slices.Sorted(maps.Keys(a.late)) {
		before, doc := a.w.docs.get(name), a.fromLedger(a.w.broken.get(name))
		a.w.docs.set(name, doc)
		a.redefine(name, before, doc)
	}
}

// inForce stands in for a document that broke: its blocks as they are served, which is what the ledger gives a replica
// that never saw the document whole.
func (a *application) inForce(before *Document) *Document {
	doc := &Document{Name: before.Name, Index: before.Index, Modify: before.Modify, Text: before.Text}
	for _, b := range before.Blocks {
		if f := a.w.lastGood(b.ID()); f != nil && f.Written.Document() == before.Name && !doc.defines(b.ID()) {
			doc.Blocks = append(doc.Blocks, f.Written)
		}
	}
	return doc
}

func (d *Document) defines(id ID) bool {
	return slices.ContainsFunc(d.Blocks, func(b Written) bool { return b.ID() == id })
}

// fromLedger stands in for a document that was never seen whole: its blocks as they were last accepted.
func (a *application) fromLedger(broken *Document) *Document {
	if a.accepts == nil {
		a.accepts = map[string][]Written{}
		for _, f := range a.w.ledger.entries() {
			if f.Written != nil && !f.Detached {
				a.accepts[f.Written.Document()] = append(a.accepts[f.Written.Document()], f.Written)
			}
		}
	}
	blocks := a.accepts[broken.Name]
	slices.SortFunc(blocks, func(x, y Written) int { return CompareID(x.ID(), y.ID()) })
	return &Document{Name: broken.Name, Index: broken.Index, Modify: broken.Modify, Blocks: blocks}
}

// redefine replaces a document's definitions and marks what to evaluate.
func (a *application) redefine(name string, before, after *Document) {
	if before != nil {
		for _, b := range before.Blocks {
			a.w.defs.set(b.ID(), slices.DeleteFunc(slices.Clone(a.w.defs.get(b.ID())), func(d definition) bool {
				return d.doc.Name == name
			}))
			a.eval[b.ID()] = struct{}{}
		}
	}
	if after != nil {
		for _, b := range after.Blocks {
			a.w.defs.set(b.ID(), append(slices.Clip(a.w.defs.get(b.ID())), definition{doc: after, block: b}))
			a.eval[b.ID()] = struct{}{}
		}
	}
}

func (a *application) takeEndpoints(in Input) {
	for k, list := range in.Endpoints {
		a.w.sources.set(k, list)
		a.feedsChanged(k)
	}
	for _, k := range in.Forget {
		a.w.sources.del(k)
		a.feedsChanged(k)
	}
	all := in.Settled && !a.w.settled
	for addr, on := range in.Drained {
		if on {
			a.w.drained.set(addr, true)
		} else {
			a.w.drained.del(addr)
		}
		all = true
	}
	a.w.settled = a.w.settled || in.Settled
	if all {
		for name := range a.w.upstreams.m {
			a.units[Unit{UnitAssignment, name}] = struct{}{}
		}
	}
}

func (a *application) feedsChanged(k SourceKey) {
	for name := range a.w.bySource.of(k) {
		a.units[Unit{UnitAssignment, name}] = struct{}{}
	}
}

func equalPtr(a, b *string) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// put stores a block and notes that it moved.
func (a *application) put(b *Block) {
	a.w.blocks.set(b.ID, b)
	a.moved[b.ID] = struct{}{}
}

func (a *application) drop(id ID) {
	if a.w.blocks.get(id) == nil {
		return
	}
	a.w.blocks.del(id)
	a.moved[id] = struct{}{}
}

// valid says that a form can be put in force by itself.
func usable(diags hcl.Diagnostics) bool { return !diags.HasErrors() }
