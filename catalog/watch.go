package catalog

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/go-hclog"
)

// listing is one remote list that is watched, row by row.
type listing[V any] struct {
	name  string // for status and logs
	rule  string // the ACL rule that reading it needs, for status
	read  func(*api.QueryOptions) (map[string]V, *api.QueryMeta, error)
	same  func(a, b V) bool
	quick bool         // wakes that change nothing are common and cheap: slow down less
	many  bool         // there may be thousands: an answer that says nothing new is to be rare
	index uint64       // start from here, with known
	known map[string]V // what was already delivered

	// changed is called with what is known after each change, and once for the first answer even where that is empty.
	// The map is the watch's own: it is read during the call only.
	changed func(known map[string]V, change offered)
	alive   func()          // an answer changed nothing
	faults  func() []string // rows of the last answer that cannot be used, and why; nil: all can
	// spared says that an empty answer is no accident; nil: it may be one.
	spared func(context.Context) bool
}

// follow watches a list until ctx ends, and returns ctx's error. What it delivered last stays in force through errors.
func follow[V any](ctx context.Context, c *Client, l listing[V]) error {
	w := &watcher[V]{c: c, l: l, rules: newRules(c.cfg.Wait), guard: newGuard(c.cfg.Hold, l.same)}
	var untrack func()
	if !l.many {
		w.rules.wait = min(w.rules.wait, shortWait)
	}
	if l.quick {
		w.rules.idleLast = time.Second
	}
	w.status, untrack = c.track(l.name)
	defer untrack()
	c.slots.join()
	defer c.slots.leave()
	defer c.beat.join(c)()
	if l.index > 0 {
		w.rules.index, w.answered = l.index, true
		w.status.update(func(s *Status) { s.State, s.LastContact, s.Index, s.Rows = StateOK, time.Now(), l.index, len(l.known) })
		maps.Copy(w.guard.known, l.known)
	}
	for {
		if err := w.rest(ctx, w.step(ctx)); err != nil {
			return err
		}
	}
}

// watcher is the state of one follow; one goroutine owns it.
type watcher[V any] struct {
	c        *Client
	l        listing[V]
	rules    *rules
	guard    *guard[V]
	status   *tracker
	answered bool // the first answer was delivered
	afresh   bool // after an outage, the next call does not block
	filtered bool // the last answer that says so said that rows are filtered
	denied   int  // empty first answers in a row that proved nothing
}

// rest waits before the next call. After errors it ends early, spread over two seconds, when Consul is back.
func (w *watcher[V]) rest(ctx context.Context, d time.Duration) error {
	if w.rules.fails == 0 {
		return sleep(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.c.beat.restarted():
		return sleep(ctx, time.Duration(w.c.rand()*float64(spread)))
	case <-t.C:
		return ctx.Err()
	}
}

// step makes one call and says how long to wait before the next.
func (w *watcher[V]) step(ctx context.Context) time.Duration {
	now := time.Now()
	at, missing := w.guard.settle()
	final := missing && !at.After(now)
	wait := w.rules.patience(rand.Float64())
	if w.filtered { // a policy that changes wakes no query
		wait = min(wait, shortWait)
	}
	if missing && !final {
		wait = min(wait, max(at.Sub(now), time.Millisecond))
	}
	rows, meta, err := w.ask(ctx, wait, final)
	if err != nil {
		return w.failed(ctx, err)
	}
	now, w.afresh = time.Now(), false
	v := verdict{}
	if !final { // the watch goes on from its own index: nothing between the two is lost
		v = w.rules.answered(meta.LastIndex)
	}
	t := trusted(meta, v, w.c.anonymous(), w.c.beat.leader())
	if !streamed(meta) {
		w.filtered = meta.ResultsFilteredByACLs
	} else if w.filtered && v.Same { // a streamed answer does not say whether rows are still filtered: ask one that does
		w.rules.index = 0
	}
	first := !w.answered
	if first && len(rows) == 0 && t == denies {
		w.note(meta, t)
		w.rules.index = 0 // poll: neither a new leader nor a new policy wakes a blocking query
		w.denied++
		return doubled(retryFirst, w.denied, retryLast)
	}
	w.answered = true
	change := w.guard.offer(now, rows, t, final)
	if len(rows) == 0 && t == proves && len(w.guard.due) > 0 && w.l.spared != nil && w.l.spared(ctx) {
		w.guard.release(now)
	}
	w.note(meta, t)
	if change.changed() || first {
		w.l.changed(w.guard.known, change)
	} else if w.l.alive != nil {
		w.l.alive()
	}
	if final {
		return 0
	}
	if at, ok := w.guard.settle(); ok && !at.After(now) {
		return 0 // the confirming read is not slowed down
	}
	return w.rules.pause(now, v, change.changed() || first, len(rows))
}

// errCut is why a blocking query ended early to make room or to start again; it is no failure.
var errCut = errors.New("cut short")

// ask makes one call within the budget: a blocking one, or a consistent one that does not wait.
func (w *watcher[V]) ask(ctx context.Context, wait time.Duration, final bool) (map[string]V, *api.QueryMeta, error) {
	slot, err := w.c.slots.acquire(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer slot.release()
	if slot.wait > 0 {
		wait = min(wait, slot.wait)
	}
	opts := &api.QueryOptions{WaitIndex: w.rules.index, WaitTime: wait}
	limit := deadline(wait)
	if w.afresh { // a Consul that has lost its state would wait for an index that is far away
		opts, limit = &api.QueryOptions{}, callTimeout
	}
	if final {
		opts = &api.QueryOptions{RequireConsistent: true}
		limit = callTimeout
		w.c.mu.Lock()
		w.c.confirm++
		w.c.mu.Unlock()
	}
	ctx, cancel := context.WithTimeout(blocking(ctx), limit)
	defer cancel()
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	restart := w.c.beat.restarted()
	stop := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-slot.cut:
			cut(errCut)
		case <-restart:
			cut(errRestart)
		case <-stop:
		}
	}()
	defer func() { close(stop); <-ended }()
	rows, meta, err := w.l.read(opts.WithContext(ctx))
	if err != nil && context.Cause(ctx) != nil && !errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		err = context.Cause(ctx)
	}
	return rows, meta, err
}

func (w *watcher[V]) failed(ctx context.Context, err error) time.Duration {
	switch {
	case ctx.Err() != nil, errors.Is(err, errCut):
		return 0
	case errors.Is(err, errRestart):
		w.rules.fails, w.afresh = 0, true
		return time.Duration(w.c.rand() * float64(spread))
	}
	w.afresh = true
	w.status.update(func(s *Status) {
		s.State, s.Err = StateFailing, err
		s.Detail = advice(err, w.l.rule)
	})
	if w.rules.fails == 0 {
		w.c.log.Log(w.level(err), "consul watch failed, keeping what is known", "source", w.l.name, "error", err)
	}
	return w.rules.failed(w.c.rand())
}

// level is that of an error of this watch alone. What all watches meet at once the heartbeat tells, once.
func (w *watcher[V]) level(err error) hclog.Level {
	var status api.StatusError
	if errors.As(err, &status) && status.Code < 500 && status.Code != http.StatusTooManyRequests {
		return hclog.Warn
	}
	return hclog.Debug
}

// note records an answer.
func (w *watcher[V]) note(meta *api.QueryMeta, t trust) {
	at, missing := w.guard.settle()
	held := w.guard.held()
	var faults []string
	if w.l.faults != nil {
		faults = w.l.faults()
	}
	var recovered error
	w.status.update(func(s *Status) {
		recovered = s.Err
		s.LastContact, s.Err, s.Index, s.Rows = time.Now(), nil, meta.LastIndex, len(w.guard.known)
		s.Held, s.HeldUntil, s.Detail, s.Faults = held, at, "", faults
		switch {
		case w.filtered:
			s.State, s.Detail = StateFiltered, "the token may not read all of it: it needs "+w.l.rule
		case t == denies:
			s.State, s.Detail = StateLeaderless, noLeader
		case missing:
			s.State, s.Detail = StateHeld, "missing in consul and still served until confirmed"
		case len(w.guard.known) == 0:
			s.State = StateAbsent
			if w.c.anonymous() && meta.DefaultACLPolicy == "deny" {
				s.Detail = "no token is configured and consul denies by default: it may need " + w.l.rule
			}
		default:
			s.State = StateOK
		}
	})
	if recovered != nil {
		w.c.log.Log(min(w.level(recovered), hclog.Info), "consul watch recovered", "source", w.l.name, "index", meta.LastIndex)
	}
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// advice says what to do about an error.
func advice(err error, rule string) string {
	var status api.StatusError
	if !errors.As(err, &status) {
		return "consul cannot be reached; what was known is served"
	}
	switch status.Code {
	case 403:
		return "the token is unknown, expired or may not do this: it needs " + rule
	case 429:
		return "the agent refuses further connections or requests: raise limits.http_max_conns_per_client, or use the TLS port"
	}
	return "consul answered with an error; what was known is served"
}
