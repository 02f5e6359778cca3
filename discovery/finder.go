package discovery

import (
	"context"

	"github.com/sluice-gateway/sluice/gateway"
)

// Finder lists and watches the functions of one upstream. Its contract is that of Source, with functions: every update
// is the whole truth, sorted by name, and one that equals the last is not made (alive says that the remote answered).
// A function that is unchanged may be the same pointer or an equal one. A finder may keep what it learnt about the
// remote from one Run to the next, but its first answer in each Run is an update.
type Finder interface {
	Run(ctx context.Context, update func([]*gateway.Function), alive func()) error
}

// FinderKind is one kind of finder.
type FinderKind struct {
	Name string                                                    // the kind of its keys: "openapi"
	Open func(f gateway.Finder, near Surroundings) (Finder, error) // does no I/O; an error is a configuration the agent cannot serve
}

// Surroundings is what a finder may ask of the world. All are safe for concurrent use and do not block.
type Surroundings struct {
	// Endpoints are those of the upstream that take traffic, as they stand now, in a stable order; nil while there are
	// none.
	Endpoints func() []gateway.Endpoint

	// Material is the content of a secret that the finder's block names; ok is false while it is not known.
	Material gateway.Reveal
}

// Await waits, in silence, until the upstream has endpoints, and returns them. Nil says that ctx ended first.
func (s Surroundings) Await(ctx context.Context) []gateway.Endpoint {
	var found []gateway.Endpoint
	await(ctx, func() bool {
		found = s.Endpoints()
		return len(found) > 0
	})
	if ctx.Err() != nil {
		return nil
	}
	return found
}
