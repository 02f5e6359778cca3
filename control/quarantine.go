package control

import (
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/store"
	"github.com/sluice-gateway/sluice/xds/translate"
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
	key      store.Key // the resource that was refused
	gateways []string  // whose Envoys can judge; none: the translation does
	forms    []gateway.FormRef
	failed   bool
	unheard  bool      // the Envoys left before any of them answered
	until    time.Time // when silence is consent
}

// held is what a block's status says while it waits for its trial.
const held = "refused together with other changes; being tried by itself"

// trialPatience is how long a trial waits for Envoys that neither take nor refuse: others wait behind it.
const trialPatience = 15 * time.Second

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

// refused takes an Envoy's refusal of the current version of a resource, or that of the translation itself; gateways
// are those whose Envoys can say more. A bad assignment is no block's fault.
func (q *inquest) refused(key store.Key, forms []gateway.FormRef, words string, gateways []string) {
	if key.Type == translate.AssignmentType {
		return
	}
	suspects := q.l.book.suspects(key, forms)
	if len(suspects) == 0 && len(gateways) == 0 { // what was fine before cannot be translated any more: its neighbours go on
		suspects = keep(forms, func(f gateway.FormRef) bool { return f.Kind == gateway.KindRoute })
	}
	if q.test && len(q.cases) > 0 {
		t := &q.cases[0]
		if onTrial := intersect(t.forms, suspects); len(onTrial) > 0 {
			late := q.fresh(suspects)
			for _, f := range append(onTrial, late...) {
				q.words[f] = words
			}
			if len(late) == 0 {
				t.failed = true
				return
			}
			// What came meanwhile may be the cause: it waits for a trial of its own, and this one goes on without it.
			q.cases = append(q.cases, trial{key: key, gateways: gateways, forms: late})
			q.quarantine(late, held)
			return
		}
	}
	q.open(key, suspects, words, gateways)
}

// fresh are the forms that are in force, or would be, and not under question yet.
func (q *inquest) fresh(forms []gateway.FormRef) []gateway.FormRef {
	return slices.DeleteFunc(slices.Clone(forms), func(f gateway.FormRef) bool { return q.suspects(f) || !q.current(f) })
}

// open starts a case. Without suspects there is nothing to take back: the status of the Envoy shows its words.
func (q *inquest) open(key store.Key, suspects []gateway.FormRef, words string, gateways []string) {
	suspects = q.fresh(suspects)
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
	q.cases = append(q.cases, halves(trial{key: key, gateways: gateways, forms: suspects})...)
	q.quarantine(suspects, held)
}

func halves(t trial) []trial {
	n := len(t.forms) / 2
	return []trial{{key: t.key, gateways: t.gateways, forms: t.forms[:n:n]}, {key: t.key, gateways: t.gateways, forms: t.forms[n:]}}
}

// current says that a form is the one that its block, or a discovered function, would have in force.
func (q *inquest) current(f gateway.FormRef) bool { return q.l.w.Current(f) }

// proceed ends the trial under way when every Envoy has spoken, and starts the next that somebody can judge.
func (q *inquest) proceed() {
	for len(q.cases) > 0 {
		switch t := &q.cases[0]; {
		case !q.test:
			if !q.next() {
				return
			}
		case t.unheard && !t.failed:
			q.test, t.unheard = false, false
			q.quarantine(t.forms, held)
		case !t.failed && q.waiting(t.forms) && time.Now().Before(t.until):
			return
		default:
			q.verdict()
		}
	}
}

// next lets the first group in that somebody can judge; false where there is none.
func (q *inquest) next() bool {
	for i := range q.cases {
		t := &q.cases[i]
		t.forms = slices.DeleteFunc(t.forms, func(f gateway.FormRef) bool {
			gone := !q.current(f)
			if gone {
				delete(q.words, f)
			}
			return gone
		})
	}
	q.cases = slices.DeleteFunc(q.cases, func(t trial) bool { return len(t.forms) == 0 })
	i := slices.IndexFunc(q.cases, func(t trial) bool { return q.l.book.anyOf(t.gateways) })
	if i < 0 {
		return false
	}
	t := q.cases[i]
	t.until = time.Now().Add(trialPatience)
	q.cases = slices.Insert(slices.Delete(q.cases, i, i+1), 0, t)
	q.test = true
	q.lift(t.forms)
	return true
}

// patience is how long until silence decides; 0: nothing is on trial.
func (q *inquest) patience() time.Duration {
	if !q.test || len(q.cases) == 0 {
		return 0
	}
	return max(time.Until(q.cases[0].until), time.Millisecond)
}

// unheard takes note that the last Envoy left that had to judge a resource, and that none had said yes.
func (q *inquest) unheard(forms []gateway.FormRef) {
	if q.test && len(q.cases) > 0 && len(intersect(q.cases[0].forms, forms)) > 0 {
		q.cases[0].unheard = true
	}
}

// convicted takes forms out of question that another replica has judged.
func (q *inquest) convicted(refs map[gateway.FormRef]*string) {
	for i := range q.cases {
		q.cases[i].forms = slices.DeleteFunc(q.cases[i].forms, func(f gateway.FormRef) bool {
			words := refs[f]
			return words != nil
		})
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
	case !t.failed || len(t.forms) == 0:
		var ids []gateway.ID
		for _, f := range t.forms {
			delete(q.words, f)
			ids = append(ids, f.ID)
		}
		q.l.accept(q.l.book.settled(q.l.w, ids))
	case len(t.forms) == 1:
		q.convict(t.forms[0])
	default:
		q.cases = append(halves(t), q.cases...)
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
	if q.l.cfg.Recorder != nil {
		q.l.outbox.add(conviction{f, words}) // before the change that wakes who sends it
	}
	q.quarantine([]gateway.FormRef{f}, words)
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
