package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// leaf is the value in force of a kv, env or file leaf; nil is absent.
func (w *World) leaf(id ID) *string {
	if w.rejected.get(id) != nil {
		if f := w.ledger.get(id); f != nil {
			raw, _ := f.Value.Instances[""].(string)
			return &raw
		}
		return nil
	}
	return w.leaves.get(id)
}

// evaluate gives every dirty block its newest form. A value that makes a reader invalid, where its last accepted form
// would not, is not taken: the last accepted form stays for all readers.
func (a *application) evaluate(values []ID) {
	dirty := a.eval
	for _, id := range values {
		a.addReaders(dirty, id)
	}
	a.spread(dirty)
	a.retryValues(dirty)
	run := a.run(dirty)
	for bad := a.badValues(dirty, run); len(bad) > 0; bad = a.badValues(dirty, run) {
		for _, b := range bad {
			id := ID{KindValue, b.Key}
			a.w.rejected.set(id, b)
			a.addReaders(dirty, id)
		}
		run = a.run(dirty)
	}
	a.acceptValues(run)
	for _, id := range slices.SortedFunc(maps.Keys(dirty), CompareID) {
		a.keep(id, run.memo[id])
	}
	a.settleStaters()
}

// retryValues gives rejected values another chance where no reader is left, as it was, that could not live with one.
func (a *application) retryValues(dirty map[ID]struct{}) {
	for again := true; again; {
		again = false
		for id, bad := range a.w.rejected.m {
			left := bad.without(dirty)
			if left != nil && len(a.w.readers.of(id)) > 0 {
				if left != bad {
					a.w.rejected.set(id, left)
				}
				continue
			}
			a.w.rejected.del(id)
			a.addReaders(dirty, id)
			again = true
			break
		}
	}
}

// run evaluates all dirty blocks against the values now in force.
func (a *application) run(dirty map[ID]struct{}) *evaluator {
	e := &evaluator{w: a.w, dirty: dirty, memo: map[ID]*evaluation{}}
	for id := range dirty {
		e.block(id)
	}
	return e
}

// keep stores a block's newest form and what it read.
func (a *application) keep(id ID, ev *evaluation) {
	before := a.w.blocks.get(id)
	if before != nil && before.Newest != nil {
		a.stateDefaults(before.Newest, -1)
		for r := range before.Newest.Reads {
			a.w.readers.add(r, id, -1)
		}
	}
	a.settle[id] = struct{}{}
	next := &Block{ID: id}
	if before != nil {
		*next = *before
	}
	next.Newest, next.own = nil, nil
	if ev != nil && ev.form != nil {
		next.Newest, next.own = ev.form, ev.diags
		for r := range ev.form.Reads {
			a.w.readers.add(r, id, 1)
		}
		a.stateDefaults(ev.form, 1)
	}
	if before == nil && next.Newest == nil {
		return
	}
	a.put(next)
}

// spread adds to a set of blocks all that read them, directly or through locals.
func (a *application) spread(set map[ID]struct{}) {
	for _, id := range slices.Collect(maps.Keys(set)) {
		a.addReaders(set, id)
	}
}

func (a *application) addReaders(set map[ID]struct{}, of ID) {
	for r := range a.w.readers.of(of) {
		if _, seen := set[r]; !seen {
			set[r] = struct{}{}
			a.addReaders(set, r)
		}
	}
}

// evaluator evaluates blocks on demand, so that locals come before what reads them.
type evaluator struct {
	w     *World
	dirty map[ID]struct{}
	memo  map[ID]*evaluation
	busy  []ID
}

// evaluation is the outcome for one block; form is nil where nothing is written.
type evaluation struct {
	form  *Form
	diags hcl.Diagnostics
}

func (e *evaluator) block(id ID) *evaluation {
	if ev, ok := e.memo[id]; ok {
		return ev
	}
	defs := e.w.winner(id)
	if len(defs) == 0 {
		ev := &evaluation{}
		e.memo[id] = ev
		return ev
	}
	e.busy = append(e.busy, id)
	s := &scope{e: e, self: id, reads: map[ID]any{}, hashes: map[ID]string{}}
	b := defs[0].block
	value, diags := b.Eval(s)
	e.busy = e.busy[:len(e.busy)-1]
	ev := &evaluation{form: &Form{Written: b, Value: value, Reads: s.reads, Hash: s.hash(b)}, diags: append(s.diags, diags...)}
	e.memo[id] = ev
	return ev
}

// leavesOf collects the leaves that a form read, through locals too.
func (e *evaluator) leavesOf(f *Form, out map[ID]bool) map[ID]bool {
	for id := range f.Reads {
		if out[id] {
			continue
		}
		out[id] = true
		if id.Kind == KindLocal {
			if l := e.local(id); l != nil {
				e.leavesOf(l, out)
			}
		}
	}
	return out
}

// local returns the form in force of a local.
func (e *evaluator) local(id ID) *Form {
	if _, dirty := e.dirty[id]; !dirty {
		if b := e.w.blocks.get(id); b != nil {
			return b.InForce
		}
		return nil
	}
	ev := e.block(id)
	if ev.form == nil || usable(ev.diags) {
		return ev.form
	}
	return e.w.lastGood(id)
}

// scope is what one block reads, and the record of it.
type scope struct {
	e      *evaluator
	self   ID
	reads  map[ID]any
	hashes map[ID]string
	diags  hcl.Diagnostics
}

// Get implements Scope.
func (s *scope) Get(id ID) (any, bool) {
	if id.Kind == KindLocal {
		return s.local(id)
	}
	raw := s.e.w.leaf(id)
	if raw == nil {
		s.reads[id], s.hashes[id] = nil, "absent"
		return nil, false
	}
	s.reads[id], s.hashes[id] = *raw, "="+*raw
	return *raw, true
}

func (s *scope) local(id ID) (any, bool) {
	if i := slices.Index(s.e.busy, id); i >= 0 {
		s.diags = append(s.diags, circular(s.e.busy[i:], s.e.w.winner(s.self)[0].block.Range()))
		s.reads[id], s.hashes[id] = nil, "circular"
		return nil, false
	}
	f := s.e.local(id)
	if f == nil {
		s.reads[id], s.hashes[id] = nil, "absent"
		return nil, false
	}
	v := f.Value.Instances[id.Name]
	s.reads[id], s.hashes[id] = v, f.Hash
	return v, true
}

// Names implements Scope.
func (s *scope) Names(kind string) []string {
	var out []string
	for id, defs := range s.e.w.defs.entries() {
		if id.Kind == kind && len(defs) > 0 {
			out = append(out, id.Name)
		}
	}
	slices.Sort(out)
	return out
}

// hash identifies a form: the block's text and what it read.
func (s *scope) hash(b Written) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%s", b.ID(), b.Text())
	for _, id := range slices.SortedFunc(maps.Keys(s.hashes), CompareID) {
		io.WriteString(h, "\x00"+id.String()+"\x00"+s.hashes[id])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func circular(path []ID, at hcl.Range) *hcl.Diagnostic {
	detail := "A local cannot depend on itself:"
	for _, id := range path {
		detail += " " + id.String() + " →"
	}
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Circular local", Subject: &at,
		Detail: detail + " " + path[0].String() + ". Break the circle by giving one of them a value of its own.",
	}
}
