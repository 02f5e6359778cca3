package stack

import (
	"fmt"
	"net/netip"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/control"
	"github.com/sluice-gateway/sluice/discovery/static"
	"github.com/sluice-gateway/sluice/gateway"
)

// Size is what a world in memory holds.
type Size struct {
	Base      map[string]string // documents by key: the gateway, and what all routes need
	Documents map[string]string
	Static    []string // endpoints of the static sources in Base, one each
	Services  []string // each with Instances endpoints, and a route of its own in Documents
	Instances int
}

// Fill gives a plane in memory its documents and endpoints, and lets Envoys in.
func (p *Plane) Fill(s Size) {
	docs := map[string]*gateway.Document{}
	for _, set := range []map[string]string{s.Base, s.Documents} {
		for key, text := range set {
			docs[catalog.DocumentName(key)] = p.Document(key, 1, []byte(text))
		}
	}
	endpoints := map[gateway.SourceKey][]gateway.Endpoint{}
	for _, at := range s.Static {
		to := netip.MustParseAddrPort(at)
		key := (&static.Spec{Endpoints: []string{at}}).SourceKey()
		endpoints[key] = []gateway.Endpoint{{ID: at, Address: to.Addr().String(), Port: to.Port()}}
	}
	for n, name := range s.Services {
		endpoints[serviceKey(name)] = instances(n, s.Instances)
	}
	p.Loop.Documents(docs)
	p.Loop.Endpoints(endpoints)
	p.Loop.Answered(control.InputDocuments)
	p.Loop.Answered(control.InputEndpoints)
}

func serviceKey(name string) gateway.SourceKey {
	return (&catalog.ServiceSpec{Service: name}).SourceKey()
}

func instances(service, n int) []gateway.Endpoint {
	out := make([]gateway.Endpoint, n)
	for i := range out {
		out[i] = gateway.Endpoint{
			ID: fmt.Sprintf("node-%03d/instance-%02d", i, i), Address: fmt.Sprintf("10.%d.%d.%d", i, service/250, service%250+1),
			Port: 8080, Weight: 1,
		}
	}
	return out
}

// Flip changes the health of one endpoint of a service.
func (p *Plane) Flip(name string, service, n int, change *atomic.Int64) {
	list := instances(service, n)
	if change.Add(1)%2 == 1 {
		list[0].Health = gateway.Critical
	}
	p.Loop.Endpoints(map[gateway.SourceKey][]gateway.Endpoint{serviceKey(name): list})
}

// Change puts a document in the place of the one of its key.
func (p *Plane) Change(key, text string, index uint64) {
	p.Loop.Documents(map[string]*gateway.Document{catalog.DocumentName(key): p.Document(key, index, []byte(text))})
}
