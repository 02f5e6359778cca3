package gateway

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// retire removes deleted blocks that nothing in force names any more, says who holds the others, and lets those forms
// in that waited for what they take away to be no longer in use.
func (a *application) retire() {
	for len(a.moved) > 0 {
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
		for _, id := range gone {
			a.remove(a.w.blocks.get(id))
		}
		for id := range a.w.withheld.m {
			if b := a.w.blocks.get(id); a.changes(b) {
				a.settle[id] = struct{}{}
			}
		}
		if len(a.settle) == 0 && len(gone) == 0 { // what is gone may have held others
			return
		}
		a.settleAll()
	}
}

// changes says that a block with a part that was kept for others can do without now, or without some.
func (a *application) changes(b *Block) bool {
	form, diag := a.keepInUse(b)
	return diag == nil || form != b.InForce
}

func (a *application) holders(id ID) (held []ID) {
	if a.w.spare(a.w.blocks.get(id)) {
		return nil
	}
	for user := range a.w.users.of(id) {
		if b := a.w.blocks.get(user); b != nil && targets(b.InForce)[id] {
			held = append(held, user)
		}
	}
	slices.SortFunc(held, CompareID)
	return held
}

// keepInUse is the form to serve where the newest lacks what blocks name by their last good forms, and with which they
// would go: an instance of for_each, a listener, the gateway of all routes that name none. As a whole block that is
// deleted stays while it is named, so does a part, beside what is new. Without a diagnostic nothing is lacking.
func (a *application) keepInUse(b *Block) (*Form, *hcl.Diagnostic) {
	last := a.w.lastGood(b.ID)
	if last == b.Newest {
		return b.Newest, nil
	}
	at := b.Newest.Written.Range()
	say := func(format string, args ...any) *hcl.Diagnostic {
		return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Still in use", Subject: &at, Detail: fmt.Sprintf(format, args...)}
	}
	if b.Kind == KindGateway && (last == nil || last.Hash != b.Newest.Hash) && a.homeless() {
		if by, ok := a.needs(anyGateway, func(f *Form) bool { return targets(f)[anyGateway] }); ok {
			return a.fallBack(b.ID), say("As gateways are written now, routes that name none, such as %s, would be on none: there are several, and none has attach = true. "+
				"This form is not in force until one attaches or these routes name theirs.", by)
		}
	}
	var kept []part
	var diag *hcl.Diagnostic
	for _, p := range lostParts(last, b.Newest) {
		if p.listener == "" && a.w.dispensable(p.instance, last.Value.Instances[p.instance]) {
			continue
		}
		if by, ok := a.needs(b.ID, p.in); ok {
			kept = append(kept, p)
			diag = say("As written now, %s has no %s, which %s needs. It is kept as it was until that is changed or removed.", b.ID, p, by)
		}
	}
	if len(kept) == 0 {
		return b.Newest, nil
	}
	form := withParts(b.Newest, last, kept)
	if b.InForce != nil && b.InForce.Hash == form.Hash && reflect.DeepEqual(b.InForce.Value.Instances, form.Value.Instances) {
		form = b.InForce // nothing moves
	}
	return form, diag
}

// withParts is a form with parts of an earlier one added. It is no form of its own: it goes by the newer one's hash, and
// never into the ledger.
func withParts(form, from *Form, parts []part) *Form {
	out := *form
	out.Value.Instances = maps.Clone(form.Value.Instances)
	for _, p := range parts {
		old := from.Value.Instances[p.instance]
		if p.listener == "" {
			out.Value.Instances[p.instance] = old
			continue
		}
		g := *out.Value.Instances[p.instance].(*Gateway)
		g.Listeners = append(slices.Clip(g.Listeners), old.(*Gateway).listener(p.listener))
		out.Value.Instances[p.instance] = &g
	}
	return &out
}

// part is an instance of a block, or a listener of a gateway.
type part struct{ instance, listener string }

func (p part) String() string {
	if p.listener != "" {
		return fmt.Sprintf("listener %q", p.listener)
	}
	return "instance " + p.instance
}

// in says that a form names the part.
func (p part) in(f *Form) bool {
	return slices.ContainsFunc(f.Value.Refs, func(r Ref) bool {
		return r.Name == p.instance && r.Part == p.listener
	})
}

// lostParts lists what a form had that can be named and the next one lacks, sorted.
func lostParts(last, next *Form) (lost []part) {
	had := instances(last)
	for _, name := range slices.Sorted(maps.Keys(had)) {
		now, ok := instances(next)[name]
		if !ok {
			lost = append(lost, part{instance: name})
			continue
		}
		if f, is := had[name].(*FunctionBlock); is && f.Declares() && !now.(*FunctionBlock).Declares() {
			lost = append(lost, part{instance: name})
			continue
		}
		before, isGateway := had[name].(*Gateway)
		if after, still := now.(*Gateway); isGateway && still {
			for _, l := range before.Listeners {
				if after.listener(l.Name) == nil {
					lost = append(lost, part{name, l.Name})
				}
			}
		}
	}
	return lost
}

// needs finds a block that names target and whose last good form says so.
func (a *application) needs(target ID, names func(*Form) bool) (by ID, found bool) {
	look := func(user ID) {
		f := a.w.lastGood(user)
		if f != nil && user != target && a.w.blocks.get(user) != nil && names(f) && (!found || CompareID(user, by) < 0) {
			by, found = user, true
		}
	}
	for user := range a.w.users.of(target) {
		look(user)
	}
	for _, user := range a.remembered()[target] {
		look(user)
	}
	return by, found
}

// remembered are the blocks that the ledger knows and that are not settled yet, by what their accepted forms name.
func (a *application) remembered() map[ID][]ID {
	if a.namers == nil {
		a.namers = map[ID][]ID{}
		for id := range a.settle {
			if b := a.w.blocks.get(id); b == nil || b.InForce != nil {
				continue
			}
			for target := range targets(a.w.ledger.get(id)) {
				a.namers[target] = append(a.namers[target], id)
			}
		}
	}
	return a.namers
}

// homeless says that routes that name no gateway had one, by the last good forms of the gateways, and would have none by
// the newest.
func (a *application) homeless() bool {
	var now, before []*Gateway
	for id := range a.w.kindGateways() {
		last := a.w.lastGood(id)
		for _, v := range instances(last) {
			before = append(before, v.(*Gateway))
		}
		f := last
		b := a.w.blocks.get(id)
		switch {
		case b != nil && b.Newest == nil:
			continue // deleted
		case b != nil && usable(b.own) && !a.w.refused(id, b.Newest):
			f = b.Newest
		}
		for _, v := range instances(f) {
			now = append(now, v.(*Gateway))
		}
	}
	return len(defaults(before)) > 0 && len(defaults(now)) == 0
}
