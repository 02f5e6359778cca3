package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"

	"github.com/sluice-gateway/sluice/gateway"
)

// writesPerSecond bounds the transactions of the writer; each carries what has gathered, up to 63 keys.
const writesPerSecond = 10

// Desired is what the replica with the lock keeps in KV. Its maps belong to the writer once they were handed over.
type Desired struct {
	Accepted map[gateway.ID]LedgerEntry // PREFIX/accepted/KIND/NAME
	Status   map[string][]byte          // PREFIX/status/NAME, by document key ("team-a/shop.hcl")
	Values   map[string][]byte          // PREFIX/status/values/KEY
	History  map[string]Version         // PREFIX/history/NAME/N: the current version of each document, by document key

	Functions map[gateway.ID]FunctionEntry // PREFIX/accepted-functions/UPSTREAM/NAME, by reference

	// Complete says that the world is known as a whole. Until then nothing is deleted.
	Complete bool
}

// Version is one version of a document.
type Version struct {
	N    uint64 // ModifyIndex of the document
	Text []byte
}

// WriterStatus is how the writer does.
type WriterStatus struct {
	Leader    bool              // this replica holds the lock
	Err       error             // of the last attempt; nil after one that worked
	Pending   int               // keys that differ from what is desired
	LastWrite time.Time         // zero: nothing was written yet
	Refused   map[string]string // keys below the prefix that cannot be written, and why
}

// Writer keeps what sluice says in KV equal to what it was told, while this replica holds the lock. Content that is the
// same is not written again, and a change that comes during a write goes with the next. It is safe for concurrent use.
type Writer struct {
	c      *Client
	holder string
	wake   chan struct{} // one is enough: something is new
	limit  *rate.Limiter
	plans  *planner // of the goroutine that holds the lock
	denied bool     // of the same: it was said that functions may not be written

	mu      sync.Mutex
	desired *Desired
	status  WriterStatus
}

// NewWriter makes a writer; holder names this replica in the lock's value. Run makes it work.
func (c *Client) NewWriter(holder string) *Writer {
	return &Writer{c: c, holder: holder, wake: make(chan struct{}, 1), limit: rate.NewLimiter(writesPerSecond, 2), plans: newPlanner(c)}
}

// Set says what is wanted from now on. It does not block; only the newest counts.
func (w *Writer) Set(d Desired) {
	w.mu.Lock()
	w.desired = &d
	w.mu.Unlock()
	w.poke()
}

func (w *Writer) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Status is how the writer does now.
func (w *Writer) Status() WriterStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.status
	s.Refused = maps.Clone(s.Refused)
	return s
}

func (w *Writer) note(f func(*WriterStatus)) {
	w.mu.Lock()
	f(&w.status)
	w.mu.Unlock()
}

// Run seeks the lock and writes while it has it, until ctx ends; it returns ctx's error.
func (w *Writer) Run(ctx context.Context) error {
	return w.c.underLock(ctx, w.holder, func(err error, again bool) {
		w.note(func(s *WriterStatus) { s.Err = err })
		level := hclog.Warn
		if again || unanswered(err) && !errors.Is(err, errLost) { // the heartbeat tells of an outage, once
			level = hclog.Debug
		}
		w.c.log.Log(level, "writing to consul failed, will try again", "error", err)
	}, func(ctx context.Context, session string) error {
		w.note(func(s *WriterStatus) { s.Leader = true })
		defer w.note(func(s *WriterStatus) { s.Leader = false })
		w.poke()
		return w.hold(ctx, session)
	})
}

// hold reconciles until the lock is lost. What is in KV is read once, and again after a conflict.
func (w *Writer) hold(ctx context.Context, session string) error {
	var have map[string]Pair
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.wake:
		}
		w.mu.Lock()
		d := w.desired
		w.mu.Unlock()
		if d == nil {
			continue
		}
		for try := 0; ; try++ {
			if have == nil {
				read, err := w.read(ctx)
				if err != nil {
					return err
				}
				have = read
			}
			err := w.reconcile(ctx, session, have, *d)
			var conflict *ConflictError
			if !errors.As(err, &conflict) {
				if err != nil {
					return err
				}
				break
			}
			if slices.Contains(conflict.Keys, lockKey) {
				return errLost
			}
			have = nil // somebody else wrote: look again, a few times
			if try == 3 {
				return err
			}
		}
	}
}

// read lists what the writer keeps. History is listed by name: its values do not matter.
func (w *Writer) read(ctx context.Context) (map[string]Pair, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	have := map[string]Pair{}
	opts := func() *api.QueryOptions { return (&api.QueryOptions{RequireConsistent: true}).WithContext(ctx) }
	for _, dir := range []string{acceptedDir, statusDir, acceptedFunctionsDir} {
		rows, meta, err := w.c.list(dir, opts())
		if err != nil {
			return nil, err
		}
		if trusted(meta, verdict{}, false, true) == denies {
			return nil, fmt.Errorf("list %s: the answer is filtered or has no leader", w.c.key(dir))
		}
		for k, p := range rows {
			have[dir+k] = p
		}
	}
	keys, _, err := w.c.api.KV().Keys(w.c.key(historyDir), "", opts())
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", w.c.key(historyDir), err)
	}
	for _, k := range keys {
		have[strings.TrimPrefix(k, w.c.Prefix)] = Pair{}
	}
	return have, nil
}

// reconcile writes what differs, and keeps have equal to what is in KV. What functions need comes last, and by itself: a
// policy of an earlier release does not allow it, and keeps the rest from nothing.
func (w *Writer) reconcile(ctx context.Context, session string, have map[string]Pair, d Desired) error {
	ops, refused := w.plans.plan(have, d)
	functions, more := w.plans.functions(have, d.Functions, d.Complete)
	maps.Copy(refused, more)
	w.note(func(s *WriterStatus) { s.Pending, s.Refused = len(ops)+len(functions), refused })
	if err := w.write(ctx, session, have, ops); err != nil {
		return err
	}
	err := w.write(ctx, session, have, functions)
	if err == nil || !denied(err) {
		w.denied = w.denied && err != nil
		return err
	}
	w.note(func(s *WriterStatus) {
		s.Pending = 0
		s.Refused[acceptedFunctionsDir] = err.Error()
	})
	if !w.denied {
		w.denied = true
		w.c.log.Warn("other replicas are not told which functions references lead to", "needs", w.c.rule("key_prefix", acceptedFunctionsDir, "write"), "error", err)
	}
	return nil
}

// write sends operations in transactions, at the pace of the writer.
func (w *Writer) write(ctx context.Context, session string, have map[string]Pair, ops []*api.KVTxnOp) error {
	check := &api.KVTxnOp{Verb: api.KVCheckSession, Key: w.c.key(lockKey), Session: session}
	for _, batch := range batches(ops, 1) {
		if w.limit.Wait(ctx) != nil {
			return nil // the lock is lost or the end has come: the next holder goes on
		}
		results, err := w.c.transact(ctx, append([]*api.KVTxnOp{check}, batch...))
		if err != nil {
			return err
		}
		w.remember(have, batch, results)
		w.note(func(s *WriterStatus) {
			s.Pending -= len(batch)
			s.LastWrite, s.Err = time.Now(), nil
		})
	}
	w.note(func(s *WriterStatus) { s.Err = nil })
	return nil
}

func (w *Writer) remember(have map[string]Pair, batch []*api.KVTxnOp, results api.TxnResults) {
	index := map[string]uint64{}
	for _, r := range results {
		if r.KV != nil {
			index[r.KV.Key] = r.KV.ModifyIndex
		}
	}
	for _, op := range batch {
		key := strings.TrimPrefix(op.Key, w.c.Prefix)
		if op.Verb == api.KVDelete || op.Verb == api.KVDeleteCAS {
			delete(have, key)
			continue
		}
		have[key] = Pair{Value: op.Value, ModifyIndex: index[op.Key]}
	}
}
