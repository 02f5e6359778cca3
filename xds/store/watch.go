package store

import "sync"

// Watch tells one reader of the log that there is something new for its gateway.
type Watch struct {
	s       *Store
	gateway string
	c       chan struct{}
}

// Watch registers a reader for a gateway, known or not. The caller closes it.
func (s *Store) Watch(gateway string) *Watch {
	w := &Watch{s: s, gateway: gateway, c: make(chan struct{}, 1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watches[gateway] == nil {
		s.watches[gateway] = map[*Watch]struct{}{}
	}
	s.watches[gateway][w] = struct{}{}
	return w
}

// C receives after changes that concern the gateway: one value for any number of changes. It is never closed.
func (w *Watch) C() <-chan struct{} { return w.c }

// Close ends the registration.
func (w *Watch) Close() {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	delete(w.s.watches[w.gateway], w)
	if len(w.s.watches[w.gateway]) == 0 {
		delete(w.s.watches, w.gateway)
	}
}

func (w *Watch) wake() {
	select {
	case w.c <- struct{}{}:
	default:
	}
}

// aliasIndex knows which names NAME@anything are asked for, once for all streams.
type aliasIndex struct {
	mu     sync.RWMutex
	byBase map[string]map[string]int // base → alias → streams that ask for it
}

// Ask notes that one more stream asks for an EDS name. Names without "@" need no note.
func (s *Store) Ask(name string) {
	base := Base(name)
	if base == name {
		return
	}
	s.aliases.mu.Lock()
	defer s.aliases.mu.Unlock()
	if s.aliases.byBase[base] == nil {
		s.aliases.byBase[base] = map[string]int{}
	}
	s.aliases.byBase[base][name]++
}

// Unask is the opposite of Ask.
func (s *Store) Unask(name string) {
	base := Base(name)
	if base == name {
		return
	}
	s.aliases.mu.Lock()
	defer s.aliases.mu.Unlock()
	names := s.aliases.byBase[base]
	if names[name] > 1 {
		names[name]--
		return
	}
	delete(names, name)
	if len(names) == 0 {
		delete(s.aliases.byBase, base)
	}
}

// Asked calls f with every name NAME@anything by which some stream asks for an assignment. It takes a lock of its own
// and may be called under a View; f must not call the store.
func (s *Store) Asked(base string, f func(name string)) {
	s.aliases.mu.RLock()
	defer s.aliases.mu.RUnlock()
	for name := range s.aliases.byBase[base] {
		f(name)
	}
}
