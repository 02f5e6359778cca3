// Package reflection finds the methods of gRPC services by server reflection.
//
//   - finder.go: the finder: one endpoint is asked at intervals.
//   - poll.go: one round of questions, and what a service loses that the server does not describe.
//   - stream.go: one reflection stream, of version v1 or v1alpha.
//   - files.go: raw descriptors of one service → linked ones.
//   - function.go: a linked service → functions.
//   - signature.go: messages → signatures.
//   - trim.go, options.go: the descriptor that goes with a function: one method and the messages that it reaches.
package reflection

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// Kind is the kind "grpc". problems is told what each round of questions could not learn, as Notes says it; nil: nobody
// asks.
func Kind(problems func(gateway.FinderKey, []string)) discovery.FinderKind {
	return discovery.FinderKind{
		Name: "grpc",
		Open: func(f gateway.Finder, near discovery.Surroundings) (discovery.Finder, error) {
			switch {
			case f.GRPC == nil:
				return nil, fmt.Errorf("a grpc finder cannot be made of %s", f.Key)
			case f.GRPC.Reflection != nil && !*f.GRPC.Reflection:
				return nil, fmt.Errorf("%s asks for no reflection", f.Key)
			}
			made := New(*f.GRPC, near)
			if problems != nil {
				made.told = func(notes []string) { problems(f.Key, notes) }
			}
			return made, nil
		},
	}
}

// Finder asks one endpoint of its upstream at intervals.
type Finder struct {
	block  gateway.GRPC
	near   discovery.Surroundings
	limits limits
	told   func(notes []string) // of each round; nil: nobody asks

	// Of the one Run at a time.
	at     string                         // the endpoint that answered last
	failed string                         // the one that did not
	last   map[string][]*gateway.Function // by service, as they were last described

	mu    sync.Mutex
	notes []string
}

var _ discovery.Finder = (*Finder)(nil)

// New makes a finder of a grpc block. It does no I/O.
func New(block gateway.GRPC, near discovery.Surroundings) *Finder {
	return &Finder{block: block, near: near, limits: defaults, last: map[string][]*gateway.Function{}}
}

// Notes says, in sentences, what the last round of questions could not learn: services and methods that the server
// lists and does not describe. It is safe for concurrent use.
func (f *Finder) Notes() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.notes)
}

// Run implements discovery.Finder. It waits for an endpoint and stays with one while that answers; after an error the
// next run asks another.
func (f *Finder) Run(ctx context.Context, update func([]*gateway.Function), alive func()) error {
	p := &discovery.FinderPoll{
		List:     f.round,
		Await:    func(ctx context.Context) bool { return len(f.near.Await(ctx)) > 0 },
		Interval: f.block.Interval,
		Deadline: f.limits.round,
	}
	return p.Run(ctx, update, alive)
}

func (f *Finder) round(ctx context.Context, _ bool) (functions []*gateway.Function, changed bool, err error) {
	at, err := f.endpoint()
	if err != nil {
		return nil, false, err
	}
	p := &poll{limits: f.limits, wanted: f.block.Services, last: f.last}
	if functions, err = p.ask(ctx, at); err != nil {
		f.at, f.failed = "", at
		return nil, false, fmt.Errorf("ask %s for its gRPC services: %w", at, err)
	}
	f.at, f.failed, f.last = at, "", p.described
	f.mu.Lock()
	f.notes = p.notes
	f.mu.Unlock()
	if f.told != nil {
		f.told(slices.Clone(p.notes))
	}
	return functions, true, nil
}

// endpoint is who is asked: the same as before while it takes traffic, the next one after one has failed.
func (f *Finder) endpoint() (string, error) {
	var all []string
	for _, e := range f.near.Endpoints() {
		all = append(all, net.JoinHostPort(e.Address, strconv.Itoa(int(e.Port))))
	}
	if len(all) == 0 {
		return "", errors.New("the upstream has no endpoint that takes traffic")
	}
	if slices.Contains(all, f.at) {
		return f.at, nil
	}
	return all[(slices.Index(all, f.failed)+1)%len(all)], nil
}
