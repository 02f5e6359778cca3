package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// A discovered function has no block, and yet Envoy can refuse what it becomes. So it has a form like a block's: its ID
// and the hash of what was found. A form in quarantine is not called: what the references led to before it is, if they
// led to anything.

// functionForm is the form of a discovered function.
func functionForm(upstream string, f *Function) FormRef {
	b, err := json.Marshal(f)
	if err != nil {
		return FormRef{ID: FunctionID(upstream, f.Name)} // it holds nothing that JSON lacks
	}
	h := sha256.Sum256(b)
	return FormRef{ID: FunctionID(upstream, f.Name), Hash: hex.EncodeToString(h[:16])}
}

// refusal is what an Envoy said of a function.
func (w *World) refusal(upstream string, f *Function) (said string, refused bool) {
	if len(w.quarantine.m) == 0 || f == nil {
		return "", false
	}
	said, refused = w.quarantine.m[functionForm(upstream, f)]
	return said, refused
}

// beforeID is where the memory keeps what a reference led to before what it leads to now.
func beforeID(ref ID) ID { return ID{KindFunction + "-before", ref.Name} }

// recollect is what a reference last led to that no Envoy refused.
func (w *World) recollect(upstream string, ref ID) (*Function, bool) {
	for _, id := range []ID{ref, beforeID(ref)} {
		if f, known := w.memory.lookup(id); known {
			if _, refused := w.refusal(upstream, f); !refused {
				return f, true
			}
		}
	}
	return nil, false
}

// remember notes what a reference leads to, and what it led to before.
func (a *application) remember(ref ID, f *Function) {
	was, known := a.w.memory.lookup(ref)
	if was == f {
		return
	}
	up, _, _ := SplitFunction(ref)
	if _, refused := a.w.refusal(up, was); known && !refused && was.Name == f.Name && functionForm(up, was) != functionForm(up, f) {
		a.w.memory.set(beforeID(ref), was)
	}
	a.w.memory.set(ref, f)
}

// reconsiderFunction settles what calls a discovered function that was refused, or is not any more.
func (a *application) reconsiderFunction(id ID) {
	up, name, ok := SplitFunction(id)
	if !ok {
		return
	}
	a.settleFunction(id)
	if u := a.w.upstreams.get(up); u != nil {
		if f := a.w.discovered(u, name); f != nil {
			a.functionMoved(up, f)
		}
	}
}

// Current says that a form is the one that its block, or what was found of a function, would have in force.
func (w *World) Current(f FormRef) bool {
	if b := w.blocks.get(f.ID); b != nil && (b.InForce != nil && b.InForce.Hash == f.Hash || b.Newest != nil && b.Newest.Hash == f.Hash) {
		return true
	}
	up, name, ok := SplitFunction(f.ID)
	if !ok {
		return false
	}
	u := w.upstreams.get(up)
	if u == nil {
		return false
	}
	fn := w.discovered(u, name)
	return fn != nil && functionForm(up, fn) == f
}
