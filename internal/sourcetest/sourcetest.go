// Package sourcetest is the suite that every source passes: the contract of discovery.Source as tests.
package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// Remote is the system behind a source, as a test drives it. It can fail and hang, not just answer.
type Remote interface {
	// Set makes the remote answer with n endpoints from now on; those of a smaller n are among those of a larger one.
	Set(n int)
	// Fail makes every question an error until the next Set.
	Fail()
	// Hang leaves every question unanswered until the next Set; connections stay open.
	Hang()
}

// Suite describes one source to the tests.
type Suite struct {
	// Start returns a source whose remote answers with two endpoints. What it starts ends with t's cleanup.
	Start func(t *testing.T) (discovery.Source, Remote)
	// Patience bounds each wait for what the source has to do by itself: several of its intervals and deadlines.
	Patience time.Duration
	// Secrets are canaries that the source is configured with. None may be in an endpoint or an error.
	Secrets []string
}

// word is one call of a source.
type word struct {
	endpoints []gateway.Endpoint
	alive     bool
}

// run is a source at work.
type run struct {
	suite  Suite
	cancel context.CancelFunc
	words  chan word
	done   chan struct{} // closed when Run has returned
	err    error         // of Run; read after done
}

func (s Suite) start(t *testing.T, source discovery.Source) *run {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &run{suite: s, cancel: cancel, words: make(chan word, 10_000), done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.err = source.Run(ctx,
			func(e []gateway.Endpoint) { r.words <- word{endpoints: e} },
			func() { r.words <- word{alive: true} })
	}()
	return r
}

// stop demands that Run returns within a second.
func (r *run) stop(t *testing.T) {
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
func (r *run) next(t *testing.T, before []gateway.Endpoint) []gateway.Endpoint {
	t.Helper()
	deadline := time.After(r.suite.Patience)
	for {
		select {
		case w := <-r.words:
			r.suite.noSecret(t, w.endpoints)
			if !w.alive && (before == nil || !alike(before, w.endpoints)) {
				return w.endpoints
			}
		case <-r.done:
			t.Fatalf("Run returned: %v", r.err)
		case <-deadline:
			t.Fatal("no update")
		}
	}
}

func alike(a, b []gateway.Endpoint) bool {
	byID := cmpopts.SortSlices(func(x, y gateway.Endpoint) bool { return x.ID < y.ID })
	return cmp.Equal(a, b, byID, cmpopts.EquateEmpty())
}

func (s Suite) noSecret(t *testing.T, what any) {
	t.Helper()
	text := fmt.Sprintf("%v %+v %#v", what, what, what)
	for _, secret := range s.Secrets {
		if strings.Contains(text, secret) {
			t.Errorf("a secret is in what the source says: %.200s", text)
		}
	}
}

// Run runs the suite. A source that never changes has a nil Remote: then only what holds for it is tested.
func Run(t *testing.T, s Suite) {
	leaks := goleak.IgnoreCurrent()
	t.Run("first update is complete", s.firstIsComplete)
	t.Run("returns when its context ends", s.returns)
	t.Run("runs again", s.runsAgain)
	t.Run("a removed endpoint disappears", s.removal)
	t.Run("an error calls nothing", s.failure)
	t.Run("a hung remote is noticed", s.hang)
	t.Run("returns while the remote hangs", s.returnsWhileBlocked)
	if err := goleak.Find(leaks); err != nil {
		t.Error(err)
	}
}

func (s Suite) firstIsComplete(t *testing.T) {
	source, _ := s.Start(t)
	r := s.start(t, source)
	defer r.stop(t)
	first := r.next(t, nil)
	if len(first) != 2 {
		t.Fatalf("the first update has %d endpoints: %+v", len(first), first)
	}
	seen := map[string]bool{}
	for _, e := range first {
		if e.ID == "" || seen[e.ID] {
			t.Errorf("the ID %q is empty or there twice", e.ID)
		}
		seen[e.ID] = true
		if e.Address == "" || e.Port == 0 {
			t.Errorf("no address or port: %+v", e)
		}
	}
}

func (s Suite) returns(t *testing.T) {
	source, _ := s.Start(t)
	r := s.start(t, source)
	r.next(t, nil)
	r.stop(t)
	r = s.start(t, source)
	r.stop(t) // at once
}

func (s Suite) runsAgain(t *testing.T) {
	source, _ := s.Start(t)
	r := s.start(t, source)
	first := r.next(t, nil)
	r.stop(t)
	r = s.start(t, source)
	defer r.stop(t)
	if again := r.next(t, nil); !alike(first, again) {
		t.Errorf("at first %+v, after a restart %+v", first, again)
	}
}

func (s Suite) removal(t *testing.T) {
	source, remote := s.Start(t)
	if remote == nil {
		return
	}
	r := s.start(t, source)
	defer r.stop(t)
	two := r.next(t, nil)
	remote.Set(1)
	one := r.next(t, two)
	if len(one) != 1 {
		t.Errorf("%d endpoints are left: %+v", len(one), one)
	}
	remote.Set(3)
	if three := r.next(t, one); len(three) != 3 {
		t.Errorf("%d endpoints: %+v", len(three), three)
	}
}

// failure demands that Run returns with an error or goes on in silence, and recovers, either way.
func (s Suite) failure(t *testing.T) {
	source, remote := s.Start(t)
	if remote == nil {
		return
	}
	r := s.start(t, source)
	two := r.next(t, nil)
	remote.Fail()
	s.quiet(t, r, two)
	remote.Set(3)
	r = s.revive(t, r, source)
	defer r.stop(t)
	if three := r.next(t, two); len(three) != 3 {
		t.Errorf("after the error: %d endpoints", len(three))
	}
}

// hang is failure without an answer. The source has to find out by itself: Run returns.
func (s Suite) hang(t *testing.T) {
	source, remote := s.Start(t)
	if remote == nil {
		return
	}
	r := s.start(t, source)
	two := r.next(t, nil)
	remote.Hang()
	if !s.quiet(t, r, two) {
		t.Errorf("the remote hangs, and Run has not returned after %s", s.Patience)
	}
	remote.Set(3)
	r = s.revive(t, r, source)
	defer r.stop(t)
	if three := r.next(t, two); len(three) != 3 {
		t.Errorf("after the hang: %d endpoints", len(three))
	}
}

// quiet watches for Patience, or until Run returns, that nothing is said but what was in force. It says whether Run
// returned.
func (s Suite) quiet(t *testing.T, r *run, inForce []gateway.Endpoint) (returned bool) {
	t.Helper()
	deadline := time.After(s.Patience)
	for {
		select {
		case w := <-r.words:
			if !w.alive && !alike(inForce, w.endpoints) {
				t.Fatalf("an update without an answer: %+v", w.endpoints)
			}
		case <-r.done:
			s.noSecret(t, r.err)
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
func (s Suite) revive(t *testing.T, r *run, source discovery.Source) *run {
	t.Helper()
	select {
	case <-r.done:
		return s.start(t, source)
	default:
		return r
	}
}

func (s Suite) returnsWhileBlocked(t *testing.T) {
	source, remote := s.Start(t)
	if remote == nil {
		return
	}
	remote.Hang()
	r := s.start(t, source)
	select {
	case <-r.done:
		t.Error("Run returned without waiting for an answer")
	case w := <-r.words:
		t.Errorf("an update without an answer: %+v", w)
	case <-time.After(20 * time.Millisecond): // it is in its first question by now
	}
	r.stop(t)
}
