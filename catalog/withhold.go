package catalog

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/consul/api"
)

// withhold stands between a watch of routes/ or values/ and its user: while an apply is under way, the keys that its
// hold names keep what was last said of them. When the hold is gone they are read once, as one list, and said at once.
type withhold struct {
	c   *Client
	dir string

	mu       sync.Mutex // update is called under it
	update   func(Change)
	complete bool
	held     map[string]bool   // keys below dir
	said     map[string]uint64 // ModifyIndex of what was said, by key
}

func newWithhold(c *Client, dir string, update func(Change)) *withhold {
	return &withhold{c: c, dir: dir, update: update, held: map[string]bool{}, said: map[string]uint64{}}
}

// begin reads the hold before the first answer is said.
func (h *withhold) begin(ctx context.Context) {
	keys, err := h.look(ctx)
	if err != nil {
		return // the hold's own watch will say
	}
	h.mu.Lock()
	h.held = keys
	h.mu.Unlock()
}

// look reads the hold.
func (h *withhold) look(ctx context.Context) (map[string]bool, error) {
	p, err := h.c.holdPair(ctx)
	if err != nil {
		return nil, err
	}
	return h.mine(holdKeys(p.Value)), nil
}

// mine are the keys of a hold that are below dir.
func (h *withhold) mine(keys []string) map[string]bool {
	out := map[string]bool{}
	for _, k := range keys {
		if rel, ok := strings.CutPrefix(k, h.dir); ok {
			out[rel] = true
		}
	}
	return out
}

// say passes a change on, but for held keys. A value that was written under a hold, or a deletion, may be seen before
// the hold is: then the hold is read first.
func (h *withhold) say(ctx context.Context, ch Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	suspicious := len(ch.Deleted) > 0 || slices.ContainsFunc(ch.Set, func(p Pair) bool { return p.applied })
	if suspicious && len(h.held) == 0 && h.complete {
		if keys, err := h.look(ctx); err == nil {
			h.held = keys
		}
	}
	h.pass(ch)
}

// pass says what is not held and not said yet; mu is held.
func (h *withhold) pass(ch Change) {
	out := Change{Complete: ch.Complete}
	for _, p := range ch.Set {
		if !h.held[p.Key] && h.said[p.Key] != p.ModifyIndex {
			h.said[p.Key] = p.ModifyIndex
			out.Set = append(out.Set, p)
		}
	}
	for _, k := range ch.Deleted {
		if _, ok := h.said[k]; ok && !h.held[k] {
			delete(h.said, k)
			out.Deleted = append(out.Deleted, k)
		}
	}
	first := ch.Complete && !h.complete
	h.complete = h.complete || ch.Complete
	if len(out.Set)+len(out.Deleted) > 0 || first {
		out.Held = slices.Sorted(maps.Keys(h.held))
		h.update(out)
	}
}

// run follows the hold until ctx ends.
func (h *withhold) run(ctx context.Context) error {
	return h.c.Hold(ctx, func(keys []string) { h.changed(ctx, h.mine(keys)) }, nil)
}

// changed takes a new hold; what it no longer names is read and said, with the patience of a watch.
func (h *withhold) changed(ctx context.Context, keys map[string]bool) {
	h.mu.Lock()
	var free []string
	for k := range h.held {
		if !keys[k] {
			free = append(free, k)
		}
	}
	for k := range keys {
		h.held[k] = true
	}
	h.mu.Unlock()
	for try := 0; len(free) > 0 && ctx.Err() == nil; try++ {
		if h.free(ctx, free, keys) == nil {
			return
		}
		_ = sleep(ctx, doubled(retryFirst, try, retryLast)) // the loop sees that ctx has ended
	}
}

func (h *withhold) free(ctx context.Context, free []string, keys map[string]bool) error {
	h.mu.Lock() // a change that a watch sees meanwhile waits, and is then found to have been said
	defer h.mu.Unlock()
	call, cancel := within(ctx)
	defer cancel()
	rows, meta, err := h.c.list(h.dir, (&api.QueryOptions{RequireConsistent: true}).WithContext(call))
	if err != nil {
		return err
	}
	if trusted(meta, verdict{}, h.c.anonymous(), true) == denies {
		return errLost
	}
	ch := Change{Complete: h.complete}
	slices.Sort(free)
	for _, k := range free {
		if p, ok := rows[k]; ok {
			ch.Set = append(ch.Set, p)
		} else {
			ch.Deleted = append(ch.Deleted, k)
		}
	}
	h.held = keys
	h.pass(ch)
	return nil
}
