package gateway

import (
	"maps"
	"slices"
	"strings"
)

// FunctionStatus is one function as the world knows it.
type FunctionStatus struct {
	ID       ID
	Function *Function  // nil for one that is called and not known
	State    string     // "found", "declared", "waiting", "vanished", "refused", "unknown"
	Finder   *FinderKey // who found it; nil for what is declared, or not found
	Block    ID         // the function block that declares it, or is laid on it; zero: there is none
	Hidden   bool       // it is found, and a block declares another in its place
	Callers  []ID       // blocks that name it, by whatever name, sorted
}

// Functions lists all functions of the upstreams in force: those that are found or declared, and those that some block
// names though they are not. Sorted by ID.
func (w *World) Functions() []FunctionStatus {
	all := map[ID]*FunctionStatus{}
	for _, up := range slices.Sorted(maps.Keys(w.finders.m)) {
		for _, f := range w.finders.get(up) {
			for _, fn := range w.listings.get(f.Key).functions() {
				id := FunctionID(up, fn.Name)
				if all[id] == nil {
					key := f.Key
					all[id] = &FunctionStatus{ID: id, Function: fn, State: "found", Finder: &key}
				}
			}
		}
	}
	for id, b := range w.functions.all() {
		s := w.statusOf(all, id)
		s.Block = id.Written()
		if b.declared != nil {
			s.Hidden = s.Finder != nil
			s.Function, s.State = b.declared, "declared"
		}
	}
	for id, users := range w.users.entries() {
		if id.Kind != KindFunction {
			continue
		}
		for user := range users {
			for _, ref := range w.functionRefs(user, id) {
				s := w.statusOf(all, ref)
				if !slices.Contains(s.Callers, user) {
					s.Callers = append(s.Callers, user)
				}
			}
		}
	}
	out := make([]FunctionStatus, 0, len(all))
	for _, s := range all {
		slices.SortFunc(s.Callers, CompareID)
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b FunctionStatus) int { return strings.Compare(a.ID.Name, b.ID.Name) })
	return out
}

// functionRefs lists the functions that a block names by one written ID: instances of a repeated block, or itself.
func (w *World) functionRefs(user, written ID) (out []ID) {
	b := w.blocks.get(user)
	if b == nil {
		return nil
	}
	for _, f := range []*Form{b.Newest, b.InForce} {
		if f == nil {
			continue
		}
		for _, ref := range f.Value.Refs {
			if ref.ID.Written() == written && !slices.Contains(out, ref.ID) {
				out = append(out, ref.ID)
			}
		}
	}
	return out
}

// statusOf is the entry of what a reference leads to.
func (w *World) statusOf(all map[ID]*FunctionStatus, ref ID) *FunctionStatus {
	l := w.lead(ref)
	id := ref
	if up, _, ok := SplitFunction(ref); ok && l.fn != nil && !l.declared {
		id = FunctionID(up, l.fn.Name)
	}
	s := all[id]
	if s != nil && l.state == leadRefused {
		s.State = "refused"
	}
	if s == nil {
		s = &FunctionStatus{ID: id, Function: l.fn, State: map[leadState]string{
			leadFound: "found", leadRecalled: "waiting", leadWaiting: "waiting", leadVanished: "vanished", leadRefused: "refused", leadUnknown: "unknown",
		}[l.state]}
		all[id] = s
	}
	return s
}
