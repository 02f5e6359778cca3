package store

import (
	"slices"
	"sort"
	"time"
)

// Publish applies a change and returns the generation of the store after it. What is equal in version, gateways and
// needs leaves no trace: if all is, the generation stays. It wakes the watches of the gateways that are concerned; it
// never waits for a reader of the log beyond the short time in which one looks at it.
func (s *Store) Publish(c Change) uint64 {
	s.mu.Lock()
	t := transaction{s: s, generation: s.generation + 1, now: time.Now(), touched: map[string]struct{}{}}
	for _, k := range c.Hold {
		t.hold(k)
	}
	for _, r := range c.Set {
		t.set(r)
	}
	for _, k := range c.Remove {
		t.remove(k)
	}
	if t.changed {
		s.generation = t.generation
		s.latest.Store(t.generation)
	}
	wake := t.woken()
	generation := s.generation
	s.mu.Unlock()

	for _, w := range wake {
		w.wake()
	}
	return generation
}

// transaction collects what one Publish did. The store's lock is held.
type transaction struct {
	s          *Store
	generation uint64
	now        time.Time
	changed    bool
	all        bool                // every gateway is concerned
	touched    map[string]struct{} // gateways that are concerned
}

func (t *transaction) collection(typeURL string) *collection {
	c := t.s.types[typeURL]
	if c == nil {
		c = &collection{entries: map[string]*entry{}}
		t.s.types[typeURL] = c
	}
	return c
}

// hold keeps what is there as it is. Streams need not hear of it: they look at the entry before they send.
func (t *transaction) hold(k Key) {
	c := t.collection(k.Type)
	e := c.entries[k.Name]
	if e == nil {
		e = &entry{generation: t.generation, published: t.now}
		c.entries[k.Name] = e
	}
	e.held = true
}

func (t *transaction) set(r *Resource) {
	c := t.collection(r.Type)
	e := c.entries[r.Name]
	if e == nil {
		e = &entry{}
		c.entries[r.Name] = e
	}
	old, wasHeld := e.resource, e.held
	same := old != nil && old.Version == r.Version && slices.Equal(old.Gateways, r.Gateways)
	if same && !wasHeld {
		if !slices.Equal(old.Needs, r.Needs) {
			e.resource = r
		}
		return
	}
	if wasHeld {
		t.all = true // some stream may have looked away while it was held, or have it from an earlier process
	}
	t.see(old, -1)
	t.see(r, +1)
	*e = entry{resource: r, generation: t.generation, published: t.now}
	t.log(c, r.Name)
}

func (t *transaction) remove(k Key) {
	c := t.collection(k.Type)
	e := c.entries[k.Name]
	if e == nil {
		return
	}
	if e.held {
		t.all = true
	}
	t.see(e.resource, -1)
	delete(c.entries, k.Name)
	t.log(c, k.Name)
}

// see counts a resource for its gateways, or discounts it, and marks them as concerned.
func (t *transaction) see(r *Resource, n int) {
	if r == nil {
		return
	}
	for _, g := range r.Gateways {
		t.touched[g] = struct{}{}
		if t.s.visible[g] += n; t.s.visible[g] == 0 {
			delete(t.s.visible, g)
		}
	}
}

// log appends, and drops the older half when the log has grown beyond its limit.
func (t *transaction) log(c *collection, name string) {
	t.changed = true
	c.log = append(c.log, logged{t.generation, name})
	if limit := t.s.logLimit; len(c.log) > 2*limit {
		cut := len(c.log) - limit
		c.from = c.log[cut-1].generation
		kept := sort.Search(len(c.log), func(i int) bool { return c.log[i].generation > c.from })
		c.log = slices.Clone(c.log[kept:])
	}
}

// woken lists the watches to wake once the lock is released.
func (t *transaction) woken() []*Watch {
	if !t.changed {
		return nil
	}
	var out []*Watch
	for gateway, ws := range t.s.watches {
		if _, ok := t.touched[gateway]; ok || t.all {
			for w := range ws {
				out = append(out, w)
			}
		}
	}
	return out
}
