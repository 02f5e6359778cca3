package server

import (
	"sync"
	"time"
)

const (
	refusalQuiet = 10 * time.Minute // the same refusal is logged again after it
	mostRefusals = 1024             // that are remembered
)

// refusals remembers what was refused lately: an Envoy that may not join asks again every few seconds, for ever. It is
// safe for concurrent use.
type refusals struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// fresh says that a refusal was not told for a while, and remembers it.
func (r *refusals) fresh(what string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t, told := r.last[what]; told && now.Sub(t) < refusalQuiet {
		return false
	}
	if r.last == nil || len(r.last) >= mostRefusals {
		r.last = map[string]time.Time{}
	}
	r.last[what] = now
	return true
}
