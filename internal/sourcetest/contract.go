package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// runner is a source of endpoints or a finder of functions.
type runner[E any] interface {
	Run(ctx context.Context, update func([]E), alive func()) error
}

// contract is what the suites have in common.
type contract[E any] struct {
	patience time.Duration
	secrets  []string
	start    func(t *testing.T) (runner[E], Remote)
	alike    func(a, b []E) bool
	check    func([]E) []string // what is wrong with a whole answer
	words    string             // what the elements are called
}

// word is one call of a source.
type word[E any] struct {
	elements []E
	alive    bool
}

// run is a source at work.
type run[E any] struct {
	suite  contract[E]
	cancel context.CancelFunc
	words  chan word[E]
	done   chan struct{} // closed when Run has returned
	err    error         // of Run; read after done
}

func (c contract[E]) launch(t *testing.T, source runner[E]) *run[E] {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &run[E]{suite: c, cancel: cancel, words: make(chan word[E], 10_000), done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.err = source.Run(ctx,
			func(e []E) { r.words <- word[E]{elements: e} },
			func() { r.words <- word[E]{alive: true} })
	}()
	return r
}

// stop demands that Run returns within a second.
func (r *run[E]) stop(t *testing.T) {
	t.Helper()
	r.cancel()
	select {
	case <-r.done:
	case <-time.After(time.Second):
		t.Error("Run has not returned a second after its context ended")
		<-r.done
	}
}

// next returns the next update that differs from before.
func (r *run[E]) next(t *testing.T, before []E) []E {
	t.Helper()
	deadline := time.After(r.suite.patience)
	for {
		select {
		case w := <-r.words:
			r.suite.noSecret(t, w.elements)
			if !w.alive && (before == nil || !r.suite.alike(before, w.elements)) {
				return w.elements
			}
		case <-r.done:
			t.Fatalf("Run returned: %v", r.err)
		case <-deadline:
			t.Fatal("no update")
		}
	}
}

// reach returns the next update of n elements. A remote may come there in steps, and a source may tell of each.
func (r *run[E]) reach(t *testing.T, before []E, n int) []E {
	t.Helper()
	deadline := time.Now().Add(r.suite.patience)
	now := r.next(t, before)
	for len(now) != n {
		if time.Now().After(deadline) {
			t.Fatalf("%d %s, not %d: %+v", len(now), r.suite.words, n, now)
		}
		now = r.next(t, now)
	}
	return now
}

func (c contract[E]) noSecret(t *testing.T, what any) {
	t.Helper()
	text := fmt.Sprintf("%v %+v %#v", what, what, what)
	for _, secret := range c.secrets {
		if strings.Contains(text, secret) {
			t.Errorf("a secret is in what the source says: %.200s", text)
		}
	}
}

func (c contract[E]) run(t *testing.T) {
	t.Run("first update is complete", c.firstIsComplete)
	t.Run("returns when its context ends", c.returns)
	t.Run("runs again", c.runsAgain)
	t.Run("what is removed disappears", c.removal)
	t.Run("an error calls nothing", c.failure)
	t.Run("a hung remote is noticed", c.hang)
	t.Run("returns while the remote hangs", c.returnsWhileBlocked)
}

func (c contract[E]) firstIsComplete(t *testing.T) {
	source, _ := c.start(t)
	r := c.launch(t, source)
	defer r.stop(t)
	first := r.next(t, nil)
	if len(first) != 2 {
		t.Fatalf("the first update has %d %s: %+v", len(first), c.words, first)
	}
	for _, fault := range c.check(first) {
		t.Error(fault)
	}
}

func (c contract[E]) returns(t *testing.T) {
	source, _ := c.start(t)
	r := c.launch(t, source)
	r.next(t, nil)
	r.stop(t)
	r = c.launch(t, source)
	r.stop(t) // at once
}

func (c contract[E]) runsAgain(t *testing.T) {
	source, _ := c.start(t)
	r := c.launch(t, source)
	first := r.next(t, nil)
	r.stop(t)
	r = c.launch(t, source)
	defer r.stop(t)
	if again := r.next(t, nil); !c.alike(first, again) {
		t.Errorf("at first %+v, after a restart %+v", first, again)
	}
}

func (c contract[E]) removal(t *testing.T) {
	source, remote := c.start(t)
	if remote == nil {
		return
	}
	r := c.launch(t, source)
	defer r.stop(t)
	two := r.next(t, nil)
	remote.Set(1)
	one := r.reach(t, two, 1)
	remote.Set(3)
	r.reach(t, one, 3)
}

// failure demands that Run returns with an error or goes on in silence, and recovers, either way.
func (c contract[E]) failure(t *testing.T) {
	source, remote := c.start(t)
	if remote == nil {
		return
	}
	r := c.launch(t, source)
	two := r.next(t, nil)
	remote.Fail()
	c.quiet(t, r, two)
	remote.Set(3)
	r = c.revive(t, r, source)
	defer r.stop(t)
	r.reach(t, two, 3)
}

// hang is failure without an answer. The source has to find out by itself: Run returns.
func (c contract[E]) hang(t *testing.T) {
	source, remote := c.start(t)
	if remote == nil {
		return
	}
	r := c.launch(t, source)
	two := r.next(t, nil)
	remote.Hang()
	if !c.quiet(t, r, two) {
		t.Errorf("the remote hangs, and Run has not returned after %s", c.patience)
	}
	remote.Set(3)
	r = c.revive(t, r, source)
	defer r.stop(t)
	r.reach(t, two, 3)
}

// quiet watches for Patience, or until Run returns, that nothing is said but what was in force. It says whether Run
// returned.
func (c contract[E]) quiet(t *testing.T, r *run[E], inForce []E) (returned bool) {
	t.Helper()
	deadline := time.After(c.patience)
	for {
		select {
		case w := <-r.words:
			if !w.alive && !c.alike(inForce, w.elements) {
				t.Fatalf("an update without an answer: %+v", w.elements)
			}
		case <-r.done:
			c.noSecret(t, r.err)
			if r.err == nil || errors.Is(r.err, context.Canceled) {
				t.Fatalf("Run returned with %v", r.err)
			}
			return true
		case <-deadline:
			return false
		}
	}
}

// revive does what the Manager does: it runs a source again that has returned.
func (c contract[E]) revive(t *testing.T, r *run[E], source runner[E]) *run[E] {
	t.Helper()
	select {
	case <-r.done:
		return c.launch(t, source)
	default:
		return r
	}
}

func (c contract[E]) returnsWhileBlocked(t *testing.T) {
	source, remote := c.start(t)
	if remote == nil {
		return
	}
	remote.Hang()
	r := c.launch(t, source)
	select {
	case <-r.done:
		t.Error("Run returned without waiting for an answer")
	case w := <-r.words:
		t.Errorf("an update without an answer: %+v", w)
	case <-time.After(20 * time.Millisecond): // it is in its first question by now
	}
	r.stop(t)
}
