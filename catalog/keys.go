package catalog

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/consul/api"
)

// watchDir watches all keys below a folder of the prefix.
func (c *Client) watchDir(ctx context.Context, dir string, update func(Change), alive func()) error {
	return c.watchPairs(ctx, dir, func(o *api.QueryOptions) (map[string]Pair, *api.QueryMeta, error) {
		return c.list(dir, o)
	}, nil, update, alive)
}

// watchKey watches one key of the prefix. Losing it is no loss of a list while the prefix holds something else.
func (c *Client) watchKey(ctx context.Context, key string, update func(Change), alive func()) error {
	return c.watchPairs(ctx, key, func(o *api.QueryOptions) (map[string]Pair, *api.QueryMeta, error) {
		return c.get("", key, o)
	}, func(ctx context.Context) bool { return c.others(ctx, "") }, update, alive)
}

func (c *Client) watchPairs(ctx context.Context, name string, read func(*api.QueryOptions) (map[string]Pair, *api.QueryMeta, error),
	spared func(context.Context) bool, update func(Change), alive func(),
) error {
	first := true
	return follow(ctx, c, listing[Pair]{
		name: "kv " + name, rule: c.rule("key_prefix", name, "read"), same: samePair,
		read: read, alive: alive, spared: spared, quick: true, // an empty folder is woken by every write to KV
		changed: func(now map[string]Pair, ch offered) {
			if first {
				ch.set = slices.Sorted(maps.Keys(now))
				first = false
			}
			update(delta(now, ch))
		},
	})
}

// The watches below behave as Documents does: update is called by one goroutine, first with everything and then with
// what differs; alive may be nil; they return when ctx ends, with its error.

// Values watches PREFIX/values/, what kv("KEY") reads. It minds an apply that is under way as Documents does.
func (c *Client) Values(ctx context.Context, update func(Change), alive func()) error {
	h := newWithhold(c, valuesDir, update)
	h.begin(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { _ = h.run(ctx) }) // ends with ctx alone
	defer wg.Wait()
	return c.watchDir(ctx, valuesDir, func(ch Change) { h.say(ctx, ch) }, alive)
}

// Quarantine watches PREFIX/quarantine/, keyed BLOCK@HASH: forms that an Envoy refused.
func (c *Client) Quarantine(ctx context.Context, update func(Change), alive func()) error {
	return c.watchSet(ctx, quarantineDir, update, alive)
}

// Accepted watches PREFIX/accepted/, the ledger, keyed KIND/NAME; DecodeEntry reads a value.
func (c *Client) Accepted(ctx context.Context, update func(Change), alive func()) error {
	return c.watchDir(ctx, acceptedDir, update, alive)
}

// Drain watches PREFIX/drain/, keyed ADDR: endpoints that an operator took out.
func (c *Client) Drain(ctx context.Context, update func(Change), alive func()) error {
	return c.watchSet(ctx, drainDir, update, alive)
}

// watchSet watches a folder of marks that come and go one by one, so that losing the last one is no accident while
// the prefix holds something else.
func (c *Client) watchSet(ctx context.Context, dir string, update func(Change), alive func()) error {
	return c.watchPairs(ctx, dir, func(o *api.QueryOptions) (map[string]Pair, *api.QueryMeta, error) {
		return c.list(dir, o)
	}, func(ctx context.Context) bool { return c.others(ctx, "") }, update, alive)
}

// Hold watches PREFIX/hold. keys are those below PREFIX/routes/ and PREFIX/values/ (with that folder in front) whose
// old text is to be served while an apply is under way; nil: no apply is.
func (c *Client) Hold(ctx context.Context, update func(keys []string), alive func()) error {
	return c.watchKey(ctx, holdKey, func(ch Change) {
		if len(ch.Set) == 0 {
			update(nil)
			return
		}
		update(holdKeys(ch.Set[0].Value))
	}, alive)
}

// holdKeys reads the keys of a hold: one a line.
func holdKeys(value []byte) []string {
	keys := []string{}
	for line := range strings.Lines(string(value)) {
		if k := strings.TrimSpace(line); k != "" && !strings.HasPrefix(k, "#") {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Freeze watches PREFIX/freeze: while it exists, no change of documents or values is accepted. reason is its value.
func (c *Client) Freeze(ctx context.Context, update func(frozen bool, reason string), alive func()) error {
	return c.watchKey(ctx, freezeKey, func(ch Change) {
		if len(ch.Set) == 0 {
			update(false, "")
			return
		}
		update(true, strings.TrimSpace(string(ch.Set[0].Value)))
	}, alive)
}
