package secrets

import (
	"context"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// Watch watches an identity in a service mesh until ctx ends. It calls update with all there is, first and after each
// change; alive when who gives it answered and nothing changed; failed with what went wrong instead: what update said last
// stays in force then. The calls come one at a time.
type Watch func(ctx context.Context, update func(Identity), alive func(), failed func(error))

// Identity is an identity in a service mesh at one moment. Its fields are those of gateway.MeshIdentity; they are not
// changed later.
type Identity struct {
	Fields  map[string][]byte
	Expires time.Time
	Note    string
}

// String keeps what an Identity holds from being printed.
func (Identity) String() string { return "[redacted]" }

// GoString is String.
func (Identity) GoString() string { return "[redacted]" }

// meshReader hands on what a Watch says: it is told of changes, and asks nobody.
type meshReader struct {
	news chan struct{} // something was said; holds one
	stop func()        // ends the Watch and waits for it

	mu    sync.Mutex
	known *Identity // nil: nothing yet
	fresh bool
	err   error
}

func (k *Keeper) openMesh(ctx context.Context, m *gateway.MeshIdentity) reader {
	if k.cfg.Mesh == nil {
		return broken{shapef("no consul is configured that could give an identity in a mesh")}
	}
	watch, err := k.cfg.Mesh(m.Connection)
	if err != nil {
		return broken{shapef("%v", err)}
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &meshReader{news: make(chan struct{}, 1)}
	ended := make(chan struct{})
	r.stop = func() { cancel(); <-ended }
	go func() {
		defer close(ended)
		watch(ctx, r.update, r.alive, r.failed)
	}()
	return r
}

func (r *meshReader) update(i Identity) { r.say(func() { r.known, r.fresh, r.err = &i, true, nil }) }
func (r *meshReader) alive()            { r.say(func() { r.err = nil }) }
func (r *meshReader) failed(err error)  { r.say(func() { r.err = err }) }

func (r *meshReader) say(what func()) {
	r.mu.Lock()
	what()
	r.mu.Unlock()
	select {
	case r.news <- struct{}{}:
	default:
	}
}

// step says what is known at this moment.
func (r *meshReader) step(context.Context) (outcome, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.fresh: // an error that came after it is for the next step
		r.fresh = false
		return outcome{again: untilNews(r.err), fresh: true, material: r.known.Fields, note: r.known.Note, expires: r.known.Expires}, nil
	case r.err != nil:
		return outcome{again: never}, &problem{kind: unreachable, text: r.err.Error(), cause: r.err}
	case r.known == nil:
		return outcome{again: never, quiet: true}, nil
	}
	return outcome{again: never, note: r.known.Note, expires: r.known.Expires}, nil
}

// untilNews is how long the next step waits: not at all where there is an error to tell.
func untilNews(err error) time.Duration {
	if err != nil {
		return 0
	}
	return never
}

func (r *meshReader) wake(bool) <-chan struct{}    { return r.news }
func (r *meshReader) patience(error) time.Duration { return never }

func (r *meshReader) end() []lease {
	r.stop()
	return nil
}
