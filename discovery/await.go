package discovery

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// AwaitMaterial waits, in silence, until a secret is known, and returns its content; false says that ctx ended first. A
// secret that is not read yet, or has expired, is no failure of who needs it. The content is replaced when the secret is:
// ask anew each time.
func AwaitMaterial(ctx context.Context, reveal gateway.Reveal, secret gateway.ID) (m gateway.Material, ok bool) {
	ok = await(ctx, func() (known bool) {
		m, known = reveal(secret)
		return known
	})
	return m, ok
}

// The pauses between two looks: short at first, when everything is being started.
const (
	firstLook = 250 * time.Millisecond
	longLook  = 5 * time.Second
)

// await looks until there is something, or ctx ends: then it returns false.
func await(ctx context.Context, look func() bool) bool {
	for pause := firstLook; ; pause = min(2*pause, longLook) {
		if look() && ctx.Err() == nil {
			return true
		}
		if !sleep(ctx, pause+rand.N(pause/4)) {
			return false
		}
	}
}
