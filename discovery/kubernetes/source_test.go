package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/sourcetest"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func kindOf(t testing.TB, f *fake, p pace) discovery.Kind {
	t.Helper()
	return Kind(Options{Clients: []*Client{clientOf(t, f, "")}, Timeout: 300 * time.Millisecond, pace: p})
}

func open(t testing.TB, k discovery.Kind, s *Spec) discovery.Source {
	t.Helper()
	source, err := k.Open(s)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func TestSource(t *testing.T) {
	sourcetest.Run(t, sourcetest.Suite{
		Start: func(t *testing.T) (discovery.Source, sourcetest.Remote) {
			f := startFake(t)
			f.Set(2)
			return open(t, kindOf(t, f, quick), &Spec{Service: "shop", Port: "http"}), f
		},
		Patience: 3 * time.Second,
		Secrets:  []string{canary},
		Guard:    Kind(Options{}).Guard,
	})
}

// follower runs a source again and again, as the Manager does.
type follower struct {
	t     *testing.T
	last  chan []gateway.Endpoint // holds one: the latest
	errs  chan error
	alive chan struct{}
	stop  func()
}

func follow(t *testing.T, source discovery.Source) *follower {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &follower{t: t, last: make(chan []gateway.Endpoint, 1), errs: make(chan error, 1000), alive: make(chan struct{}, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			err := source.Run(ctx, func(e []gateway.Endpoint) {
				select {
				case <-f.last:
				default:
				}
				f.last <- e
			}, func() {
				select {
				case f.alive <- struct{}{}:
				default:
				}
			})
			if ctx.Err() == nil {
				f.errs <- err
			}
		}
	}()
	f.stop = func() { cancel(); <-done }
	t.Cleanup(f.stop)
	return f
}

// await waits until the source says n endpoints.
func (f *follower) await(n int) []gateway.Endpoint {
	f.t.Helper()
	deadline := time.After(5 * time.Second)
	for {
		select {
		case e := <-f.last:
			if len(e) == n {
				return e
			}
		case <-deadline:
			f.t.Fatalf("never %d endpoints", n)
		}
	}
}

// failure waits for an error with a text.
func (f *follower) failure(text string) {
	f.t.Helper()
	deadline := time.After(5 * time.Second)
	for {
		select {
		case err := <-f.errs:
			if strings.Contains(err.Error(), text) {
				return
			}
			f.t.Logf("another error: %v", err)
		case <-deadline:
			f.t.Fatalf("no error with %q", text)
		}
	}
}

func (f *follower) noError() {
	f.t.Helper()
	select {
	case err := <-f.errs:
		f.t.Errorf("an error: %v", err)
	default:
	}
}

// What a server may do to a watch, and what the source makes of it: in the end it knows what is true, and where nothing
// was wrong with the server no error is said.
func TestWatchesThatEnd(t *testing.T) {
	for name, c := range map[string]struct {
		harm  func(*fake)
		err   string // that is said; none: it goes on in silence
		lists bool   // it has to list again
	}{
		"410 as an event":   {harm: (*fake).compact, lists: true},
		"410 as a status":   {harm: func(f *fake) { f.byStatus = true; f.compact(); f.CloseClientConnections() }, lists: true},
		"cut after a word":  {harm: func(f *fake) { f.bookmark(); f.CloseClientConnections() }},
		"ERROR event":       {harm: func(f *fake) { f.set(refuses) }, err: "etcd has no leader"},
		"ended at once":     {harm: func(f *fake) { f.set(endsAtOnce) }, err: "ended at once"},
		"an unknown event":  {harm: func(f *fake) { f.set(nonsense) }, err: "SURPRISE", lists: true},
		"an endless line":   {harm: func(f *fake) { f.set(longLines) }, err: "a line of more than 4 MiB", lists: true},
		"no right any more": {harm: func(f *fake) { f.set(forbids) }, err: "403 Forbidden: you may not"},
	} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t)
			f.Set(2)
			seen := follow(t, open(t, kindOf(t, f, quick), &Spec{Service: "shop"}))
			seen.await(2)
			awaitWatch(t, f)
			lists := f.count("limit=")
			c.harm(f)
			if c.err != "" {
				seen.failure(c.err)
			}
			f.Set(3)
			seen.await(3)
			if c.err == "" {
				seen.noError()
			}
			if again := f.count("limit=") > lists; again != c.lists {
				t.Errorf("listed again: %v", again)
			}
		})
	}
}

func awaitWatch(t *testing.T, f *fake) {
	t.Helper()
	testenv.Eventually(t, 5*time.Second, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.watches == 0 {
			return errors.New("nobody watches")
		}
		return nil
	})
}

// A server that hangs is no reason to hot-loop, neither is one that ends every watch at once.
func TestNothingLoops(t *testing.T) {
	for name, m := range map[string]mode{"ended": endsAtOnce, "nonsense": nonsense, "halves": halves, "refused": refuses} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t)
			f.Set(2)
			p := quick
			p.pause, p.longest, p.gap = 100*time.Millisecond, time.Second, 100*time.Millisecond
			seen := follow(t, open(t, kindOf(t, f, p), &Spec{Service: "shop"}))
			seen.await(2)
			awaitWatch(t, f)
			before := f.count("")
			f.set(m)
			began := time.Now()
			seen.failure("")
			seen.failure("")
			seen.failure("")
			if n, most := f.count("")-before, 4+4*int(time.Since(began)/(50*time.Millisecond)); n > most {
				t.Errorf("%d calls in %s", n, time.Since(began))
			}
		})
	}
}

// Blocks that come and go at the same time all have their answer, and leave nothing behind.
func TestComingAndGoing(t *testing.T) {
	f := startFake(t)
	f.Set(2)
	k := kindOf(t, f, quick)
	var all sync.WaitGroup
	patience := []time.Duration{5 * time.Second, 5 * time.Second, time.Millisecond, 2 * time.Millisecond}
	for _, most := range patience { // the impatient are often the last to leave
		all.Go(func() {
			for range 40 {
				ctx, cancel := context.WithTimeout(t.Context(), most)
				answered := false
				_ = open(t, k, &Spec{Service: "shop"}).Run(ctx, func(e []gateway.Endpoint) { answered = len(e) == 2; cancel() }, func() {})
				cancel()
				if !answered && most > time.Second {
					t.Error("no answer")
					return
				}
			}
		})
	}
	all.Wait()
}

// Who comes while the last one leaves waits until that has ended: a worker that ends tells nobody.
func TestNobodyJoinsAnEnd(t *testing.T) {
	f := &feed{readers: map[*reader]bool{}, ended: make(chan struct{}), live: true, state: newState(nil)}
	ctx, cancel := context.WithCancel(t.Context())
	f.stop = func() { // leave holds the lock
		if !f.ending {
			t.Error("the end is not announced")
		}
		go func() {
			defer close(f.ended)
			cancel()
			if _, err := f.join(ctx, &reader{ring: make(chan struct{}, 1)}); !errors.Is(err, context.Canceled) {
				t.Errorf("joined an end: %v", err)
			}
		}()
	}
	f.leave(&reader{}, true)
	if f.ending || f.stop != nil || f.live || f.state == nil {
		t.Errorf("after a failure: %+v", f)
	}
}

// Each failure is followed by a longer pause, or by that which the server asks for.
func TestPauses(t *testing.T) {
	var tr trouble
	left := func(err error) time.Duration {
		tr.failed(usualPace, err)
		return time.Until(tr.notYet)
	}
	for n := range 40 {
		want := min(usualPace.pause<<min(n, 16), usualPace.longest)
		if got := left(errors.New("x")); got > want || got < want/2-time.Second/10 {
			t.Errorf("after %d failures: %s, want about %s", n+1, got, want)
		}
	}
	tr.worked()
	if got := left(fmt.Errorf("list: %w", &apiError{code: 429, after: 20 * time.Second})); got < 19*time.Second {
		t.Errorf("the server asked for 20s: %s", got)
	}
	if got := left(&apiError{code: 429, after: time.Hour}); got > time.Minute {
		t.Errorf("an hour is too long: %s", got)
	}
}

// A server that is busy says when to come again, in a header or in the status.
func TestRetryAfter(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		status(w, http.StatusTooManyRequests, "TooManyRequests", "busy")
	}))
	t.Cleanup(s.Close)
	c, err := New(Config{Address: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	_, err = c.page(t.Context(), question{}, time.Second)
	if said, ok := errors.AsType[*apiError](err); !ok || said.after != 7*time.Second {
		t.Error(err)
	}
	if e := parseStatus([]byte(`{"kind":"Status","code":503,"details":{"retryAfterSeconds":3}}`), 0); e.after != 3*time.Second || e.code != 503 {
		t.Errorf("%+v", e)
	}
}

// A watch goes on from the last bookmark, and silence is answered by a new watch, which is no error.
func TestBookmarksAndSilence(t *testing.T) {
	f := startFake(t)
	f.Set(2)
	seen := follow(t, open(t, kindOf(t, f, quick), &Spec{Service: "shop"}))
	seen.await(2)
	awaitWatch(t, f)
	f.bookmark()
	f.mu.Lock()
	version := fmt.Sprint("resourceVersion=", f.version)
	f.mu.Unlock()
	testenv.Eventually(t, 5*time.Second, func() error { // after quick.silence
		if f.count(version) == 0 {
			return errors.New("no watch from the bookmark's version on")
		}
		return nil
	})
	f.Set(3)
	seen.await(3)
	seen.noError()
	if n := f.count("allowWatchBookmarks=true"); n != f.count("watch=true") {
		t.Errorf("%d watches ask for bookmarks", n)
	}
}

// The blocks of a namespace share a list and a watch, of just their services; one that comes later widens them, and one
// that leaves disturbs nobody.
func TestOneWatchForAll(t *testing.T) {
	f := startFake(t)
	f.pods("shop", 2)
	f.pods("ledger", 3)
	f.pods("other", 4)
	k := kindOf(t, f, pace{
		gather: 20 * time.Millisecond, watch: time.Minute, silence: time.Minute, gap: time.Millisecond,
		pause: time.Millisecond, longest: time.Millisecond, lasting: time.Millisecond, pageSize: 100,
	})
	shop := follow(t, open(t, k, &Spec{Service: "shop"}))
	again := follow(t, open(t, k, &Spec{Service: "shop", Port: "8443"}))
	ledger := follow(t, open(t, k, &Spec{Service: "ledger"}))
	shop.await(2)
	again.await(2)
	ledger.await(3)
	awaitWatch(t, f)
	if lists, watches := f.count("limit="), f.count("watch=true"); lists != 1 || watches != 1 {
		t.Errorf("%d lists, %d watches", lists, watches)
	}
	if f.count("in (ledger,shop)") != 2 {
		t.Errorf("asked for %v", f.calls)
	}
	ledger.stop()
	other := follow(t, open(t, k, &Spec{Service: "other"}))
	other.await(4)
	f.pods("shop", 1)
	shop.await(1)
	again.await(1)
	for _, x := range []*follower{shop, again, ledger, other} {
		x.noError()
	}
	if n := f.count("limit="); n != 2 {
		t.Errorf("%d lists", n)
	}
	shop.stop()
	again.stop()
	other.stop()
	testenv.Eventually(t, 5*time.Second, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.watches > 0 {
			return errors.New("a watch is open that nobody needs")
		}
		return nil
	})
}

// A slice that is deleted takes its endpoints along.
func TestDeletedSlices(t *testing.T) {
	f := startFake(t)
	f.Set(4)
	seen := follow(t, open(t, kindOf(t, f, quick), &Spec{Service: "shop"}))
	seen.await(4)
	f.remove("default/shop-slice0")
	seen.await(3)
	f.remove("default/shop-slice1")
	seen.await(0)
	seen.noError()
}

// A list comes on pages. One whose continuation expires is read again whole.
func TestPages(t *testing.T) {
	f := startFake(t)
	for i := range 7 {
		f.put(sliceOf("shop", fmt.Sprint("slice-", i), "IPv4", portOf("", 80), pod(fmt.Sprint("shop-", i), fmt.Sprint("10.0.0.", i+1))))
	}
	seen := follow(t, open(t, kindOf(t, f, quick), &Spec{Service: "shop"}))
	seen.await(7)
	if n := f.count("limit=1"); n != 7 {
		t.Errorf("%d pages", n)
	}
	seen.stop()
	f.change(func() { f.pageGone = true })
	seen = follow(t, open(t, kindOf(t, f, quick), &Spec{Service: "shop"}))
	seen.await(7)
	seen.noError()
}

func TestOpenNeedsAConnection(t *testing.T) {
	f := startFake(t)
	east, west := clientOf(t, f, "east"), clientOf(t, f, "west")
	for _, c := range []struct {
		clients    []*Client
		connection string
		want       string
	}{
		{nil, "", "add a kubernetes block"},
		{[]*Client{east}, "", ""},
		{[]*Client{east, west}, "", "connection must name one of east, west"},
		{[]*Client{east, west}, "west", ""},
		{[]*Client{east, west}, "north", `no kubernetes connection is named "north"; there is east, west`},
	} {
		_, err := Kind(Options{Clients: c.clients}).Open(&Spec{Service: "shop", Connection: c.connection})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
