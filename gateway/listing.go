package gateway

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// listing is the last answer of one finder. It is immutable.
type listing struct {
	all     []*Function
	byName  map[string]*Function
	byShort map[string][]*Function // sorted by name
}

// newListing indexes an answer. A function that equals one of before is that one; an answer that equals before is
// before itself.
func newListing(before *listing, list []*Function) *listing {
	l := &listing{byName: make(map[string]*Function, len(list)), byShort: map[string][]*Function{}}
	same := before != nil
	for _, f := range list {
		if f == nil || f.Name == "" || l.byName[f.Name] != nil {
			continue
		}
		if before != nil {
			switch was := before.byName[f.Name]; {
			case was == f:
			case was != nil && reflect.DeepEqual(was, f):
				f = was
			default:
				same = false
			}
		}
		l.all = append(l.all, f)
		l.byName[f.Name] = f
	}
	if same && len(l.all) == len(before.all) {
		return before
	}
	if byName := func(a, b *Function) int { return strings.Compare(a.Name, b.Name) }; !slices.IsSortedFunc(l.all, byName) {
		slices.SortFunc(l.all, byName)
	}
	for _, f := range l.all {
		if f.Short != "" && f.Short != f.Name {
			l.byShort[f.Short] = append(l.byShort[f.Short], f)
		}
	}
	return l
}

// functions lists what the finder found; none for a nil listing.
func (l *listing) functions() []*Function {
	if l == nil {
		return nil
	}
	return l.all
}

// changed lists the functions that differ between two listings, as they were and as they are.
func (l *listing) changed(next *listing) (out []*Function) {
	for _, f := range l.functions() {
		if next == nil || next.byName[f.Name] != f {
			out = append(out, f)
		}
	}
	for _, f := range next.functions() {
		if l == nil || l.byName[f.Name] != f {
			out = append(out, f)
		}
	}
	return out
}

// takeFunctions stores what finders say and what references led to, and settles the blocks that it concerns.
func (a *application) takeFunctions(in Input) {
	for k, list := range in.Functions {
		before := a.w.listings.get(k)
		var after *listing
		if list != nil {
			after = newListing(before, list)
		}
		if after == before {
			continue
		}
		if after == nil {
			a.w.listings.del(k)
		} else {
			a.w.listings.set(k, after)
		}
		if before == nil || after == nil { // what is not in the answer was not known to be missing
			a.settleUsers(ID{KindUpstream, k.Upstream}.Written())
			continue
		}
		for _, f := range before.changed(after) {
			a.functionMoved(k.Upstream, f)
		}
	}
	for id, f := range in.Remembered {
		if f != nil {
			a.w.memory.set(id, f)
			a.settleFunction(ID{KindFunction, id.Name})
		}
	}
}

// functionMoved settles what leads to a function, by its name or its short one.
func (a *application) functionMoved(upstream string, f *Function) {
	a.settleFunction(FunctionID(upstream, f.Name))
	if f.Short != "" {
		a.settleFunction(FunctionID(upstream, f.Short))
	}
}

// settleFunction settles the blocks that name a function, and the block that is laid on it.
func (a *application) settleFunction(id ID) {
	id = id.Written()
	a.settleUsers(id)
	if a.w.blocks.get(id) != nil {
		a.settle[id] = struct{}{}
	}
}

// note remembers what the function references of forms lead to.
func (a *application) note(own ID, forms ...*Form) {
	if own.Kind == KindFunction {
		for _, f := range forms {
			for name := range instances(f) {
				a.noteOne(own, ID{KindFunction, name})
			}
		}
		return
	}
	for _, f := range forms {
		if f == nil {
			continue
		}
		for _, ref := range f.Value.Refs {
			if ref.Kind == KindFunction {
				a.noteOne(own, ref.ID)
			}
		}
	}
}

// noteOne notes one reference. A short name that means several functions, and never meant one here, leads nowhere.
func (a *application) noteOne(own, id ID) {
	l := a.w.lead(id)
	if !l.live() || l.declared || len(l.several) > 0 && !l.chosen && !a.namedBefore(own, id) {
		return
	}
	a.remember(id, l.fn)
}

// forgetFunction drops the memory of a reference that nobody has any more.
func (a *application) forgetFunction(id ID) {
	if id.Kind == KindFunction && len(a.w.users.of(id)) == 0 && a.w.blocks.get(id) == nil {
		a.w.memory.del(id)
		a.w.memory.del(beforeID(id))
	}
}

// Remembered is what each reference to a discovered function that a block names last led to, by the reference, and, by
// IDs of a kind of their own, what it led to before: what keeps the routes that call it when it is not found any more,
// not yet, or refused. It is for a last good state; give it back as Input.Remembered. What replicas share is Led.
func (w *World) Remembered() map[ID]*Function {
	out := map[ID]*Function{}
	for id, f := range w.memory.entries() {
		if w.named(ID{KindFunction, id.Name}) {
			out[id] = f
		}
	}
	return out
}

// Found lists what each finder last answered, for a last good state.
func (w *World) Found() map[FinderKey][]*Function {
	out := make(map[FinderKey][]*Function, len(w.listings.m))
	for k, l := range w.listings.m {
		out[k] = slices.Clip(l.all)
		if out[k] == nil {
			out[k] = []*Function{}
		}
	}
	return out
}

// Finders lists what the upstreams in force ask for.
func (w *World) Finders() map[FinderKey]Finder {
	out := map[FinderKey]Finder{}
	for _, list := range w.finders.m {
		for _, f := range list {
			out[f.Key] = f
		}
	}
	return out
}

// Answered says whether a finder has answered.
func (w *World) Answered(k FinderKey) bool { return w.listings.get(k) != nil }

// Secrets lists the secrets that blocks in force name, and the identities that their upstreams need: those to fetch.
func (w *World) Secrets() map[ID]*Secret {
	out := w.meshSecrets()
	for id, s := range w.secrets.m {
		for user := range w.users.of(id) {
			if b := w.blocks.get(user); b != nil && targets(b.InForce)[id] {
				out[id] = s
				break
			}
		}
	}
	return out
}

// SecretVersion is the version of a secret's material: known is false while it has not been read, and a known version
// of "" is that of a secret that has expired.
func (w *World) SecretVersion(secret ID) (version string, known bool) {
	version, known = w.versions.m[secret]
	return version, known
}

// SecretVersions lists the known versions.
func (w *World) SecretVersions() map[ID]string { return maps.Clone(w.versions.m) }
