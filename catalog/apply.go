package catalog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/consul/api"
)

// KVChange is one key that an operator changes.
type KVChange struct {
	Key    string // below the prefix: "routes/team-a/shop.hcl", "values/canary/divide"
	Value  []byte // the new value; ignored by Delete
	Delete bool
	Index  uint64 // ModifyIndex of the value that the change was made for; 0: the key must not exist
}

// ApplyOptions say how Apply deals with what it finds.
type ApplyOptions struct {
	// Resume goes on with an apply of the same keys that was interrupted.
	Resume bool
	// Progress, where set, is told after each transaction.
	Progress func(written, total int)
}

// ErrHeld says that an apply is under way, or was interrupted: resume or abort it.
var ErrHeld = errors.New("another apply is under way or was interrupted")

// applyFlag marks values that were written under a hold, so that a reader looks for the hold before it believes them.
const applyFlag = 0x736c7569636501

// Apply writes changes by compare-and-set: all or nothing where one transaction takes them. A larger set first writes
// PREFIX/hold with its keys; replicas serve the old text of these until the last transaction deletes it. When that is
// interrupted the hold stays: call Apply again with Resume, or Abort. A *ConflictError names keys that somebody else
// has changed; ErrHeld says that a hold is there.
func (c *Client) Apply(ctx context.Context, changes []KVChange, opts ApplyOptions) error {
	changes = slices.SortedFunc(slices.Values(changes), func(a, b KVChange) int { return strings.Compare(a.Key, b.Key) })
	for i, ch := range changes {
		if err := checkChange(ch); err != nil {
			return err
		}
		if i > 0 && changes[i-1].Key == ch.Key {
			return fmt.Errorf("apply %s: the key is there twice", ch.Key)
		}
	}
	hold, err := c.holdPair(ctx)
	if err != nil {
		return err
	}
	if hold.ModifyIndex > 0 {
		if !opts.Resume {
			return ErrHeld
		}
		return c.applyHeld(ctx, hold, changes, opts)
	}
	ops := c.applyOps(changes, 0)
	if len(ops) == 0 {
		return nil
	}
	if parts := batches(ops, 1); len(parts) == 1 { // that there is no hold is part of the transaction
		none := &api.KVTxnOp{Verb: api.KVCheckNotExists, Key: c.key(holdKey)}
		_, err := c.transact(ctx, append([]*api.KVTxnOp{none}, ops...))
		if err == nil && opts.Progress != nil {
			opts.Progress(len(ops), len(ops))
		}
		return c.held(err)
	}
	if err := c.checkCurrent(ctx, changes); err != nil {
		return err
	}
	keys := make([]string, len(changes))
	for i, ch := range changes {
		keys[i] = ch.Key
	}
	value := []byte(strings.Join(keys, "\n") + "\n")
	if len(value) > maxValue/4*3 {
		return fmt.Errorf("apply %d keys: their names alone are too long for %s; apply them in parts", len(changes), c.key(holdKey))
	}
	results, err := c.transact(ctx, []*api.KVTxnOp{{Verb: api.KVCAS, Key: c.key(holdKey), Value: value}})
	if err != nil {
		return c.held(err)
	}
	hold = Pair{Key: holdKey, Value: value, ModifyIndex: results[0].KV.ModifyIndex}
	return c.applyHeld(ctx, hold, changes, opts)
}

func checkChange(ch KVChange) error {
	if !strings.HasPrefix(ch.Key, routesDir) && !strings.HasPrefix(ch.Key, valuesDir) || strings.HasSuffix(ch.Key, "/") {
		return fmt.Errorf("apply %s: only keys below %s and %s are applied", ch.Key, routesDir, valuesDir)
	}
	if strings.ContainsAny(ch.Key, "\n\r") {
		return fmt.Errorf("apply %q: a key has no line breaks", ch.Key)
	}
	op := &api.KVTxnOp{Key: ch.Key, Value: ch.Value}
	if !ch.Delete && (len(ch.Value) > maxValue || opBytes(op) > txnSize-2*opSize) {
		return fmt.Errorf("apply %s: %d bytes are more than one transaction of Consul takes; split it", ch.Key, len(ch.Value))
	}
	return nil
}

// held turns a conflict on the hold itself into ErrHeld.
func (c *Client) held(err error) error {
	var conflict *ConflictError
	if errors.As(err, &conflict) && slices.Contains(conflict.Keys, holdKey) {
		return ErrHeld
	}
	return err
}

func (c *Client) holdPair(ctx context.Context) (Pair, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	rows, _, err := c.get("", holdKey, (&api.QueryOptions{RequireConsistent: true}).WithContext(ctx))
	return rows[holdKey], err
}

func (c *Client) applyOps(changes []KVChange, flags uint64) []*api.KVTxnOp {
	ops := make([]*api.KVTxnOp, 0, len(changes))
	for _, ch := range changes {
		op := &api.KVTxnOp{Verb: api.KVCAS, Key: c.key(ch.Key), Value: ch.Value, Index: ch.Index, Flags: flags}
		if ch.Delete {
			op = &api.KVTxnOp{Verb: api.KVDeleteCAS, Key: op.Key, Index: ch.Index}
		}
		ops = append(ops, op)
	}
	return ops
}

// checkCurrent finds conflicts before anything is written.
func (c *Client) checkCurrent(ctx context.Context, changes []KVChange) error {
	now, err := c.current(ctx)
	if err != nil {
		return err
	}
	var conflict []string
	for _, ch := range changes {
		if now[ch.Key].ModifyIndex != ch.Index {
			conflict = append(conflict, ch.Key)
		}
	}
	if len(conflict) > 0 {
		return &ConflictError{Keys: conflict}
	}
	return nil
}

func (c *Client) current(ctx context.Context) (map[string]Pair, error) {
	pairs, err := c.Pull(ctx)
	if err != nil {
		return nil, err
	}
	now := make(map[string]Pair, len(pairs))
	for _, p := range pairs {
		now[p.Key] = p
	}
	return now, nil
}

// applyHeld writes what is not written yet, under the hold, and deletes the hold with the last transaction.
func (c *Client) applyHeld(ctx context.Context, hold Pair, changes []KVChange, opts ApplyOptions) error {
	named := holdKeys(hold.Value)
	for _, ch := range changes {
		if _, ok := slices.BinarySearch(named, ch.Key); !ok {
			return fmt.Errorf("apply %s: %w, and that key is not one of its own", ch.Key, ErrHeld)
		}
	}
	now, err := c.current(ctx)
	if err != nil {
		return err
	}
	todo := slices.DeleteFunc(slices.Clone(changes), func(ch KVChange) bool {
		p, ok := now[ch.Key]
		return ch.Delete && !ok || !ch.Delete && ok && bytes.Equal(p.Value, ch.Value)
	})
	parts := batches(c.applyOps(todo, applyFlag), 1)
	if len(parts) == 0 {
		parts = append(parts, nil)
	}
	written := len(changes) - len(todo)
	for i, part := range parts {
		guard := &api.KVTxnOp{Verb: api.KVCheckIndex, Key: c.key(holdKey), Index: hold.ModifyIndex}
		if i == len(parts)-1 {
			guard.Verb = api.KVDeleteCAS
		}
		if _, err := c.transact(ctx, append([]*api.KVTxnOp{guard}, part...)); err != nil {
			return c.held(err)
		}
		written += len(part)
		if opts.Progress != nil {
			opts.Progress(written, len(changes))
		}
	}
	return nil
}

// Abort ends an interrupted apply: the keys of its hold get the text back that old says, those that old does not have
// are deleted, and the hold goes with the last transaction. Replicas that served the old text all along see no change.
func (c *Client) Abort(ctx context.Context, old map[string][]byte) error {
	hold, err := c.holdPair(ctx)
	if err != nil {
		return err
	}
	if hold.ModifyIndex == 0 {
		return errors.New("abort apply: none is under way")
	}
	now, err := c.current(ctx)
	if err != nil {
		return err
	}
	var back []KVChange
	for _, k := range holdKeys(hold.Value) {
		v, ok := old[k]
		back = append(back, KVChange{Key: k, Value: v, Delete: !ok, Index: now[k].ModifyIndex})
	}
	return c.applyHeld(ctx, hold, back, ApplyOptions{Resume: true})
}
