package server

import (
	"slices"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
)

// answer books an ACK or a NACK. It runs on the stream's goroutine, which is also the one that got the nonces
// written; an answer to a response that is not in flight says nothing.
func (st *stream) answer(req *discoveryv3.DeltaDiscoveryRequest) {
	if req.GetResponseNonce() == "" {
		return
	}
	st.mu.Lock()
	t := st.types[req.GetTypeUrl()]
	var s *sent
	if t != nil {
		s = t.take(req.GetResponseNonce())
	}
	if s == nil {
		st.mu.Unlock()
		return
	}
	if req.GetErrorDetail() == nil {
		acked := st.acked(t, s)
		st.mu.Unlock()
		if len(acked) > 0 {
			st.srv.opts.Observer.Acked(st.node, acked)
		}
		return
	}
	text := st.srv.redact(req.GetErrorDetail().GetMessage())
	nacked := st.nacked(t, s, text)
	st.mu.Unlock()
	st.srv.log.Warn("envoy refused a response", "node", st.node.ID, "gateway", st.node.Gateway, "type", t.kind.short,
		"resources", len(s.items), "error", text)
	if len(nacked) > 0 {
		st.srv.opts.Observer.Nacked(st.node, nacked, text)
	}
}

// take finds the response with a nonce and removes it from those in flight.
func (t *typeState) take(nonce string) *sent {
	for i, s := range t.inFlight {
		if s.response.GetNonce() == nonce {
			t.inFlight = slices.Delete(t.inFlight, i, i+1) // which lets go of what it held
			return s
		}
	}
	return nil
}

// acked notes what the client now has, unless it has unsubscribed meanwhile.
func (st *stream) acked(t *typeState, s *sent) []Versioned {
	t.counts.Acked++
	t.counts.LastAck = time.Now()
	t.metrics.acked.Inc()
	out := make([]Versioned, 0, len(s.items))
	var oldest time.Time
	for _, i := range s.items {
		latest := t.flying[i.name]
		if latest == nil {
			continue
		}
		if latest.in == s {
			delete(t.flying, i.name)
		}
		if i.resource == nil {
			delete(t.have, i.name)
			out = append(out, Versioned{Key: i.key})
			continue
		}
		t.have[i.name] = i.resource
		delete(t.refused, i.name)
		out = append(out, Versioned{i.key, i.resource.Version})
		if i.published.After(st.since) && (oldest.IsZero() || i.published.Before(oldest)) {
			oldest = i.published
		}
	}
	if !oldest.IsZero() {
		t.metrics.latency.Observe(time.Since(oldest).Seconds())
	}
	return out
}

// nacked notes what the client does not have. A resource refused alone is the culprit and not sent again in this
// version; a refused batch is sent again in parts.
func (st *stream) nacked(t *typeState, s *sent, text string) []Versioned {
	t.counts.Nacked++
	t.counts.LastNack, t.counts.LastNackAt = text, time.Now()
	t.metrics.nacked.Inc()
	var mine []*item
	for _, i := range s.items {
		if latest := t.flying[i.name]; latest != nil && latest.in == s {
			delete(t.flying, i.name)
			mine = append(mine, i)
		}
	}
	if len(s.items) == 1 {
		i := s.items[0]
		if i.resource == nil {
			return []Versioned{{Key: i.key}}
		}
		if len(mine) == 1 {
			t.refused[i.name] = i.resource.Version
		}
		return []Versioned{{i.key, i.resource.Version}}
	}
	size := (len(mine) + bisectWays - 1) / bisectWays
	for n, i := range mine {
		if i.resource == nil {
			continue
		}
		if n%size == 0 {
			t.lastPart++
		}
		if t.pending[i.name] == nil {
			t.pending[i.name] = &pending{generation: i.generation, since: time.Now(), part: t.lastPart}
		}
	}
	return nil
}
