package kubernetes

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// pace is when a feed may ask. Every field is positive.
type pace struct {
	gather   time.Duration // for which a list waits for more blocks
	watch    time.Duration // after which the server is asked to end a watch
	silence  time.Duration // of a watch, after which it is opened anew: servers send a bookmark every minute
	gap      time.Duration // between the beginnings of two watches, and of two lists
	pause    time.Duration // after a failure, twice that after the second, and so on
	longest  time.Duration // of these pauses
	lasting  time.Duration // after which a watch that has said nothing has worked all the same
	pageSize int           // slices of a page of a list
}

var usualPace = pace{
	gather: 50 * time.Millisecond, watch: 10 * time.Minute, silence: 100 * time.Second, gap: time.Second,
	pause: 250 * time.Millisecond, longest: 15 * time.Second, lasting: 5 * time.Second, pageSize: 200,
}

// trouble is how often in a row a feed has failed.
type trouble struct {
	failures int
	notYet   time.Time
}

// worked forgets all trouble.
func (t *trouble) worked() { *t = trouble{} }

// failed puts the next question off, later after each failure, or for as long as the server says.
func (t *trouble) failed(p pace, err error) {
	pause := p.longest
	if t.failures < 16 {
		pause = min(p.pause<<t.failures, p.longest)
	}
	t.failures++
	pause = pause/2 + rand.N(pause/2+1)
	if said, ok := errors.AsType[*apiError](err); ok && said.after > pause {
		pause = min(said.after, time.Minute)
	}
	t.notYet = time.Now().Add(pause)
}

// sleep waits; false says that ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
