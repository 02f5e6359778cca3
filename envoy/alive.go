package envoy

import (
	"context"
	"net/http"
	"time"
)

// sayAlive calls o.Alive each time Envoy's main thread has answered, until ctx ends. Whether it answers that it is ready
// does not matter: an Envoy that drains, or that an operator has taken out of service, is as alive as any other.
func (a *admin) sayAlive(ctx context.Context, o Options) {
	if o.Alive == nil || o.AliveEvery <= 0 {
		return
	}
	tick := time.NewTicker(o.AliveEvery)
	defer tick.Stop()
	for {
		if a.answers(ctx) {
			o.Alive()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// answers says whether the admin interface answers at all.
func (a *admin) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://admin/ready", nil)
	if err != nil {
		return false
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return true
}
