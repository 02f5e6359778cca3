package discovery

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// FunctionList asks once for all functions. It ends with its context, whose deadline is the FinderPoll's. changed is
// false if the remote says that nothing has changed since the last list that was returned with true; functions are not
// looked at then. first says that no list has been taken in this Run yet: a list is needed. An error is never an empty
// answer; half an answer is an error.
type FunctionList func(ctx context.Context, first bool) (functions []*gateway.Function, changed bool, err error)

// FinderPoll is a Finder that asks at intervals. A list that equals the last one is no update.
type FinderPoll struct {
	List FunctionList

	// Await, if set, runs before each question and outside of its deadline: it waits for what has to be there before
	// the remote can be asked. False says that ctx ended.
	Await func(ctx context.Context) bool

	Interval time.Duration // between the end of an answer and the next question; 0 means 60 s
	Jitter   float64       // share of the interval by which it varies; 0 means 0.1, negative none
	Deadline time.Duration // of one question; 0 means 10 s
}

var _ Finder = (*FinderPoll)(nil)

// Run implements Finder. The first error ends it: whoever runs it backs off and runs it again, which asks at once.
func (p *FinderPoll) Run(ctx context.Context, update func([]*gateway.Function), alive func()) error {
	deadline := p.Deadline
	if deadline <= 0 {
		deadline = 10 * time.Second
	}
	rhythm := Poll{Interval: p.Interval, Jitter: p.Jitter}
	if rhythm.Interval <= 0 {
		rhythm.Interval = time.Minute
	}
	var last []*gateway.Function
	for first := true; ; first = false {
		if p.Await != nil && !p.Await(ctx) {
			return ctx.Err()
		}
		functions, changed, err := p.ask(ctx, deadline, first)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		if functions = arrangeFunctions(functions); first || changed && !slices.EqualFunc(last, functions, equalFunction) {
			last = functions
			update(slices.Clone(functions))
		} else {
			alive()
		}
		if !sleep(ctx, rhythm.pause(0)) {
			return ctx.Err()
		}
	}
}

func (p *FinderPoll) ask(ctx context.Context, deadline time.Duration, first bool) (functions []*gateway.Function, changed bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, deadline, fmt.Errorf("no whole answer within %s", deadline))
	defer cancel()
	functions, changed, err = p.List(ctx, first)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return functions, changed, err
}
