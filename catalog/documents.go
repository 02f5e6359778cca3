package catalog

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/consul/api"
)

// The folders below the prefix.
const (
	routesDir     = "routes/"
	valuesDir     = "values/"
	statusDir     = "status/"
	acceptedDir   = "accepted/"
	historyDir    = "history/"
	quarantineDir = "quarantine/"
	drainDir      = "drain/"
	replicasDir   = "replicas/"
	holdKey       = "hold"
	freezeKey     = "freeze"
	lockKey       = "lock"
)

// DocumentPrefix begins the name of every document that comes from KV.
const DocumentPrefix = "consul:"

// DocumentName is the name of the document at PREFIX/routes/REL.
func DocumentName(rel string) string { return DocumentPrefix + rel }

// DocumentKey is the inverse of DocumentName; ok is false for a document that does not come from KV.
func DocumentKey(name string) (rel string, ok bool) { return strings.CutPrefix(name, DocumentPrefix) }

// Pair is one key of KV.
type Pair struct {
	Key         string // below the folder that was asked for: "team-a/shop.hcl"
	Value       []byte // not to be changed
	CreateIndex uint64
	ModifyIndex uint64
	Session     string // that holds it as a lock; usually empty

	applied bool // written under a hold
}

func samePair(a, b Pair) bool {
	return a.CreateIndex == b.CreateIndex && a.ModifyIndex == b.ModifyIndex && a.Session == b.Session && string(a.Value) == string(b.Value)
}

// Change is what differs from what was said before. A pair counts as changed when its value or one of its indexes is
// another; a key that was deleted and put back with the same value has new indexes.
type Change struct {
	Set      []Pair   // new or changed, sorted by key
	Deleted  []string // keys, sorted
	Held     []string // keys of an apply that is under way, sorted: nothing is said of them until it has ended
	Complete bool     // everything that Consul has has been said; false while the token may not read all of it
}

// DocChange is a Change of documents: keys are below PREFIX/routes/, and DocumentName makes names of them.
type DocChange = Change

// Documents watches PREFIX/routes/ until ctx ends and returns ctx's error. update is called by one goroutine at a time,
// first with everything and then with what differs; alive, which may be nil, whenever Consul answered and nothing had
// changed. Values are passed through: a key that ends in "/" (a folder made by hand) is left out, nothing else.
//
// While an apply is under way (PREFIX/hold), the keys that it names keep what was last said of them; all of them change
// in one call when it has ended. A replica that starts meanwhile finds them in Held and nowhere else.
//
// The first answer is one consistent read. From then on each first-level folder and each document beside them has a
// watch of its own, so that a change costs what its folder costs.
func (c *Client) Documents(ctx context.Context, update func(DocChange), alive func()) error {
	d := &documents{c: c, out: newWithhold(c, routesDir, update), alive: alive, units: map[string]context.CancelFunc{}}
	pairs, index, err := d.first(ctx)
	if err != nil {
		return err
	}
	return d.run(ctx, pairs, index)
}

// documents owns the watches below routes/.
type documents struct {
	c     *Client
	alive func()
	out   *withhold

	// partial says that the token may not read all of it: what is missing was not necessarily deleted.
	partial atomic.Bool

	// units are the watches by what they watch: a folder ("team-a/") or one document beside the folders ("shop.hcl").
	// run owns the map; wg counts the goroutines.
	units map[string]context.CancelFunc
	wg    sync.WaitGroup
}

// unitEvent is what run reacts to: a new list of names from the root, or that a unit has become empty or not.
type unitEvent struct {
	names map[string]bool // of the root; nil for an event of a unit
	unit  string
	empty bool
}

// first reads everything once, with the patience of a watch.
func (d *documents) first(ctx context.Context) (pairs map[string]Pair, index uint64, err error) {
	once, cancel := context.WithCancel(ctx)
	defer cancel()
	got := false
	err = follow(once, d.c, listing[Pair]{
		name: "kv " + routesDir, rule: d.c.rule("key_prefix", routesDir, "read"), same: samePair,
		read: func(o *api.QueryOptions) (map[string]Pair, *api.QueryMeta, error) {
			rows, meta, err := d.c.list(routesDir, o)
			if err == nil {
				index = meta.LastIndex
				d.partial.Store(meta.ResultsFilteredByACLs)
			}
			return rows, meta, err
		},
		changed: func(known map[string]Pair, _ offered) {
			if !got {
				pairs, got = maps.Clone(known), true
			}
			cancel()
		},
	})
	if !got {
		return nil, 0, err
	}
	set := slices.SortedFunc(maps.Values(pairs), func(a, b Pair) int { return strings.Compare(a.Key, b.Key) })
	d.out.begin(ctx)
	d.say(ctx, DocChange{Set: set})
	return pairs, index, nil
}

func (d *documents) say(ctx context.Context, ch DocChange) {
	ch.Complete = !d.partial.Load()
	d.out.say(ctx, ch)
}

// run starts a unit for everything below the root, keeps the list of units current, and waits for all of them.
func (d *documents) run(ctx context.Context, pairs map[string]Pair, index uint64) error {
	events := make(chan unitEvent)
	byUnit := map[string]map[string]Pair{}
	for k, p := range pairs {
		u := unitOf(k)
		if byUnit[u] == nil {
			byUnit[u] = map[string]Pair{}
		}
		byUnit[u][k] = p
	}
	for u, known := range byUnit {
		d.start(ctx, u, known, events)
	}
	d.wg.Go(func() { _ = d.out.run(ctx) })
	d.wg.Go(func() { _ = d.root(ctx, byUnit, index, events) }) // ends with ctx alone
	names, empty := map[string]bool{}, map[string]bool{}
	for u := range byUnit {
		names[u] = true
	}
	for {
		select {
		case <-ctx.Done():
			for _, cancel := range d.units {
				cancel()
			}
			d.wg.Wait()
			return ctx.Err()
		case e := <-events:
			if e.names != nil {
				names = e.names
			} else {
				empty[e.unit] = e.empty
			}
			d.adjust(ctx, names, empty, events)
		}
	}
}

// adjust starts what the root lists and ends what it no longer lists, once the unit's own watch has confirmed that.
func (d *documents) adjust(ctx context.Context, names, empty map[string]bool, events chan unitEvent) {
	for n := range names {
		if d.units[n] == nil {
			d.start(ctx, n, nil, events)
		}
	}
	for n, cancel := range d.units {
		if !names[n] && empty[n] {
			cancel()
			delete(d.units, n)
			delete(empty, n)
		}
	}
}

// unitOf is the watch that a key belongs to: its first-level folder, or itself.
func unitOf(key string) string {
	if i := strings.IndexByte(key, '/'); i >= 0 {
		return key[:i+1]
	}
	return key
}

// start begins the watch of a unit. known is what was already said of it.
func (d *documents) start(ctx context.Context, unit string, known map[string]Pair, events chan unitEvent) {
	ctx, cancel := context.WithCancel(ctx)
	d.units[unit] = cancel
	folder := strings.HasSuffix(unit, "/")
	l := listing[Pair]{
		name: "kv " + routesDir + unit, rule: d.c.rule("key_prefix", routesDir, "read"),
		same: samePair, known: known, alive: d.alive,
		read: func(o *api.QueryOptions) (map[string]Pair, *api.QueryMeta, error) {
			if folder {
				return d.c.listBelow(routesDir, unit, o)
			}
			return d.c.get(routesDir, unit, o)
		},
	}
	for _, p := range known {
		l.index = max(l.index, p.ModifyIndex)
	}
	if !folder { // the loss of one document is no loss of a whole list while others are there
		l.spared = func(ctx context.Context) bool { return d.c.others(ctx, routesDir) }
	}
	l.changed = func(now map[string]Pair, ch offered) {
		if ch.changed() {
			d.say(ctx, delta(now, ch))
		}
		select {
		case events <- unitEvent{unit: unit, empty: len(now) == 0}:
		case <-ctx.Done():
		}
	}
	d.wg.Go(func() { _ = follow(ctx, d.c, l) }) // ends with ctx alone
}

// delta turns what a guard let through into a change.
func delta(now map[string]Pair, ch offered) Change {
	out := Change{Deleted: ch.gone, Complete: true}
	for _, k := range ch.set {
		out.Set = append(out.Set, now[k])
	}
	return out
}

// root watches the names directly below routes/: folders end in "/".
func (d *documents) root(ctx context.Context, units map[string]map[string]Pair, index uint64, events chan unitEvent) error {
	known := map[string]struct{}{}
	for u := range units {
		known[u] = struct{}{}
	}
	return follow(ctx, d.c, listing[struct{}]{
		name: "kv " + routesDir + " (names)", rule: d.c.rule("key_prefix", routesDir, "read"),
		same: func(_, _ struct{}) bool { return true }, index: index, known: known, alive: d.alive, quick: true,
		read: func(o *api.QueryOptions) (map[string]struct{}, *api.QueryMeta, error) {
			rows, meta, err := d.c.names(routesDir, o)
			if err == nil && d.partial.Swap(meta.ResultsFilteredByACLs) && !meta.ResultsFilteredByACLs {
				d.whole(ctx)
			}
			return rows, meta, err
		},
		changed: func(now map[string]struct{}, _ offered) {
			names := make(map[string]bool, len(now))
			for n := range now {
				names[n] = true
			}
			select {
			case events <- unitEvent{names: names}:
			case <-ctx.Done():
			}
		},
	})
}

// whole says that all can be read now, with everything that could not be before.
func (d *documents) whole(ctx context.Context) {
	call, cancel := within(ctx)
	defer cancel()
	rows, meta, err := d.c.list(routesDir, query(call))
	if err != nil || meta.ResultsFilteredByACLs {
		d.partial.Store(true) // the next answer of the root tries again
		return
	}
	d.say(ctx, DocChange{Set: slices.Collect(maps.Values(rows))})
}

// list reads all pairs below a folder of the prefix.
func (c *Client) list(dir string, o *api.QueryOptions) (map[string]Pair, *api.QueryMeta, error) {
	return c.listBelow(dir, "", o)
}

// listBelow reads all pairs below DIR/SUB, keyed below DIR.
func (c *Client) listBelow(dir, sub string, o *api.QueryOptions) (map[string]Pair, *api.QueryMeta, error) {
	kvs, meta, err := c.api.KV().List(c.key(dir+sub), o)
	if err != nil {
		return nil, nil, fmt.Errorf("list %s: %w", c.key(dir+sub), bare(err))
	}
	rows := make(map[string]Pair, len(kvs))
	for _, kv := range kvs {
		if p := c.pair(dir, kv); !strings.HasSuffix(p.Key, "/") && p.Key != "" {
			rows[p.Key] = p
		}
	}
	return rows, meta, nil
}

func (c *Client) pair(dir string, kv *api.KVPair) Pair {
	return Pair{Key: strings.TrimPrefix(kv.Key, c.key(dir)), Value: kv.Value, CreateIndex: kv.CreateIndex, ModifyIndex: kv.ModifyIndex, Session: kv.Session, applied: kv.Flags == applyFlag}
}

// get reads one key as a list of one or none.
func (c *Client) get(dir, name string, o *api.QueryOptions) (map[string]Pair, *api.QueryMeta, error) {
	kv, meta, err := c.api.KV().Get(c.key(dir+name), o)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", c.key(dir+name), bare(err))
	}
	if kv == nil {
		return map[string]Pair{}, meta, nil
	}
	return map[string]Pair{name: c.pair(dir, kv)}, meta, nil
}

// names lists what lies directly below a folder.
func (c *Client) names(dir string, o *api.QueryOptions) (map[string]struct{}, *api.QueryMeta, error) {
	keys, meta, err := c.api.KV().Keys(c.key(dir), "/", o)
	if err != nil {
		return nil, nil, fmt.Errorf("list names below %s: %w", c.key(dir), bare(err))
	}
	rows := make(map[string]struct{}, len(keys))
	for _, k := range keys {
		if rel := strings.TrimPrefix(k, c.key(dir)); rel != "" {
			rows[rel] = struct{}{}
		}
	}
	return rows, meta, nil
}

// others says that a folder provably still holds something.
func (c *Client) others(ctx context.Context, dir string) bool {
	ctx, cancel := within(ctx)
	defer cancel()
	rows, meta, err := c.names(dir, (&api.QueryOptions{RequireConsistent: true}).WithContext(ctx))
	return err == nil && len(rows) > 0 && trusted(meta, verdict{}, c.anonymous(), true) != denies
}

// rule is the ACL rule that something needs, as an operator writes it.
func (c *Client) rule(kind, rel, policy string) string {
	return fmt.Sprintf("%s %q { policy = %q }", kind, path.Clean(c.key(rel))+slash(rel), policy)
}

func slash(rel string) string {
	if strings.HasSuffix(rel, "/") || rel == "" {
		return "/"
	}
	return ""
}
