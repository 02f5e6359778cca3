package discovery

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// List asks once for everything. It ends with its context, whose deadline is the Poll's. again, if positive, is how
// long the answer is good for, and overrides the Poll's interval. An error is never an empty answer; half an answer is
// an error.
type List func(ctx context.Context) (endpoints []gateway.Endpoint, again time.Duration, err error)

// Poll is a Source that asks at intervals.
type Poll struct {
	List     List
	Interval time.Duration // between the end of an answer and the next question; 0 means 30 s
	Jitter   float64       // share of the interval by which it varies, so that many do not ask at once; 0 means 0.1, negative none
	Deadline time.Duration // of one question; 0 means 10 s
}

var _ Source = (*Poll)(nil)

// Run implements Source. Each answer is an update. The first error ends it: whoever runs it backs off and runs it again,
// which asks at once.
func (p *Poll) Run(ctx context.Context, update func([]gateway.Endpoint), _ func()) error {
	deadline := p.Deadline
	if deadline <= 0 {
		deadline = 10 * time.Second
	}
	for {
		endpoints, again, err := p.ask(ctx, deadline)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		update(endpoints)
		if !sleep(ctx, p.pause(again)) {
			return ctx.Err()
		}
	}
}

func (p *Poll) ask(ctx context.Context, deadline time.Duration) ([]gateway.Endpoint, time.Duration, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, deadline, fmt.Errorf("no answer within %s", deadline))
	defer cancel()
	endpoints, again, err := p.List(ctx)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return endpoints, again, err
}

func (p *Poll) pause(again time.Duration) time.Duration {
	if again <= 0 {
		again = p.Interval
	}
	if again <= 0 {
		again = 30 * time.Second
	}
	jitter := p.Jitter
	if jitter == 0 {
		jitter = 0.1
	}
	if spread := time.Duration(jitter * float64(again)); spread > 0 {
		again += rand.N(spread)
	}
	return again
}
