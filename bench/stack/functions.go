package stack

import (
	"context"
	"time"

	"github.com/sluice-gateway/sluice/control"
	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/discovery/static"
	"github.com/sluice-gateway/sluice/gateway"
)

// WithFunctions is InMemory for worlds whose upstreams have functions and secrets: Found is to be called once, after Fill.
func WithFunctions(ctx context.Context, reveal gateway.Reveal) (*Plane, error) {
	return start(ctx, control.Config{
		Expect: []string{control.InputDocuments, control.InputEndpoints, control.InputFunctions}, Grace: time.Minute,
	}, []discovery.Kind{static.Kind()}, reveal)
}

// Found gives a plane the functions of its finders, by kind, once its documents ask for all of them, and the versions of
// its secrets.
func (p *Plane) Found(functions map[string][]*gateway.Function, secrets map[gateway.ID]string) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for len(p.Loop.World().Finders()) < len(functions) {
		<-tick.C
	}
	p.Loop.SecretVersions(secrets)
	for kind, list := range functions {
		p.FoundAgain(kind, list)
	}
	p.Loop.Answered(control.InputFunctions)
}

// FoundAgain gives a plane the functions of the finder of a kind ("openapi").
func (p *Plane) FoundAgain(kind string, list []*gateway.Function) {
	for key := range p.Loop.World().Finders() {
		if key.Kind == kind {
			p.Loop.Functions(map[gateway.FinderKey][]*gateway.Function{key: list})
		}
	}
}

// Well waits until every block is in force as it is written, and says what keeps one from it.
func (p *Plane) Well(patience time.Duration) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		var wrong error
		for _, b := range p.Loop.World().Blocks() {
			if b.Diags.HasErrors() {
				wrong = b.Diags
				break
			}
		}
		if wrong == nil || time.Now().After(deadline) {
			return wrong
		}
	}
}
