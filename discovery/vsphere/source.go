package vsphere

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// source is one block at work. What it keeps outlives sessions: a machine that a new one does not show is asked for.
type source struct {
	spec Spec
	hub  *hub

	kept      map[string]*kept // by machine; touched by the worker that it has joined alone
	complaint string           // the last about the block itself that Run returned
}

// kept is an endpoint of the last answer.
type kept struct {
	endpoint gateway.Endpoint
	lost     time.Time // since when vCenter knows no address of the running machine; zero: it does
}

var _ discovery.Source = (*source)(nil)

func newSource(spec Spec, h *hub) *source {
	return &source{spec: spec, hub: h, kept: map[string]*kept{}}
}

// Run implements discovery.Source.
func (s *source) Run(ctx context.Context, update func([]gateway.Endpoint), alive func()) error {
	if s.hub.secret.Name != "" {
		if _, ok := discovery.AwaitMaterial(ctx, s.hub.opts.Reveal, s.hub.secret); !ok {
			return ctx.Err()
		}
	}
	m := &member{source: s, box: mailbox{signal: make(chan struct{}, 1)}}
	w, err := s.hub.join(ctx, m)
	if err != nil {
		return err
	}
	defer s.hub.leave(w, m)
	return s.listen(ctx, w, m, update, alive)
}

// standing is how long a complaint that was returned once is waited for to be cured, without logging in again.
const standing = 5 * time.Minute

func (s *source) listen(ctx context.Context, w *worker, m *member, update func([]gateway.Endpoint), alive func()) error {
	var patience <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.done:
			return fmt.Errorf("vsphere %s: %w", s.hub.cfg.Name, w.err)
		case <-patience:
			return fmt.Errorf("vsphere %s: %s", s.hub.cfg.Name, s.complaint)
		case <-m.box.signal:
		}
		switch l := m.box.take(); {
		case l.err != nil && s.complaint == l.err.Error():
			if patience == nil {
				patience = time.After(standing)
			}
		case l.err != nil:
			s.complaint = l.err.Error()
			return fmt.Errorf("vsphere %s: %w", s.hub.cfg.Name, l.err)
		default:
			s.complaint, patience = "", nil
			if l.endpoints != nil {
				update(l.endpoints)
			} else {
				alive()
			}
		}
	}
}

// member is a source in the care of a worker, which owns it but for the box.
type member struct {
	source *source
	box    mailbox

	selection selection
	resolved  bool // the block's names are there
	told      bool // it has had an answer
	changed   bool // since the last
}

// letter is what a worker says to a source: endpoints, an error, or neither for a sign of life.
type letter struct {
	endpoints []gateway.Endpoint // never empty and nil at a time, where it is an answer
	err       error
}

// mailbox holds the latest letter. An answer is not lost to a later sign of life.
type mailbox struct {
	signal chan struct{} // holds at most one

	mu     sync.Mutex
	letter letter
}

func (b *mailbox) put(l letter) {
	b.mu.Lock()
	if l.endpoints != nil || l.err != nil || b.letter.err != nil {
		b.letter = l
	}
	b.mu.Unlock()
	select {
	case b.signal <- struct{}{}:
	default:
	}
}

func (b *mailbox) take() letter {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.letter
	b.letter = letter{}
	return l
}
