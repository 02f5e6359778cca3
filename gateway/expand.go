package gateway

// Expander is implemented by the source specs that stand for several listings, such as a service in several datacenters.
type Expander interface {
	SourceSpec
	// Further are the listings beside the spec's own, in the order in which they are to be used. None of them expands.
	Further() []SourceSpec
}

// Expand lists the sources that a block stands for: itself, then one for each further listing, with the priorities that
// follow its own and the same weight. Each is a source like any other, with an age of its own.
func (s *Source) Expand() []*Source {
	out := []*Source{s}
	e, ok := s.Spec.(Expander)
	if !ok {
		return out
	}
	for i, spec := range e.Further() {
		further := *s
		further.Priority, further.Spec = s.Priority+i+1, spec
		out = append(out, &further)
	}
	return out
}
