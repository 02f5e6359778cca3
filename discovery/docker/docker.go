// Package docker is the source of the containers of a Docker engine, selected by labels.
//
//   - spec.go: the block, and what can be wrong in it.
//   - docker.go: the kind; source.go: one block's view of an engine.
//   - engine.go: what the blocks of an engine share: one stream of events and one list.
//   - container.go: what is kept of a container, and what of it is an endpoint.
//   - client.go, config.go: calls, and to whom.
//   - discover.go, doctor.go: what else an engine can be asked.
//
// API: https://docs.docker.com/reference/api/engine/
package docker

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// Options are what the kind needs. The zero value is that of offline commands: blocks are known and checked, and open
// nothing.
type Options struct {
	Clients []*Client     // one for each engine, by the names of their connections
	Timeout time.Duration // of a list, and until a stream of events begins; 0 means 10 s

	pace pace // its zero value means the usual one
}

func (o Options) withDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.pace == (pace{}) {
		o.pace = usualPace
	}
	return o
}

// Kind is the kind "docker". An answer that loses many containers is doubted.
func Kind(opts Options) discovery.Kind {
	opts = opts.withDefaults()
	all := &engines{opts: opts, all: map[*Client]*engine{}}
	return discovery.Kind{
		Name: "docker",
		New:  func() gateway.SourceSpec { return &Spec{} },
		Open: func(spec gateway.SourceSpec) (discovery.Source, error) {
			s, ok := spec.(*Spec)
			if !ok {
				return nil, fmt.Errorf("open docker source: %T is no docker block", spec)
			}
			c, err := connection(opts.Clients, s.Connection)
			if err != nil {
				return nil, fmt.Errorf("open docker source: %w", err)
			}
			return &source{spec: *s, engine: all.of(c)}, nil
		},
		Guard:    &discovery.Guard{},
		Discover: func(ctx context.Context) ([]discovery.Found, error) { return discover(ctx, opts) },
		Doctor: func(ctx context.Context, specs []gateway.SourceSpec) []discovery.Finding {
			return examine(ctx, opts, specs)
		},
	}
}

func connection(clients []*Client, name string) (*Client, error) {
	return discovery.Connection("docker", clients, func(c *Client) string { return c.Name }, name)
}

// engines has the blocks of a connection share an engine.
type engines struct {
	opts Options

	mu  sync.Mutex
	all map[*Client]*engine
}

func (e *engines) of(c *Client) *engine {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.all[c] == nil {
		e.all[c] = &engine{client: c, timeout: e.opts.Timeout, pace: e.opts.pace}
	}
	return e.all[c]
}
