package discovery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

// script is a source whose Run a test writes; runs counts how often it was called.
type script struct {
	run  func(ctx context.Context, n int, update func([]gateway.Endpoint), alive func()) error
	runs atomic.Int32
}

func (s *script) Run(ctx context.Context, update func([]gateway.Endpoint), alive func()) error {
	return s.run(ctx, int(s.runs.Add(1)), update, alive)
}

// spec is a query by name.
type spec string

func (s spec) SourceKey() gateway.SourceKey { return gateway.SourceKey{Kind: "test", Query: string(s)} }

func key(name string) gateway.SourceKey { return spec(name).SourceKey() }

func wanted(names ...string) map[gateway.SourceKey]gateway.SourceSpec {
	out := make(map[gateway.SourceKey]gateway.SourceSpec)
	for _, n := range names {
		out[key(n)] = spec(n)
	}
	return out
}

func endpoints(ids ...int) []gateway.Endpoint {
	out := []gateway.Endpoint{}
	for _, i := range ids {
		out = append(out, gateway.Endpoint{ID: fmt.Sprint("e", i), Address: fmt.Sprint("10.0.0.", i), Port: 80})
	}
	return out
}

// bench is a running manager and all that it published.
type bench struct {
	*Manager
	mu      sync.Mutex
	batches []map[gateway.SourceKey][]gateway.Endpoint
	now     map[gateway.SourceKey][]gateway.Endpoint
	opened  map[string]int
	busy    time.Duration // how long each Publish takes
	stop    func()
}

// launch runs a manager over scripts by name, inside a synctest bubble.
func launch(t *testing.T, guard *Guard, scripts map[string]*script) *bench {
	t.Helper()
	b := &bench{now: make(map[gateway.SourceKey][]gateway.Endpoint), opened: make(map[string]int)}
	b.Manager = New(Options{
		Kinds: []Kind{{Name: "test", Guard: guard, Open: func(s gateway.SourceSpec) (Source, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			name := s.SourceKey().Query
			b.opened[name]++
			if scripts[name] == nil {
				return nil, errors.New("not configured")
			}
			return scripts[name], nil
		}}},
		Publish: func(changed map[gateway.SourceKey][]gateway.Endpoint) {
			b.mu.Lock()
			b.batches = append(b.batches, changed)
			maps.Copy(b.now, changed)
			b.mu.Unlock()
			time.Sleep(b.busy) // of the bubble's clock
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	b.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
	return b
}

// expect waits until everything is idle and compares what is in force for a key.
func (b *bench) expect(t *testing.T, name string, want []gateway.Endpoint) {
	t.Helper()
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	got, said := b.now[key(name)]
	if want != nil && !said {
		t.Fatalf("%s: nothing published", name)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("%s (-want +got):\n%s", name, d)
	}
}

func (b *bench) source(t *testing.T, name string) SourceStatus {
	t.Helper()
	s, err := b.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range s.Sources {
		if x.Key == key(name) {
			return x
		}
	}
	t.Fatalf("no source %s in %v", name, s)
	return SourceStatus{}
}

// constant says one thing and stays.
func constant(say []gateway.Endpoint) *script {
	return &script{run: func(ctx context.Context, _ int, update func([]gateway.Endpoint), _ func()) error {
		update(say)
		<-ctx.Done()
		return ctx.Err()
	}}
}

// led says what it is told to, until ctx ends.
func led(words <-chan []gateway.Endpoint) *script {
	return &script{run: func(ctx context.Context, _ int, update func([]gateway.Endpoint), _ func()) error {
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case w := <-words:
				update(w)
			}
		}
	}}
}

func TestFirstAnswerIsPublishedAtOnceAndSorted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := launch(t, nil, map[string]*script{"a": constant(endpoints(2, 1, 2))})
		defer b.stop()
		start := time.Now()
		b.Want(wanted("a"))
		b.expect(t, "a", endpoints(1, 2))
		if d := time.Since(start); d != 0 {
			t.Errorf("took %v", d)
		}
	})
}

func TestWantTouchesOnlyTheDifference(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := launch(t, nil, map[string]*script{"a": constant(endpoints(1)), "b": constant(endpoints(2)), "c": constant(endpoints())})
		defer b.stop()
		b.Want(wanted("a", "b"))
		b.expect(t, "b", endpoints(2))
		b.Want(wanted("a", "c"))
		b.expect(t, "a", endpoints(1))
		b.expect(t, "b", nil) // forgotten
		b.expect(t, "c", []gateway.Endpoint{})
		if v, said := b.now[key("b")]; !said || v != nil {
			t.Errorf("b: %v, want a nil", v)
		}
		b.Want(wanted("a", "b", "c"))
		b.expect(t, "b", endpoints(2))
		if d := cmp.Diff(map[string]int{"a": 1, "b": 2, "c": 1}, b.opened); d != "" {
			t.Errorf("opened (-want +got):\n%s", d)
		}
	})
}

func TestEqualAnswersArePublishedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		words := make(chan []gateway.Endpoint)
		b := launch(t, nil, map[string]*script{"a": led(words)})
		defer b.stop()
		b.Want(wanted("a"))
		words <- endpoints(1, 2)
		words <- endpoints(2, 1)
		words <- endpoints(1, 2)
		b.expect(t, "a", endpoints(1, 2))
		if len(b.batches) != 1 {
			t.Errorf("published %d times", len(b.batches))
		}
	})
}

func TestChangesGatherWhileTheReceiverIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		words := make(chan []gateway.Endpoint)
		b := launch(t, nil, map[string]*script{"a": led(words), "b": led(words)})
		defer b.stop()
		b.busy = time.Second
		b.Want(wanted("a"))
		words <- endpoints(1)
		b.expect(t, "a", endpoints(1)) // and the receiver is busy now
		for i := range 100 {
			words <- endpoints(1, i+2)
		}
		b.expect(t, "a", endpoints(1))
		time.Sleep(time.Second)
		b.expect(t, "a", endpoints(1, 101))
		if len(b.batches) != 2 {
			t.Errorf("published %d times", len(b.batches))
		}
	})
}

func TestAnErrorKeepsTheLastAnswerAndRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls []time.Time
		broken := errors.New("connection refused")
		s := &script{run: func(ctx context.Context, n int, update func([]gateway.Endpoint), _ func()) error {
			calls = append(calls, time.Now())
			switch n {
			case 1:
				update(endpoints(1))
				return broken
			case 12:
				update(endpoints(2))
				<-ctx.Done()
				return nil
			}
			return broken
		}}
		b := launch(t, nil, map[string]*script{"a": s})
		defer b.stop()
		b.Want(wanted("a"))
		b.expect(t, "a", endpoints(1))
		got := b.source(t, "a")
		if got.State != Failing || !errors.Is(got.Err, broken) || got.Endpoints != 1 || got.Restarts != 1 {
			t.Errorf("status %+v", got)
		}
		time.Sleep(3 * time.Minute)
		b.expect(t, "a", endpoints(2))
		if got := b.source(t, "a"); got.State != OK || got.Err != nil || got.Restarts != 11 {
			t.Errorf("status %+v", got)
		}
		if d := calls[1].Sub(calls[0]); d > time.Second {
			t.Errorf("first retry after %v", d)
		}
		for i := 1; i < len(calls); i++ {
			if d := calls[i].Sub(calls[i-1]); d <= 0 || d > 15*time.Second {
				t.Errorf("retry %d after %v", i, d)
			}
		}
	})
}

func TestBackOffIsResetBySuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls []time.Time
		s := &script{run: func(_ context.Context, n int, update func([]gateway.Endpoint), alive func()) error {
			calls = append(calls, time.Now())
			if n == 9 {
				alive()
			}
			return errors.New("no")
		}}
		b := launch(t, nil, map[string]*script{"a": s})
		defer b.stop()
		b.Want(wanted("a"))
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if d := calls[9].Sub(calls[8]); d > time.Second {
			t.Errorf("after a success: %v", d)
		}
		if d := calls[8].Sub(calls[7]); d < 4*time.Second {
			t.Errorf("before it: %v", d)
		}
	})
}

func TestPanicIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{run: func(ctx context.Context, n int, update func([]gateway.Endpoint), _ func()) error {
			if n < 3 {
				panic("nil pointer")
			}
			update(endpoints(1))
			<-ctx.Done()
			return nil
		}}
		b := launch(t, nil, map[string]*script{"a": s, "b": constant(endpoints(2))})
		defer b.stop()
		b.Want(wanted("a", "b"))
		b.expect(t, "b", endpoints(2))
		if got := b.source(t, "a"); got.Panics != 1 || got.State != Failing || got.Err == nil {
			t.Errorf("status %+v", got)
		}
		time.Sleep(time.Minute)
		b.expect(t, "a", endpoints(1))
		if got := b.source(t, "a"); got.Panics != 2 || got.State != OK {
			t.Errorf("status %+v", got)
		}
	})
}

func TestManyStartsAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scripts, names := map[string]*script{}, []string{}
		for i := range 5000 {
			n := fmt.Sprintf("s%04d", i)
			scripts[n], names = constant(endpoints(1)), append(names, n)
		}
		b := launch(t, nil, scripts)
		defer b.stop()
		b.Want(wanted(names...))
		synctest.Wait()
		if n := len(b.now); n < 64 || n > 70 {
			t.Errorf("%d started at once", n)
		}
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		if n := len(b.now); n != 5000 {
			t.Errorf("%d started after a second", n)
		}
	})
}

func TestRunWaitsForItsSourcesAndRunsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Bool
		s := &script{run: func(ctx context.Context, _ int, update func([]gateway.Endpoint), _ func()) error {
			<-ctx.Done()
			time.Sleep(900 * time.Millisecond)
			update(endpoints(1)) // too late to count
			ended.Store(true)
			return nil
		}}
		b := launch(t, nil, map[string]*script{"a": s})
		b.Want(wanted("a"))
		synctest.Wait()
		b.stop()
		if !ended.Load() {
			t.Error("run returned before its source")
		}
		if len(b.batches) != 0 {
			t.Errorf("published %v", b.batches)
		}
		if b.Run(t.Context()) == nil {
			t.Error("a second run is no error")
		}
		if _, err := b.Snapshot(t.Context()); err == nil {
			t.Error("a snapshot of a stopped manager is no error")
		}
	})
}
