// Package discovery is the contract of sources and of finders, and what supervises them.
//
// A source lists endpoints of one query and watches it. The Manager starts a source for every query that an upstream
// names, shares it between upstreams, keeps its last good answer, shows its age, and stops it when nobody asks.
// A finder does the same with the functions of one upstream, and Finders run the finders.
//
// A newcomer's map:
//
//   - discovery.go: what a source is; finder.go: what a finder is; kind.go: what else a system can be asked.
//   - poll.go, finderpoll.go: a function that lists becomes a source, or a finder.
//   - manager.go, finders.go: who runs them, and what each family has of its own.
//   - supervisor.go: the one goroutine that owns all of a family; entry.go: what it knows of each; supervise.go: the
//     goroutine that runs one of them again and again.
//   - guard.go: when a fall in the number of endpoints or functions is believed.
//   - status.go: what is told of all this.
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
