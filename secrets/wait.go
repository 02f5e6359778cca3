package secrets

import (
	"context"
	"math/rand/v2"
	"time"
)

// The waits after failures. The first retries are quick, since most outages are short.
const (
	firstRetry   = 250 * time.Millisecond
	downRetry    = 10 * time.Second // at most, while nobody answers: asking costs nothing then
	busyRetry    = time.Minute      // at most, while Vault says that there are too many requests
	refusedRetry = 5 * time.Minute  // at most, while Vault says no: asking again and again can lock a role out
)

// backoff doubles from firstRetry, with jitter.
type backoff struct{ failures int }

func (b *backoff) reset() { b.failures = 0 }

// next is how long to wait now; never more than longest.
func (b *backoff) next(longest time.Duration) time.Duration {
	d := longest
	if b.failures < 20 {
		d = min(longest, firstRetry<<b.failures)
	}
	b.failures++
	return d/2 + rand.N(d/2+1)
}

// whileDown is the longest wait after an error that passes by itself.
func whileDown(err error) time.Duration {
	if statusOf(err) == 429 {
		return busyRetry
	}
	return downRetry
}

// spread is a random duration around d: between d·(1-by) and d·(1+by).
func spread(d time.Duration, by float64) time.Duration {
	return time.Duration(float64(d) * (1 - by + 2*by*rand.Float64()))
}

// renewIn is when something that can be renewed is: between a sixth and a third of its life.
func renewIn(life time.Duration) time.Duration {
	return time.Duration(float64(life) / 3 * (0.5 + rand.Float64()/2))
}

// replaceIn is when something that cannot be renewed is replaced: at about two thirds of its life, so that an outage
// of a third of it goes unnoticed.
func replaceIn(life time.Duration) time.Duration { return spread(life*65/100, 0.05/0.65) }

// capped says that a renewal was given less than two thirds of what there was at first: its end is near.
func capped(given, full time.Duration) bool { return given < full*2/3 }

// sleep waits for d or for one of the channels; false says that ctx ended first. A nil channel never comes.
func sleep(ctx context.Context, d time.Duration, wake ...<-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	var w [3]<-chan struct{}
	copy(w[:], wake)
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
	case <-w[0]:
	case <-w[1]:
	case <-w[2]:
	}
	return ctx.Err() == nil
}
