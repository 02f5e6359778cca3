package store

import (
	"maps"
	"slices"
	"strings"
)

// Generation counts the changes so far. It takes no lock.
func (s *Store) Generation() uint64 { return s.latest.Load() }

// Get is the present version of a resource, or nil. A held resource is there in its last version.
func (s *Store) Get(k Key) *Resource {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if c := s.types[k.Type]; c != nil && c.entries[k.Name] != nil {
		return c.entries[k.Name].resource
	}
	return nil
}

// List is all resources, or those that one gateway sees when it is not empty, by type and name.
func (s *Store) List(gateway string) []*Resource {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []*Resource
	for _, c := range s.types {
		for _, e := range c.entries {
			if e.resource != nil && (gateway == "" || e.resource.VisibleTo(gateway)) {
				out = append(out, e.resource)
			}
		}
	}
	slices.SortFunc(out, func(a, b *Resource) int { return CompareKey(a.Key, b.Key) })
	return out
}

// Held is all keys that are held, by type and name.
func (s *Store) Held() []Key {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []Key
	for typeURL, c := range s.types {
		for name, e := range c.entries {
			if e.held {
				out = append(out, Key{typeURL, name})
			}
		}
	}
	slices.SortFunc(out, CompareKey)
	return out
}

// Gateways are the sorted roles that see at least one resource.
func (s *Store) Gateways() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Sorted(maps.Keys(s.visible))
}

// LogLength is the number of logged changes of each type.
func (s *Store) LogLength() map[string]int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make(map[string]int, len(s.types))
	for typeURL, c := range s.types {
		out[typeURL] = len(c.log)
	}
	return out
}

// CompareKey orders keys by type, then name.
func CompareKey(a, b Key) int {
	if c := strings.Compare(a.Type, b.Type); c != 0 {
		return c
	}
	return strings.Compare(a.Name, b.Name)
}
