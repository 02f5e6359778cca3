package catalog

import (
	"maps"
	"slices"
	"time"
)

// guard decides when a row that is missing from an answer counts as deleted. It does no I/O and reads no clock; its
// user is one goroutine.
//
// New and changed rows count at once. A missing row counts once a consistent read misses it as well. Where all rows
// are missing, or the answer proves nothing about absence, the row is held for `hold` before that read is made.
type guard[V any] struct {
	hold  time.Duration
	same  func(a, b V) bool
	known map[string]V
	due   map[string]time.Time // missing rows, and from when a consistent read settles them
}

func newGuard[V any](hold time.Duration, same func(a, b V) bool) *guard[V] {
	return &guard[V]{hold: hold, same: same, known: map[string]V{}, due: map[string]time.Time{}}
}

// offered is what an answer changes.
type offered struct {
	set  []string // new or changed, sorted
	gone []string // deleted, sorted
}

func (o offered) changed() bool { return len(o.set)+len(o.gone) > 0 }

// offer takes an answer. final says that it was read consistently, to settle what is missing.
func (g *guard[V]) offer(now time.Time, rows map[string]V, t trust, final bool) offered {
	var out offered
	for k, v := range rows {
		delete(g.due, k)
		if old, ok := g.known[k]; ok && g.same(old, v) {
			continue
		}
		g.known[k] = v
		out.set = append(out.set, k)
	}
	if t == proves && len(rows) == 0 && len(g.known) > 0 {
		t = suspects
	}
	for k := range g.known {
		if _, ok := rows[k]; ok {
			continue
		}
		due, held := g.due[k]
		switch {
		case !held && t == proves:
			due = now
		case !held:
			due = now.Add(g.hold)
		}
		if final && t == denies { // the read settled nothing
			due = now.Add(g.hold)
		}
		g.due[k] = due
		if final && t != denies && !due.After(now) {
			delete(g.due, k)
			delete(g.known, k)
			out.gone = append(out.gone, k)
		}
	}
	slices.Sort(out.set)
	slices.Sort(out.gone)
	return out
}

// release makes all held rows due: the reason to hold them was refuted.
func (g *guard[V]) release(now time.Time) {
	for k, due := range g.due {
		if due.After(now) {
			g.due[k] = now
		}
	}
}

// settle is when a consistent read is wanted next; ok is false while nothing is missing.
func (g *guard[V]) settle() (at time.Time, ok bool) {
	for _, due := range g.due {
		if !ok || due.Before(at) {
			at, ok = due, true
		}
	}
	return at, ok
}

// held are the missing rows, sorted.
func (g *guard[V]) held() []string { return slices.Sorted(maps.Keys(g.due)) }
