package server

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/xds/store"
)

// NodeStatus is one connected Envoy.
type NodeStatus struct {
	Node
	Since   time.Time
	Unknown bool              // its gateway has no resources: it is sent nothing and keeps what it has
	Types   map[string]Counts // by type URL
	Lacks   []string          // sorted: what it is not sent, and for want of which extension
}

// Counts is what happened to one resource type on one stream.
type Counts struct {
	Sent, Acked, Nacked uint64 // responses
	InFlight            int    // responses without an answer
	Waiting             int    // resources that wait for what they need
	LastAck             time.Time
	LastNack            string // redacted; empty: none
	LastNackAt          time.Time
}

// Nodes lists the connected Envoys by gateway, ID and time.
func (s *Server) Nodes() []NodeStatus {
	var out []NodeStatus
	for _, st := range s.all() {
		st.mu.Lock()
		n := NodeStatus{Node: st.node, Since: st.since, Unknown: st.unknown, Types: map[string]Counts{}}
		for url, t := range st.types {
			c := t.counts
			c.InFlight, c.Waiting = len(t.inFlight), len(t.pending)
			n.Types[url] = c
			for name, w := range t.pending {
				if w.lacks != "" {
					n.Lacks = append(n.Lacks, store.Key{Type: url, Name: name}.String()+" needs "+w.lacks)
				}
			}
		}
		st.mu.Unlock()
		slices.Sort(n.Lacks)
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b NodeStatus) int {
		return cmp.Or(cmp.Compare(a.Gateway, b.Gateway), cmp.Compare(a.ID, b.ID), a.Since.Compare(b.Since))
	})
	return out
}

// Versions is what the Envoy on a stream has of a type: name as it asked for it → version. Nil: no such stream.
func (s *Server) Versions(stream uint64, typeURL string) map[string]string {
	s.mu.Lock()
	st := s.streams[stream]
	s.mu.Unlock()
	if st == nil {
		return nil
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	out := map[string]string{}
	if t := st.types[typeURL]; t != nil {
		for name, r := range t.have {
			out[name] = r.Version
		}
	}
	return out
}

func (s *Server) all() []*stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.streams))
}
