package store

import (
	"iter"
	"sort"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
)

// View is the store as one gateway sees it, unchanging until Close. Close it soon: publishing waits for it. A
// goroutine has one open View at a time, and calls nothing else of the store meanwhile.
type View struct {
	s       *Store
	gateway string
}

// Found is what a name stands for.
type Found struct {
	Resource   *Resource // nil: there is none, or the gateway does not see it
	Generation uint64    // in which it became what it is
	Published  time.Time
	Held       bool // neither send, update nor remove it
}

// View opens a view. The caller closes it.
func (s *Store) View(gateway string) View {
	s.mu.RLock()
	return View{s: s, gateway: gateway}
}

// Close releases the view.
func (v View) Close() { v.s.mu.RUnlock() }

// Known says that the gateway sees at least one resource. An unknown gateway is not one without resources: its Envoys
// keep what they have.
func (v View) Known() bool { return v.s.visible[v.gateway] > 0 }

// Generation counts the changes so far. It means nothing outside this process.
func (v View) Generation() uint64 { return v.s.generation }

// Find looks a name up as a client may ask for it: an EDS name NAME@anything is the assignment NAME.
func (v View) Find(k Key) Found {
	c := v.s.types[k.Type]
	if c == nil {
		return Found{}
	}
	e := c.entries[k.Name]
	if e == nil && k.Type == resourcev3.EndpointType {
		e = c.entries[Base(k.Name)]
	}
	if e == nil {
		return Found{}
	}
	f := Found{Generation: e.generation, Published: e.published, Held: e.held}
	if e.resource != nil && e.resource.VisibleTo(v.gateway) {
		f.Resource = e.resource
	}
	return f
}

// Names are the visible resources of a type, in no order.
func (v View) Names(typeURL string) iter.Seq[string] {
	return func(yield func(string) bool) {
		c := v.s.types[typeURL]
		if c == nil {
			return
		}
		for name, e := range c.entries {
			if e.resource != nil && e.resource.VisibleTo(v.gateway) && !yield(name) {
				return
			}
		}
	}
}

// Awaited are the names of a type that are held and were never set, in no order: who will see them is not known yet.
func (v View) Awaited(typeURL string) iter.Seq[string] {
	return func(yield func(string) bool) {
		c := v.s.types[typeURL]
		if c == nil {
			return
		}
		for name, e := range c.entries {
			if e.held && e.resource == nil && !yield(name) {
				return
			}
		}
	}
}

// Changed calls f with every name of a type that may have changed after a generation, oldest first, names repeated.
// It returns false, having called nothing, when the log no longer reaches back that far: compare everything then.
func (v View) Changed(typeURL string, after uint64, f func(name string, generation uint64)) bool {
	c := v.s.types[typeURL]
	if c == nil {
		return true
	}
	if after < c.from {
		return false
	}
	first := len(c.log)
	if first > 0 && c.log[first-1].generation > after {
		first = sort.Search(len(c.log), func(i int) bool { return c.log[i].generation > after })
	}
	for _, l := range c.log[first:] {
		f(l.name, l.generation)
	}
	return true
}
