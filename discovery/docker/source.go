package docker

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// source is one block's view of an engine.
type source struct {
	spec   Spec
	engine *engine
}

var _ discovery.Source = (*source)(nil)

// Run implements discovery.Source. Each list that differs for the block is an update.
func (s *source) Run(ctx context.Context, update func([]gateway.Endpoint), alive func()) error {
	words := make(chan word, 1)
	leave, err := s.engine.join(ctx, words)
	if err != nil {
		return err
	}
	defer leave()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case w := <-words:
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case w.err != nil:
				return w.err
			case !w.changed:
				alive()
				continue
			}
			endpoints, err := s.spec.endpoints(w.containers, w.stopping, s.engine.client.cfg.Machine)
			if err != nil {
				return err
			}
			update(endpoints)
		}
	}
}

// endpoints are the containers that a block selects, sorted by ID. Those that cannot be endpoints are left out while
// there are others.
func (s *Spec) endpoints(list []*container, stopping map[string]bool, machine string) ([]gateway.Endpoint, error) {
	var out []gateway.Endpoint
	var unfit []error
	for _, c := range list {
		if !s.matches(c) {
			continue
		}
		e, err := c.endpoint(s, machine)
		if err != nil {
			unfit = append(unfit, err)
			continue
		}
		if stopping[c.ID] {
			e.Health = gateway.Draining
		}
		out = append(out, e)
	}
	if len(out) == 0 && len(unfit) > 0 {
		return nil, fmt.Errorf("no container that is selected can be an endpoint: %w", unfit[0])
	}
	slices.SortFunc(out, func(a, b gateway.Endpoint) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}
