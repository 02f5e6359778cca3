package kubernetes

import (
	"maps"
	"slices"
	"sync"
)

// state is what a feed knows: the slices of some services, or of all, as of a version.
type state struct {
	wanted    selection
	version   string
	slices    map[string]*slice
	byService map[string]map[string]*slice
}

func newState(wanted selection) *state {
	return &state{wanted: wanted, slices: map[string]*slice{}, byService: map[string]map[string]*slice{}}
}

// of are the slices of a service, in no order.
func (s *state) of(service string) []*slice {
	if s == nil {
		return nil
	}
	return slices.Collect(maps.Values(s.byService[service]))
}

func (s *state) put(n *slice) {
	s.remove(n.name)
	s.slices[n.name] = n
	if s.byService[n.service] == nil {
		s.byService[n.service] = map[string]*slice{}
	}
	s.byService[n.service][n.name] = n
}

func (s *state) remove(name string) {
	old, ok := s.slices[name]
	if !ok {
		return
	}
	delete(s.slices, name)
	delete(s.byService[old.service], name)
	if len(s.byService[old.service]) == 0 {
		delete(s.byService, old.service)
	}
}

// apply takes an event in, and says of which services it changed something.
func (s *state) apply(e event) (touched []string) {
	s.version = e.version
	if e.slice == nil {
		return nil
	}
	old := s.slices[e.slice.name]
	if e.kind == "DELETED" {
		if old != nil {
			s.remove(old.name)
			touched = append(touched, old.service)
		}
		return touched
	}
	if old != nil && old.version == e.slice.version {
		return nil
	}
	if old != nil && old.service != e.slice.service {
		touched = append(touched, old.service)
	}
	s.put(e.slice)
	return append(touched, e.slice.service)
}

// same says whether two states have the same slices of a service.
func (s *state) same(other *state, service string) bool {
	if s == nil || other == nil {
		return s == other
	}
	return maps.EqualFunc(s.byService[service], other.byService[service], func(a, b *slice) bool { return a.version == b.version })
}

// selection is the services that are asked for, sorted; nil: all.
type selection []string

// mostNamed is for how many services they are named in the question; all of the namespace are asked for if there are more.
const mostNamed = 50

func selectionOf(readers map[*reader]bool) selection {
	names := make(map[string]bool, len(readers))
	for r := range readers {
		names[r.service] = true
	}
	if len(names) > mostNamed {
		return nil
	}
	out := make(selection, 0, len(names))
	return append(out, slices.Sorted(maps.Keys(names))...)
}

func (s selection) covers(service string) bool {
	return s == nil || slices.Contains(s, service)
}

// reader is one block that is told.
type reader struct {
	service string
	ring    chan struct{} // holds one: there is a word

	mu     sync.Mutex
	word   word
	served bool // owned by the feed
}

// word is what a reader is told: the slices of its service, and whether they changed since the last word, or an error.
type word struct {
	slices  []*slice
	changed bool
	err     error
}

// put leaves the latest word. An error stays: whoever reads it joins again.
func (r *reader) put(w word) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.word.err != nil {
		return
	}
	if !w.changed && r.word.changed && w.err == nil {
		return // a sign of life beside a change that was not read yet
	}
	r.word = w
	select {
	case r.ring <- struct{}{}:
	default:
	}
}

func (r *reader) take() word {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.word
	if w.err == nil {
		r.word = word{}
	}
	return w
}
