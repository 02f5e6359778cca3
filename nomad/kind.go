package nomad

import (
	"context"
	"errors"
	"fmt"
	"strings"

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
	switch {
	case len(clients) == 0:
		return nil, errors.New("open nomad source: no nomad is configured; add a nomad block to the agent's configuration")
	case name == "" && len(clients) == 1:
		return clients[0], nil
	}
	names := make([]string, 0, len(clients))
	for _, c := range clients {
		if c.Name == name && name != "" {
			return c, nil
		}
		names = append(names, c.Name)
	}
	if name == "" {
		return nil, fmt.Errorf("open nomad source: several nomads are configured, connection must name one of %s", strings.Join(names, ", "))
	}
	return nil, fmt.Errorf("open nomad source: no nomad connection is named %q; there is %s", name, strings.Join(names, ", "))
}
