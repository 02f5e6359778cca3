// Package kubernetes is the source of the endpoints of services in a Kubernetes cluster.
//
//   - spec.go: the block, and what can be wrong in it.
//   - kubernetes.go: the kind; source.go: one block's view of its service.
//   - feed.go: what the blocks of a namespace share: one list and one watch for all their services; state.go: what was
//     listed and watched; pace.go: when it may be asked.
//   - slice.go: what is kept of an EndpointSlice; endpoints.go: the endpoints in the slices of a service.
//   - client.go: calls; watch.go: the stream of events; config.go, kubeconfig.go: to whom, and with which credentials.
//   - discover.go, doctor.go: what else a cluster can be asked.
//
// No client of Kubernetes is linked in: of its API two calls are needed, list and watch of one resource.
//
// API: https://kubernetes.io/docs/reference/using-api/api-concepts/
package kubernetes

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
	Clients []*Client     // one for each cluster, by the names of their connections
	Timeout time.Duration // of a list, and until a watch begins; 0 means 15 s

	pace pace // its zero value means the usual one
}

func (o Options) withDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = 15 * time.Second
	}
	if o.pace == (pace{}) {
		o.pace = usualPace
	}
	return o
}

// Kind is the kind "kubernetes". An answer that loses many endpoints is doubted.
func Kind(opts Options) discovery.Kind {
	opts = opts.withDefaults()
	all := &feeds{opts: opts, all: map[feedKey]*feed{}}
	return discovery.Kind{
		Name: "kubernetes",
		New:  func() gateway.SourceSpec { return &Spec{} },
		Open: func(spec gateway.SourceSpec) (discovery.Source, error) {
			s, ok := spec.(*Spec)
			if !ok {
				return nil, fmt.Errorf("open kubernetes source: %T is no kubernetes block", spec)
			}
			c, err := connection(opts.Clients, s.Connection)
			if err != nil {
				return nil, fmt.Errorf("open kubernetes source: %w", err)
			}
			return &source{spec: *s, feed: all.of(c, s.Namespace)}, nil
		},
		Guard:    &discovery.Guard{},
		Discover: func(ctx context.Context) ([]discovery.Found, error) { return discover(ctx, opts) },
		Doctor: func(ctx context.Context, specs []gateway.SourceSpec) []discovery.Finding {
			return examine(ctx, opts, specs)
		},
	}
}

func connection(clients []*Client, name string) (*Client, error) {
	return discovery.Connection("kubernetes", clients, func(c *Client) string { return c.Name }, name)
}

// feeds has the blocks of a connection and namespace share a feed.
type feeds struct {
	opts Options

	mu  sync.Mutex
	all map[feedKey]*feed
}

type feedKey struct {
	client    *Client
	namespace string // as blocks write it; empty: the connection's
}

func (f *feeds) of(c *Client, namespace string) *feed {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := feedKey{c, namespace}
	if f.all[key] == nil {
		f.all[key] = &feed{client: c, namespace: namespace, timeout: f.opts.Timeout, pace: f.opts.pace}
	}
	return f.all[key]
}
