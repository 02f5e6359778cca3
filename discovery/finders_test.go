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

// search is a finder whose Run a test writes.
type search func(ctx context.Context, n int, near Surroundings, update func([]*gateway.Function), alive func()) error

type scripted struct {
	search search
	near   Surroundings
	runs   int
}

func (s *scripted) Run(ctx context.Context, update func([]*gateway.Function), alive func()) error {
	s.runs++
	return s.search(ctx, s.runs, s.near, update, alive)
}

func finderKey(upstream string) gateway.FinderKey {
	return gateway.FinderKey{Upstream: upstream, Kind: "test", Query: "q"}
}

func wantedFinders(upstreams ...string) map[gateway.FinderKey]gateway.Finder {
	out := make(map[gateway.FinderKey]gateway.Finder)
	for _, u := range upstreams {
		out[finderKey(u)] = gateway.Finder{Key: finderKey(u), OpenAPI: &gateway.OpenAPI{}}
	}
	return out
}

// functions are new values with each call, since finders may give equal ones.
func functions(names ...string) []*gateway.Function {
	out := []*gateway.Function{}
	for _, n := range names {
		out = append(out, &gateway.Function{
			Name: n, Kind: gateway.FunctionREST, Signature: gateway.Signature{Known: true},
			REST: &gateway.RESTOperation{Method: "GET", Path: "/" + n},
		})
	}
	return out
}

// finderBench is running Finders and all that they published.
type finderBench struct {
	*Finders
	mu        sync.Mutex
	now       map[gateway.FinderKey][]*gateway.Function
	batches   int
	endpoints atomic.Pointer[[]gateway.Endpoint]
	stop      func()
}

func launchFinders(t *testing.T, scripts map[string]search) *finderBench {
	t.Helper()
	b := &finderBench{now: make(map[gateway.FinderKey][]*gateway.Function)}
	b.Finders = NewFinders(FinderOptions{
		Kinds: []FinderKind{{Name: "test", Open: func(f gateway.Finder, near Surroundings) (Finder, error) {
			if scripts[f.Key.Upstream] == nil {
				return nil, errors.New("not configured")
			}
			return &scripted{search: scripts[f.Key.Upstream], near: near}, nil
		}}},
		Near: func(gateway.FinderKey) Surroundings {
			return Surroundings{Endpoints: func() []gateway.Endpoint {
				if e := b.endpoints.Load(); e != nil {
					return *e
				}
				return nil
			}}
		},
		Publish: func(changed map[gateway.FinderKey][]*gateway.Function) {
			b.mu.Lock()
			defer b.mu.Unlock()
			maps.Copy(b.now, changed)
			b.batches++
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

func (b *finderBench) expect(t *testing.T, upstream string, want []*gateway.Function) []*gateway.Function {
	t.Helper()
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	got, said := b.now[finderKey(upstream)]
	if want != nil && !said {
		t.Fatalf("%s: nothing published", upstream)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("%s (-want +got):\n%s", upstream, d)
	}
	return got
}

func (b *finderBench) keys() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.now)
}

func (b *finderBench) published() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.batches
}

func (b *finderBench) finder(t *testing.T, upstream string) FinderStatus {
	t.Helper()
	s, err := b.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range s.Finders {
		if f.Key == finderKey(upstream) {
			return f
		}
	}
	t.Fatalf("no finder of %s in %v", upstream, s)
	return FinderStatus{}
}

func says(answers ...[]*gateway.Function) search {
	return func(ctx context.Context, _ int, _ Surroundings, update func([]*gateway.Function), _ func()) error {
		for _, a := range answers {
			update(a)
			if !sleep(ctx, time.Minute) {
				break
			}
		}
		<-ctx.Done()
		return ctx.Err()
	}
}

func TestFunctionsArePublishedSortedAndForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := launchFinders(t, map[string]search{
			"a": says(append(functions("b", "a", "b"), nil, &gateway.Function{})), "none": says(functions()),
		})
		defer b.stop()
		b.Want(wantedFinders("a", "none", "refused"))
		b.expect(t, "a", functions("a", "b"))
		b.expect(t, "none", functions())
		if err := b.WaitAnswered(t.Context()); err != nil {
			t.Error(err)
		}
		if got := b.finder(t, "refused"); got.State != Failing || got.Err == nil || got.Answered {
			t.Errorf("status %+v", got)
		}
		b.Want(wantedFinders("none"))
		b.expect(t, "a", nil)
		if n := b.keys(); n != 2 { // the refused one has never said anything
			t.Errorf("%d keys were published", n)
		}
	})
}

func TestUnchangedFunctionsKeepTheirPointers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		changed := functions("a", "b", "c")
		changed[1].Summary = "new words"
		b := launchFinders(t, map[string]search{"a": says(functions("a", "c"), functions("a", "c"), changed)})
		defer b.stop()
		b.Seed(map[gateway.FinderKey][]*gateway.Function{finderKey("a"): functions("a")})
		b.Want(wantedFinders("a"))
		before := b.expect(t, "a", functions("a", "c"))
		time.Sleep(time.Minute)
		synctest.Wait()
		batches := b.published()
		time.Sleep(time.Minute)
		after := b.expect(t, "a", changed)
		if n := b.published(); n != batches+1 || batches > 2 {
			t.Errorf("%d batches, then %d: an equal answer is no change", batches, n)
		}
		if after[0] != before[0] || after[2] != before[1] {
			t.Error("an unchanged function is another pointer")
		}
	})
}

func TestLostFunctionsAreDoubtedForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := launchFinders(t, map[string]search{"a": func(ctx context.Context, _ int, _ Surroundings, update func([]*gateway.Function), alive func()) error {
			update(functions("a", "b", "c", "d", "f"))
			update(functions("d", "e"))
			update(functions("e"))
			sleep(ctx, 30*time.Second)
			alive() // too early to confirm
			sleep(ctx, 31*time.Second)
			alive()
			sleep(ctx, time.Hour)
			update(functions())
			<-ctx.Done()
			return ctx.Err()
		}})
		defer b.stop()
		b.Want(wantedFinders("a"))
		b.expect(t, "a", functions("a", "b", "c", "d", "e", "f"))
		time.Sleep(59 * time.Second)
		b.expect(t, "a", functions("a", "b", "c", "d", "e", "f"))
		if got := b.finder(t, "a"); got.Held != 5 || got.Functions != 6 || got.State != OK {
			t.Errorf("status %+v", got)
		}
		time.Sleep(2 * time.Second)
		b.expect(t, "a", functions("e"))
		time.Sleep(time.Hour)
		b.expect(t, "a", functions("e")) // doubted anew
		time.Sleep(time.Minute)
		b.expect(t, "a", functions())
	})
}

func TestAFailingFinderKeepsItsFunctionsAndIsLeftInPeace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls []time.Time
		b := launchFinders(t, map[string]search{"a": func(_ context.Context, n int, _ Surroundings, update func([]*gateway.Function), _ func()) error {
			calls = append(calls, time.Now())
			if n == 1 {
				update(functions("a"))
			}
			return errors.New("connection refused")
		}})
		defer b.stop()
		b.Want(wantedFinders("a"))
		time.Sleep(2 * time.Hour)
		b.expect(t, "a", functions("a"))
		got := b.finder(t, "a")
		if got.State != Failing || got.Err == nil || got.Functions != 1 || !got.Contact.Equal(calls[0]) {
			t.Errorf("status %+v", got)
		}
		if len(calls) < 25 || len(calls) > 90 {
			t.Errorf("%d questions in two hours", len(calls))
		}
		for i := 1; i < len(calls); i++ {
			if d := calls[i].Sub(calls[i-1]); d > 4*time.Minute+30*time.Second {
				t.Errorf("pause %d is %v", i, d)
			}
		}
	})
}

func TestAFinderWaitsForEndpointsInSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := launchFinders(t, map[string]search{"a": func(ctx context.Context, _ int, near Surroundings, update func([]*gateway.Function), _ func()) error {
			if near.Await(ctx) == nil {
				return ctx.Err()
			}
			if _, ok := near.Material(gateway.ID{}); ok {
				return errors.New("a secret that nobody knows")
			}
			update(functions("a"))
			<-ctx.Done()
			return ctx.Err()
		}})
		defer b.stop()
		b.Want(wantedFinders("a"))
		time.Sleep(time.Hour)
		if got := b.finder(t, "a"); !got.Waiting || got.State != Starting || got.Err != nil || got.Restarts != 0 {
			t.Errorf("status %+v", got)
		}
		b.endpoints.Store(&[]gateway.Endpoint{{ID: "e"}})
		time.Sleep(longLook + longLook/4)
		b.expect(t, "a", functions("a"))
		if got := b.finder(t, "a"); got.Waiting || got.State != OK {
			t.Errorf("status %+v", got)
		}
	})
}

func TestFindersStartSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scripts, names := map[string]search{}, []string{}
		for i := range 500 {
			n := fmt.Sprintf("u%04d", i)
			scripts[n], names = says(functions("a")), append(names, n)
		}
		b := launchFinders(t, scripts)
		defer b.stop()
		b.Want(wantedFinders(names...))
		synctest.Wait()
		if n := b.keys(); n < 16 || n > 18 {
			t.Errorf("%d started at once", n)
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if n := b.keys(); n != 500 {
			t.Errorf("%d started in the end", n)
		}
	})
}

func TestFinderPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		step := 0
		p := &FinderPoll{Interval: time.Minute, Jitter: -1, Deadline: 5 * time.Second, List: func(ctx context.Context, first bool) ([]*gateway.Function, bool, error) {
			step++
			if first != (step == 1) {
				t.Errorf("step %d: first is %v", step, first)
			}
			switch step {
			case 1, 2:
				return functions("b", "a"), true, nil
			case 3:
				return nil, false, nil
			case 4:
				return functions("a"), true, nil
			}
			<-ctx.Done()
			return nil, false, ctx.Err()
		}}
		var said []string
		start := time.Now()
		err := p.Run(t.Context(),
			func(f []*gateway.Function) { said = append(said, fmt.Sprint(len(f), time.Since(start))) },
			func() { said = append(said, fmt.Sprint("alive", time.Since(start))) })
		if d := cmp.Diff([]string{"2 0s", "alive1m0s", "alive2m0s", "1 3m0s"}, said); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 4*time.Minute+5*time.Second {
			t.Errorf("ended after %v with %v", time.Since(start), err)
		}
	})
}

func TestAnotherIntervalKeepsTheFunctions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int32
		b := launchFinders(t, map[string]search{"a": func(ctx context.Context, _ int, _ Surroundings, update func([]*gateway.Function), _ func()) error {
			if runs.Add(1) == 1 {
				update(functions("a", "b"))
			}
			<-ctx.Done()
			return ctx.Err()
		}})
		defer b.stop()
		b.Want(wantedFinders("a"))
		b.expect(t, "a", functions("a", "b"))
		moved := wantedFinders("a")
		moved[finderKey("a")].OpenAPI.Range.Start.Line = 7
		b.Want(moved)
		synctest.Wait()
		slower := wantedFinders("a")
		slower[finderKey("a")].OpenAPI.Interval = time.Hour
		b.Want(slower)
		b.expect(t, "a", functions("a", "b"))
		if got := b.finder(t, "a"); runs.Load() != 2 || b.published() != 1 || got.Functions != 2 || !got.Answered {
			t.Errorf("%d runs, %d batches, status %+v", runs.Load(), b.published(), got)
		}
	})
}

func TestANewDeploymentIsAskedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int32
		b := launchFinders(t, map[string]search{"a": func(context.Context, int, Surroundings, func([]*gateway.Function), func()) error {
			runs.Add(1)
			return errors.New("no document")
		}})
		defer b.stop()
		endpoints := func(ids ...string) {
			list := []gateway.Endpoint{}
			for _, id := range ids {
				list = append(list, gateway.Endpoint{ID: id})
			}
			b.endpoints.Store(&list)
		}
		asked := func(change func()) bool {
			t.Helper()
			time.Sleep(time.Hour) // the pauses are minutes long by now
			for before := runs.Load(); before == runs.Load(); time.Sleep(time.Second) {
			}
			before := runs.Load()
			change()
			time.Sleep(2 * longLook)
			return runs.Load() > before
		}
		endpoints("1", "2")
		b.Want(wantedFinders("a"))
		if asked(func() {}) {
			t.Error("it was asked without a cause")
		}
		if asked(func() { endpoints("2", "3") }) {
			t.Error("one of the old endpoints is still there")
		}
		if !asked(func() { endpoints("4") }) {
			t.Error("all endpoints are new")
		}
		if !asked(func() { endpoints(); time.Sleep(longLook + time.Second); endpoints("4") }) {
			t.Error("the endpoint came back")
		}
		if asked(func() { endpoints() }) {
			t.Error("there is nobody to ask")
		}
	})
}
