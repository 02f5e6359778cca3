package control

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	hclv2 "github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/hcl"
)

// Recorder keeps what was accepted, and what became of each document, where other replicas and operators see it.
// catalog.Writer and catalog.Client together are one.
type Recorder interface {
	// Set says what is to stand there; only the newest counts. It does not block.
	Set(catalog.Desired)
	// PutQuarantine tells all replicas of a refused form. It may block until ctx ends.
	PutQuarantine(ctx context.Context, ref gateway.FormRef, reason string) error
}

// recordPace is the least time between two records of the world; on a large world, they take at most a twentieth.
const recordPace = 200 * time.Millisecond

// conviction is a quarantined form on its way to other replicas.
type conviction struct {
	ref   gateway.FormRef
	words string
}

// outbox holds convictions until they are written.
type outbox struct {
	mu   sync.Mutex
	list []conviction
}

func (o *outbox) add(c conviction) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, c)
}

func (o *outbox) take() []conviction {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := o.list
	o.list = nil
	return out
}

// record hands the Recorder what there is to write, after changes, until ctx ends.
func (l *Loop) record(ctx context.Context) {
	if l.cfg.Recorder == nil {
		return
	}
	changed, cancel := l.Subscribe()
	defer cancel()
	r := newRecorder(l)
	recorded, wasComplete := uint64(0), false // the edits of the last record
	for unsent := false; ; {
		if !unsent {
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
		}
		unsent = l.sendConvictions(ctx)
		if !rest(ctx, breather) {
			return
		}
		edits, complete := l.edits.Load(), l.complete.Load()
		if edits == recorded && complete == wasComplete {
			continue
		}
		recorded, wasComplete = edits, complete
		start := time.Now()
		l.cfg.Recorder.Set(r.desired(l.World(), complete))
		if !rest(ctx, max(recordPace, 20*time.Since(start))) {
			return
		}
	}
}

// breather is how long what is written after a change leaves the change alone: its way to the Envoys comes first, and
// what they answer is written with it.
const breather = 100 * time.Millisecond

// rest waits, and says whether ctx lives on.
func rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// sendConvictions tells other replicas; what could not be sent is left for the next time.
func (l *Loop) sendConvictions(ctx context.Context) (unsent bool) {
	for _, c := range l.outbox.take() {
		_, err := backoff.Retry(ctx, func() (struct{}, error) {
			return struct{}{}, l.cfg.Recorder.PutQuarantine(ctx, c.ref, c.words)
		}, backoff.WithMaxElapsedTime(30*time.Second))
		if err != nil && ctx.Err() == nil {
			l.log.Warn("cannot tell other replicas of a quarantined block", "block", c.ref.ID.String(), "error", err)
			l.outbox.add(c)
			unsent = true
		}
	}
	return unsent
}

func (r *recorder) entry(w *gateway.World, docs map[string]*gateway.Document, id gateway.ID, f *gateway.Form) (catalog.LedgerEntry, bool) {
	if f.Written != nil && w.Block(id) == nil {
		return catalog.LedgerEntry{}, false
	}
	var doc *gateway.Document
	if f.Written != nil {
		doc = docs[f.Written.Document()]
	}
	have, ok := r.entries[id]
	if !ok || have.form != f || have.doc == nil && doc != nil { // a form keeps the version of its document that it is from
		e, err := encodeForm(id, f, doc)
		if err != nil {
			r.l.log.Error("cannot write an accepted block to the ledger", "block", id.String(), "error", err)
			return e, false
		}
		have = encoded{f, doc, e}
		r.entries[id] = have
	}
	if f.Written != nil {
		have.entry.Detached = w.Detached(id)
	}
	return have.entry, true
}

// verdicts are what became of a document.
type verdicts struct {
	blocks []*gateway.Block  // whose newest form, or else the one in force, is from the document
	beside hclv2.Diagnostics // what blocks of other documents say about this one: it defines them, too
}

func byDocument(w *gateway.World) map[string]verdicts {
	out := map[string]verdicts{}
	for b := range w.Each() {
		f := cmpForm(b.Newest, b.InForce)
		if f == nil {
			continue
		}
		own := f.Written.Document()
		v := out[own]
		v.blocks = append(v.blocks, b)
		out[own] = v
		for _, d := range b.Diags {
			if d.Subject != nil && d.Subject.Filename != own {
				other := out[d.Subject.Filename]
				other.beside = append(other.beside, d)
				out[d.Subject.Filename] = other
			}
		}
	}
	for _, v := range out {
		slices.SortFunc(v.blocks, func(a, b *gateway.Block) int { return gateway.CompareID(a.ID, b.ID) })
		slices.SortFunc(v.beside, compareDiagnostics)
	}
	return out
}

// compareDiagnostics orders what blocks say of one document by place, then words.
func compareDiagnostics(a, b *hclv2.Diagnostic) int {
	return cmp.Or(cmp.Compare(a.Subject.Start.Byte, b.Subject.Start.Byte), cmp.Compare(a.Summary, b.Summary), cmp.Compare(a.Detail, b.Detail))
}

func cmpForm(a, b *gateway.Form) *gateway.Form {
	if a != nil {
		return a
	}
	return b
}

// documentStatus is the text that says what became of a document: its blocks, then what is wrong with it. It holds no
// time, so that it changes only with what it says.
func documentStatus(doc *gateway.Document, said verdicts) []byte {
	var out bytes.Buffer
	diags := append(slices.Clip(doc.Diags), said.beside...)
	state := "accepted"
	if len(said.beside) > 0 {
		state = "rejected in part"
	}
	for _, b := range said.blocks {
		diags = append(diags, b.Diags...)
		switch b.State {
		case gateway.StateRejected:
			state = "rejected in part"
		case gateway.StatePending:
			if state == "accepted" {
				state = "waiting for Envoys"
			}
		case gateway.StateWaiting:
			if state != "rejected in part" {
				state = "waiting for functions"
			}
		}
	}
	if doc.Broken {
		state = "rejected: it cannot be read; what was accepted before stays in force"
	}
	fmt.Fprintf(&out, "%s (version %d)\n", state, doc.Modify)
	for _, b := range said.blocks {
		fmt.Fprintf(&out, "  %-30s %s%s\n", b.ID, b.State, explainState(b))
	}
	if len(diags) > 0 {
		out.WriteByte('\n')
		_ = hcl.WriteDiagnostics(&out, hcl.Dedup(diags), map[string][]byte{doc.Name: []byte(doc.Text)}, 100, false)
	}
	return out.Bytes()
}

func explainState(b *gateway.Block) string {
	switch {
	case b.State == gateway.StateRejected && b.InForce != nil:
		return " (its last good form stays in force)"
	case b.State == gateway.StateRejected:
		return " (nothing is in force)"
	case b.State == gateway.StateWaiting && b.InForce != nil:
		return " (its last good form stays in force)"
	case b.State == gateway.StateWaiting:
		return " (nothing is in force yet)"
	case b.State == gateway.StateRetired:
		return fmt.Sprintf(" (deleted, still named by %v)", b.HeldBy)
	}
	return ""
}

func valueStatus(bad *gateway.BadValue) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "rejected: a block that reads this value would be invalid; the last accepted value stays in force\n\n")
	_ = hcl.WriteDiagnostics(&out, hcl.Dedup(bad.Diags), nil, 100, false)
	return out.Bytes()
}
