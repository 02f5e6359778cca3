package kubernetes

import (
	"context"
	"fmt"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// source is one block's view of a feed.
type source struct {
	spec Spec
	feed *feed
}

var _ discovery.Source = (*source)(nil)

// Run implements discovery.Source.
func (s *source) Run(ctx context.Context, update func([]gateway.Endpoint), alive func()) error {
	r := &reader{service: s.spec.Service, ring: make(chan struct{}, 1)}
	leave, err := s.feed.join(ctx, r)
	if err != nil {
		return err
	}
	failed, k := false, known{}
	defer func() { leave(failed) }()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.ring:
		}
		w := r.take()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if w.err != nil {
			failed = true
			return fmt.Errorf("service %s: %w", s.spec.Service, w.err)
		}
		if !w.changed {
			alive()
			continue
		}
		endpoints, err := s.spec.endpointsBy(w.slices, k)
		if err != nil {
			return fmt.Errorf("service %s: %w", s.spec.Service, err)
		}
		update(endpoints)
	}
}
