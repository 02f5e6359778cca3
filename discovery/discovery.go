// Package discovery is the contract of sources and the Manager that supervises them.
//
// A source lists endpoints of one query and watches it. The Manager starts a source for every query that an upstream
// names, shares it between upstreams, keeps its last good answer, shows its age, and stops it when nobody asks.
//
// A newcomer's map:
//
//   - discovery.go: what a source is.
//   - poll.go: a function that lists becomes a source.
//   - manager.go: the one goroutine that owns all sources; entry.go: what it knows of each; supervise.go: the goroutine
//     that runs one source again and again.
//   - guard.go: when a fall in the number of endpoints is believed.
//   - status.go: what the Manager tells of itself.
package discovery

import (
	"context"

	"github.com/sluice-gateway/sluice/gateway"
)

// Source lists and watches the endpoints of one query.
//
// Run calls update with everything it knows, as soon as it can and then after each change; what is missing is gone.
// The slice and what it holds belong to the receiver. update never blocks for long and is safe after ctx has ended
// (it does nothing then). alive says that the remote answered and nothing changed; it refreshes the source's age.
// Run returns when ctx ends, within a second, or with an error; then its last update stays in force and Run is called
// again after a back-off, never twice at a time. An error is never an empty answer, and Run notices by a deadline of
// its own that a remote hangs.
type Source interface {
	Run(ctx context.Context, update func([]gateway.Endpoint), alive func()) error
}

// Kind is one kind of source: the block's struct and how a source is made of it.
type Kind struct {
	Name string                                        // block type in an upstream: "consul"
	New  func() gateway.SourceSpec                     // pointer to a zero struct, filled by its tags
	Open func(spec gateway.SourceSpec) (Source, error) // does no I/O; an error is a configuration the agent cannot serve

	// Guard makes the Manager doubt answers that lose many endpoints. Nil where the source doubts them itself, or
	// where what it says is beyond doubt.
	Guard *Guard
}
