package main

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/control"
	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// inputs knows which expected inputs have not answered yet. It is safe for concurrent use.
type inputs struct {
	loop *control.Loop

	mu      sync.Mutex
	waiting map[string]bool
	docs    chan struct{} // closed when documents have answered
}

func newInputs(loop *control.Loop, expected []string) *inputs {
	i := &inputs{loop: loop, waiting: map[string]bool{}, docs: make(chan struct{})}
	for _, name := range expected {
		i.waiting[name] = true
	}
	return i
}

// answered tells the loop, once.
func (i *inputs) answered(name string) {
	i.mu.Lock()
	first := i.waiting[name]
	delete(i.waiting, name)
	i.mu.Unlock()
	if !first {
		return
	}
	i.loop.Answered(name)
	if name == control.InputDocuments {
		close(i.docs)
	}
}

func (i *inputs) names() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Sorted(maps.Keys(i.waiting))
}

// wanted is the manager of sources, and remembers what the loop last asked it for.
type wanted struct {
	*discovery.Manager

	mu    sync.Mutex
	asked map[gateway.SourceKey]gateway.SourceSpec
}

// Want implements control.Sources.
func (w *wanted) Want(sources map[gateway.SourceKey]gateway.SourceSpec) {
	w.Manager.Want(sources)
	w.mu.Lock()
	w.asked = maps.Clone(sources)
	w.mu.Unlock()
}

// covers says that everything the world asks for has been asked. A world without documents asks for nothing, and the
// loop has had no reason to say so.
func (w *wanted) covers(world *gateway.World) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for k := range world.Sources() {
		if _, ok := w.asked[k]; !ok {
			return false
		}
	}
	return true
}

// awaitEndpoints says that the endpoints have answered once the sources of the first documents have, and then the
// functions once the finders have, which ask those endpoints.
func (p *plane) awaitEndpoints(ctx context.Context) error {
	changed, end := p.loop.Subscribe()
	defer end()
	select {
	case <-ctx.Done():
		return nil
	case <-p.inputs.docs:
	}
	for !p.documentsTaken() || !p.wanted.covers(p.loop.World()) {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
	if len(p.loop.World().Sources()) > 0 {
		if err := p.manager.WaitAnswered(ctx); err != nil {
			return nil // it has stopped
		}
	}
	p.inputs.answered(control.InputEndpoints)
	p.awaitFunctions(ctx)
	p.inputs.answered(control.InputFunctions)
	<-ctx.Done()
	return nil
}

// functionsWait is how long a start waits for functions. A service that is down has none to tell, and must not keep the
// rest from being served or recorded.
const functionsWait = 15 * time.Second

// awaitFunctions returns when every finder has answered, but in time.
func (p *plane) awaitFunctions(ctx context.Context) {
	if len(p.loop.World().Finders()) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, functionsWait)
	defer cancel()
	if err := p.finders.WaitAnswered(ctx); err != nil {
		p.cfg.log.Warn("not every upstream has said which functions it has; serving what is known")
	}
}

// documentsTaken says that the loop has seen the first documents.
func (p *plane) documentsTaken() bool {
	have := p.loop.World().Documents()
	for _, name := range p.facts.firstDocuments() {
		if have[name] == nil {
			return false
		}
	}
	return true
}
