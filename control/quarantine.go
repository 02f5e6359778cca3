package control

import (
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/store"
)

// inquest finds out which block is to blame when an Envoy refuses a resource. All suspects are taken out at first, so
// that everybody else is served at once; then they are let in again, half by half. What is refused alone is the culprit
// and stays in quarantine, in every replica; the others are innocent.
type inquest struct {
	l     *Loop
	words map[gateway.FormRef]string // what was said when a form was last among the refused
	cases []trial                    // groups that wait to be tried; the first one is on trial when testing
	test  bool
}

// trial is a group of forms that is let in together.
type trial struct {
	key    store.Key // the resource that was refused
	forms  []gateway.FormRef
	failed bool
}

// held is what a block's status says while it waits for its trial.
const held = "refused together with other changes; being tried by itself"

func newInquest(l *Loop) *inquest {
	return &inquest{l: l, words: map[gateway.FormRef]string{}}
}

// suspects says that a form waits for its trial or is on trial.
func (q *inquest) suspects(ref gateway.FormRef) bool {
	for _, t := range q.cases {
		if slices.Contains(t.forms, ref) {
			return true
		}
	}
	return false
}

// refused takes an Envoy's refusal of the current version of a resource, or that of the translation itself.
func (q *inquest) refused(key store.Key, forms []gateway.FormRef, words string) {
	suspects := q.l.book.suspects(key, forms)
	if q.test && len(q.cases) > 0 {
		if onTrial := intersect(q.cases[0].forms, suspects); len(onTrial) > 0 {
			q.cases[0].failed = true
			for _, f := range onTrial {
				q.words[f] = words
			}
			return
		}
	}
	q.open(key, suspects, words)
}

// open starts a case. Without suspects there is nothing to take back: the status of the Envoy shows its words.
func (q *inquest) open(key store.Key, suspects []gateway.FormRef, words string) {
	suspects = slices.DeleteFunc(suspects, func(f gateway.FormRef) bool { return q.suspects(f) || !q.current(f) })
	if len(suspects) == 0 {
		return
	}
	for _, f := range suspects {
		q.words[f] = words
	}
	if len(suspects) == 1 {
		q.convict(suspects[0])
		return
	}
	q.cases = append(q.cases, halves(key, suspects)...)
	q.quarantine(suspects, held)
}

func halves(key store.Key, forms []gateway.FormRef) []trial {
	n := len(forms) / 2
	return []trial{{key: key, forms: forms[:n:n]}, {key: key, forms: forms[n:]}}
}

// current says that a form is the one that its block would have in force.
func (q *inquest) current(f gateway.FormRef) bool {
	b := q.l.w.Block(f.ID)
	return b != nil && (b.InForce != nil && b.InForce.Hash == f.Hash || b.Newest != nil && b.Newest.Hash == f.Hash)
}

// proceed ends the trial under way when every Envoy has spoken, and starts the next.
func (q *inquest) proceed() {
	for len(q.cases) > 0 {
		t := &q.cases[0]
		if !q.test {
			t.forms = slices.DeleteFunc(t.forms, func(f gateway.FormRef) bool { return !q.current(f) })
			if len(t.forms) == 0 {
				q.cases = q.cases[1:]
				continue
			}
			q.test = true
			q.lift(t.forms)
			continue
		}
		if !t.failed && q.waiting(t.forms) {
			return
		}
		q.verdict()
	}
}

// waiting says that some Envoy has not yet spoken about a resource with these forms.
func (q *inquest) waiting(forms []gateway.FormRef) bool {
	return slices.ContainsFunc(forms, func(f gateway.FormRef) bool { return q.l.book.open[f] > 0 })
}

func (q *inquest) verdict() {
	t := q.cases[0]
	q.cases, q.test = q.cases[1:], false
	switch {
	case !t.failed:
		var ids []gateway.ID
		for _, f := range t.forms {
			delete(q.words, f)
			ids = append(ids, f.ID)
		}
		q.l.accept(q.l.book.settled(q.l.w, ids))
	case len(t.forms) == 1:
		q.convict(t.forms[0])
	default:
		q.cases = append(halves(t.key, t.forms), q.cases...)
		q.quarantine(t.forms, held)
	}
}

// convict puts a form in quarantine for good: a new version of the block lifts it, being another form.
func (q *inquest) convict(f gateway.FormRef) {
	words := q.words[f]
	delete(q.words, f)
	q.l.log.Error("block is refused by Envoy and goes back to its last accepted form", "block", f.ID.String(), "version", f.Hash, "error", words)
	q.l.events.add(Event{Kind: "quarantine", Block: f.ID.String(), Text: words})
	q.l.meters.quarantined.Inc()
	q.quarantine([]gateway.FormRef{f}, words)
	if q.l.cfg.Recorder != nil {
		q.l.outbox.add(conviction{f, words})
	}
}

func (q *inquest) quarantine(forms []gateway.FormRef, words string) {
	in := gateway.Input{Quarantine: map[gateway.FormRef]*string{}}
	for _, f := range forms {
		in.Quarantine[f] = &words
	}
	q.l.apply(in, timeNone)
}

func (q *inquest) lift(forms []gateway.FormRef) {
	in := gateway.Input{Quarantine: map[gateway.FormRef]*string{}}
	for _, f := range forms {
		in.Quarantine[f] = nil
	}
	q.l.apply(in, timeNone)
}

func intersect(a, b []gateway.FormRef) (out []gateway.FormRef) {
	for _, x := range a {
		if slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}
