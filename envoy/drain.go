package envoy

import (
	"context"
	"time"
)

// lastRequests is how long requests under way may take to finish once no connection is accepted any more.
const lastRequests = 5 * time.Second

// drain takes Envoy out of service in three steps, so that no request fails:
//
//  1. Its health check fails, and every answer asks the client to close the connection; new connections are still
//     accepted, since load balancers send them until they have seen the health check.
//  2. Once the last client has left, but not before Linger, or once DrainTime is over, the ports close.
//  3. What is under way is finished.
//
// It returns early when Envoy ends or its admin interface is gone; stopping it is then all that is left to do.
func (c *child) drain(a *admin, o Options) {
	if o.DrainTime <= 0 {
		return
	}
	// Not the context of Run: that has ended, and is why we are here.
	ctx, cancel := context.WithTimeout(context.Background(), o.DrainTime)
	defer cancel()
	if a.post(ctx, "/healthcheck/fail") != nil || a.post(ctx, "/drain_listeners?graceful&skip_exit") != nil {
		return
	}
	linger := time.NewTimer(min(o.Linger, o.DrainTime))
	defer linger.Stop()
	select {
	case <-c.gone:
		return
	case <-linger.C:
	}
	c.awaitZero(ctx, a, "downstream_cx_active", o.Draining)

	last, done := context.WithTimeout(context.Background(), lastRequests)
	defer done()
	if a.post(last, "/drain_listeners") != nil {
		return
	}
	c.awaitZero(last, a, "downstream_rq_active", nil)
}

// awaitZero returns once a gauge is 0, as late as ctx ends.
func (c *child) awaitZero(ctx context.Context, a *admin, gauge string, changed func(uint64)) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var before uint64
	for {
		n, err := a.sum(ctx, gauge)
		if err == nil && n == 0 {
			return
		}
		if err == nil && n != before && changed != nil {
			changed(n)
		}
		before = n
		select {
		case <-c.gone:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
