package catalog

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/consul/api"

	"github.com/sluice-gateway/sluice/gateway"
)

// planner finds what differs between what is in KV and what is desired. It remembers what it made of entries and names,
// so that a change costs what it changes, and a look at each of the rest.
type planner struct {
	c       *Client
	entries map[gateway.ID]written
	keys    map[[2]string]string // by folder and name
	latest  map[string]versioned // by document

	functionKeys map[gateway.ID]string // of references, below the prefix
}

// written is a ledger entry as KV has it.
type written struct {
	entry LedgerEntry
	key   string
	value []byte
}

// versioned is the key of a document's current version.
type versioned struct {
	n   uint64
	key string
}

func newPlanner(c *Client) *planner {
	return &planner{
		c: c, entries: map[gateway.ID]written{}, keys: map[[2]string]string{}, latest: map[string]versioned{},
		functionKeys: map[gateway.ID]string{},
	}
}

// plan is one look.
type plan struct {
	*planner
	have    map[string]Pair
	met     int // keys of have that are wanted
	ops     []*api.KVTxnOp
	refused map[string]string
}

// plan is what to write, in order of keys within each kind: the ledger first, since replicas serve by it.
func (p *planner) plan(have map[string]Pair, d Desired) (ops []*api.KVTxnOp, refused map[string]string) {
	n := &plan{planner: p, have: have, refused: map[string]string{}}
	n.ledger(d.Accepted)
	n.values(statusDir, d.Status)
	n.values(statusDir+valuesDir, d.Values)
	if d.Complete {
		n.deletions(d)
	}
	for _, op := range p.historyOps(have, d.History) {
		n.add(op.Verb, op.Key, op.Value, 0)
	}
	return n.ops, n.refused
}

func (n *plan) add(verb api.KVOp, key string, value []byte, index uint64) {
	if len(value) > maxEntry {
		n.refused[key] = fmt.Sprintf("%d bytes, and a transaction of Consul takes no more than %d", len(value), maxEntry)
		return
	}
	n.ops = append(n.ops, &api.KVTxnOp{Verb: verb, Key: n.c.key(key), Value: value, Index: index})
}

// sorted brings the operations from a place on into the order of their keys.
func (n *plan) sorted(from int) {
	slices.SortFunc(n.ops[from:], func(a, b *api.KVTxnOp) int { return cmp.Compare(a.Key, b.Key) })
}

func (n *plan) ledger(accepted map[gateway.ID]LedgerEntry) {
	from := len(n.ops)
	for id, e := range accepted {
		e.ID = id
		w, err := n.write(e)
		if err != nil {
			n.refused[w.key] = err.Error()
			continue
		}
		old, ok := n.have[w.key]
		if ok {
			n.met++
		}
		if ok && (bytes.Equal(old.Value, w.value) || newer(old.Value, e.ModifyIndex)) {
			continue
		}
		n.add(api.KVCAS, w.key, w.value, old.ModifyIndex)
	}
	n.sorted(from)
	if len(n.entries) > len(accepted) {
		maps.DeleteFunc(n.entries, func(id gateway.ID, _ written) bool { _, ok := accepted[id]; return !ok })
	}
}

// write is an entry as it is to stand in KV.
func (p *planner) write(e LedgerEntry) (written, error) {
	if w, ok := p.entries[e.ID]; ok && sameEntry(w.entry, e) {
		return w, nil
	}
	w := written{entry: e, key: e.key()}
	value, err := json.Marshal(e)
	if err != nil {
		return w, err
	}
	w.value = value
	p.entries[e.ID] = w
	return w, nil
}

func sameEntry(a, b LedgerEntry) bool {
	return a.Hash == b.Hash && a.Document == b.Document && a.CreateIndex == b.CreateIndex && a.ModifyIndex == b.ModifyIndex &&
		a.Range == b.Range && a.Detached == b.Detached && a.Text == b.Text && bytes.Equal(a.Reads, b.Reads) && bytes.Equal(a.Value, b.Value)
}

func (n *plan) values(dir string, want map[string][]byte) {
	from := len(n.ops)
	for name, value := range want {
		key := n.key(dir, name)
		old, ok := n.have[key]
		if ok {
			n.met++
		}
		if !ok || !bytes.Equal(old.Value, value) {
			n.add(api.KVSet, key, value, 0)
		}
	}
	n.sorted(from)
}

func (p *planner) key(dir, name string) string {
	k, ok := p.keys[[2]string{dir, name}]
	if !ok {
		k = dir + name
		p.keys[[2]string{dir, name}] = k
	}
	return k
}

// lasting says that a key is not deleted for not being wanted: history is kept, and functions go one by one.
func lasting(key string) bool {
	return strings.HasPrefix(key, historyDir) || strings.HasPrefix(key, acceptedFunctionsDir)
}

// deletions takes away what nobody wants.
func (n *plan) deletions(d Desired) {
	there := 0
	for key := range n.have {
		if !lasting(key) {
			there++
		}
	}
	if there == n.met {
		return
	}
	want := map[string]bool{}
	for id, e := range d.Accepted {
		e.ID = id
		want[e.key()] = true
	}
	for name := range d.Status {
		want[statusDir+name] = true
	}
	for name := range d.Values {
		want[statusDir+valuesDir+name] = true
	}
	for _, key := range slices.Sorted(maps.Keys(n.have)) {
		if !want[key] && !lasting(key) {
			n.add(api.KVDeleteCAS, key, nil, n.have[key].ModifyIndex)
		}
	}
	clear(n.keys) // of what is gone, too
}

// historyOps adds versions that are missing and drops the oldest; keys are below the prefix. Versions of documents that
// are gone stay, so that they can be put back.
func (p *planner) historyOps(have map[string]Pair, current map[string]Version) (ops []*api.KVTxnOp) {
	missing := map[string][]uint64{}
	for name, v := range current {
		if v.N == 0 {
			continue
		}
		if p.latest[name].n != v.N {
			p.latest[name] = versioned{v.N, historyKey(name, v.N)}
		}
		if _, ok := have[p.latest[name].key]; !ok {
			missing[name] = nil
		}
	}
	if len(p.latest) > len(current) {
		maps.DeleteFunc(p.latest, func(name string, _ versioned) bool { _, ok := current[name]; return !ok })
	}
	if len(missing) == 0 {
		return nil
	}
	for key := range have {
		if name, n, ok := parseHistoryKey(key); ok {
			if list, asked := missing[name]; asked {
				missing[name] = append(list, n)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		ops = append(ops, &api.KVTxnOp{Verb: api.KVSet, Key: p.latest[name].key, Value: current[name].Text})
		old := missing[name]
		slices.Sort(old)
		for len(old) >= keepVersions {
			ops = append(ops, &api.KVTxnOp{Verb: api.KVDelete, Key: historyKey(name, old[0])})
			old = old[1:]
		}
	}
	return ops
}

// newer says that an entry in KV is from a later version of its document.
func newer(entry []byte, than uint64) bool {
	var e LedgerEntry
	return json.Unmarshal(entry, &e) == nil && e.ModifyIndex > than
}
