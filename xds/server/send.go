package server

import (
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
)

// send hands one response to the stream's goroutine, if there is room, and books it. It never waits.
func (st *stream) send(b batch) bool {
	t := b.t
	r := &discoveryv3.DeltaDiscoveryResponse{TypeUrl: t.url}
	for _, i := range b.items {
		if i.resource == nil {
			r.RemovedResources = append(r.RemovedResources, i.name)
			continue
		}
		r.Resources = append(r.Resources, i.resource.Wire(i.name))
	}
	for _, table := range b.empty {
		r.RemovedResources = append(r.RemovedResources, table+"/") // no host has this name
	}
	select {
	case st.out <- &cache.DeltaPassthroughResponse{
		DeltaRequest:           t.request,
		NextVersionMap:         map[string]string{}, // go-control-plane writes into it: one each, and not nil
		DeltaDiscoveryResponse: r,
	}:
	default:
		return false
	}
	s := &sent{response: r, items: b.items}
	t.inFlight = append(t.inFlight, s)
	t.greet = false
	for _, table := range b.empty {
		delete(st.types[resourcev3.RouteType].untold, table)
	}
	t.counts.Sent++
	t.metrics.sent.Inc()
	for _, i := range b.items {
		i.in = s
		t.flying[i.name] = i
		delete(t.pending, i.name)
		delete(t.removals, i.name)
	}
	return true
}
