package secrets

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// reader reads one secret, step by step. All of its methods are called by one goroutine.
type reader interface {
	// step looks at the secret once, or does what else is due. After an error what was read before stays in force.
	step(ctx context.Context) (outcome, error)
	// wake gives what is closed, or sent to, when the next step should not wait; nil: nothing. failing says that the
	// last step failed.
	wake(failing bool) <-chan struct{}
	// patience is the longest wait after an error.
	patience(err error) time.Duration
	// end closes the reader. It returns what it has leased.
	end() []lease
}

// outcome is what a step found.
type outcome struct {
	again time.Duration // until the next step; 0 with an error: what is usual after errors
	quiet bool          // nothing is known yet: what else is here does not count

	fresh    bool      // material is new
	material fields    // when fresh
	note     string    // which one it is: "version 3"
	expires  time.Time // zero: never
	renewed  bool      // a lease was given more time
	replaced []lease   // what was in use before
}

// fields are what a secret holds, in clear. They are never written anywhere.
type fields map[string][]byte

func (fields) String() string   { return "[redacted]" }
func (fields) GoString() string { return "[redacted]" }

// lease is something to be given back to Vault.
type lease struct {
	conn *conn
	id   string
}

// feed is the goroutine that reads one secret as one block says.
type feed struct {
	id   gateway.ID
	spec *gateway.Secret
	stop context.CancelFunc
}

// event is what a feed tells the Keeper after each step.
type event struct {
	feed *feed
	out  outcome
	err  error
	next time.Time
}

// start begins to read a secret; stopping the feed ends it, and its leases are given back then. run ends with Run.
func (k *Keeper) start(run context.Context, id gateway.ID, spec *gateway.Secret) *feed {
	ctx, cancel := context.WithCancel(run)
	f := &feed{id: id, spec: spec, stop: cancel}
	k.work.Go(func() {
		defer cancel()
		k.follow(run, ctx, f)
	})
	return f
}

func (k *Keeper) follow(run, ctx context.Context, f *feed) {
	r := k.open(run, ctx, f.spec)
	defer func() { k.giveBack(run, r.end()) }()
	var retry backoff
	for {
		out, err := step(ctx, r)
		if ctx.Err() != nil {
			k.giveBack(run, out.replaced)
			return
		}
		wait := out.again
		switch {
		case err == nil:
			retry.reset()
		case wait == 0:
			wait = retry.next(r.patience(err))
		}
		wake, refresh := r.wake(err != nil), k.refreshed() // before the event is sent: nothing is missed
		select {
		case k.events <- event{feed: f, out: out, err: err, next: time.Now().Add(wait)}:
		case <-ctx.Done():
			k.giveBack(run, out.replaced)
			return
		}
		if !sleep(ctx, wait, wake, refresh) {
			return
		}
	}
}

// step makes one step. A panic is an error; what it says may hold anything, and is not repeated.
func step(ctx context.Context, r reader) (out outcome, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &problem{kind: refused, text: fmt.Sprintf("reading the secret panicked (%T) at %s", p, firstFrame(debug.Stack()))}
		}
	}()
	return r.step(ctx)
}

// giveBack revokes leases. It does not wait. At the end nothing is revoked, since the Envoys go on with what they have;
// a visit leaves nothing behind.
func (k *Keeper) giveBack(run context.Context, leases []lease) {
	for _, l := range leases {
		switch {
		case l.id == "":
		case run.Err() == nil:
			k.work.Go(func() { k.revoke(run, l) })
		case k.cfg.Visit:
			k.work.Go(func() {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(run), goodbye)
				defer cancel()
				k.revoke(ctx, l)
			})
		}
	}
}

// revoke gives a lease back, and tries for an hour. What is not given back by then ends by itself.
func (k *Keeper) revoke(ctx context.Context, l lease) {
	deadline := time.Now().Add(time.Hour)
	var retry backoff
	for {
		_, _, err := l.conn.write(ctx, "sys/leases/revoke", map[string]any{"lease_id": l.id})
		if ctx.Err() != nil || err == nil || statusOf(err) == 400 || statusOf(err) == 404 {
			return // 400: it is gone already
		}
		if time.Now().After(deadline) {
			k.cfg.Log.Warn("a lease was not revoked and will end by itself", "connection", l.conn.name, "error", err)
			return
		}
		if !sleep(ctx, retry.next(time.Minute)) {
			return
		}
	}
}
