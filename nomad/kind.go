package nomad

import (
	"context"
	"fmt"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// Options are what the kind needs. Its zero value is that of offline commands: blocks are known, and open nothing.
type Options struct {
	Clients []*Client // by the names of their connections
}

// Kind is the nomad source over the configured Nomads. A block may leave its connection out where there is one.
func Kind(opts Options) discovery.Kind {
	return discovery.Kind{
		Name: "nomad",
		New:  func() gateway.SourceSpec { return &Spec{} },
		Open: func(spec gateway.SourceSpec) (discovery.Source, error) {
			s, ok := spec.(*Spec)
			if !ok {
				return nil, fmt.Errorf("open nomad source: %T is no nomad block", spec)
			}
			c, err := connection(opts.Clients, s.Connection)
			if err != nil {
				return nil, err
			}
			return c.Service(*s), nil
		},
		Guard:    &discovery.Guard{},
		Discover: func(ctx context.Context) ([]discovery.Found, error) { return discover(ctx, opts.Clients) },
		Doctor: func(ctx context.Context, specs []gateway.SourceSpec) []discovery.Finding {
			return doctor(ctx, opts.Clients, specs)
		},
	}
}

func connection(clients []*Client, name string) (*Client, error) {
	c, err := discovery.Connection("nomad", clients, func(c *Client) string { return c.Name }, name)
	if err != nil {
		return nil, fmt.Errorf("open nomad source: %w", err)
	}
	return c, nil
}
