package vsphere

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// worker has one session and its inventory, and works for all sources of a hub. Its loop owns both, and the members; the
// session sends it events.
type worker struct {
	hub     *hub
	cancel  context.CancelFunc
	done    chan struct{} // closed when it has ended
	err     error         // why; read after done
	members int           // of the hub, under its lock

	joins   chan *member
	leaves  chan *member
	events  chan event
	missing chan []string // machines to ask for; holds at most one
}

// startWorker starts a worker, which ends by itself when its session fails.
func startWorker(h *hub) *worker {
	ctx, cancel := context.WithCancel(context.Background())
	w := &worker{
		hub: h, cancel: cancel, done: make(chan struct{}),
		joins: make(chan *member), leaves: make(chan *member), events: make(chan event), missing: make(chan []string, 1),
	}
	go w.run(ctx)
	return w
}

func (w *worker) run(ctx context.Context) {
	defer close(w.done)
	defer w.hub.ended(w)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer w.cancel()
	failed := make(chan error, 1)
	tasks.Go(func() { failed <- w.session(ctx) })
	l := newLoop(w)
	defer l.expiry.Stop()
	for {
		select {
		case m := <-w.joins:
			l.members[m] = true
			l.begin(m)
		case m := <-w.leaves:
			delete(l.members, m)
		case ev := <-w.events:
			l.take(ev)
		case <-l.expiry.C:
			l.next = time.Time{}
			l.expire()
		case w.err = <-failed:
			return
		}
		l.tell()
	}
}

// send hands an event to the loop.
func (w *worker) send(ctx context.Context, ev event) {
	select {
	case w.events <- ev:
	case <-ctx.Done():
	}
}

// loop is the state of a worker's loop.
type loop struct {
	*worker
	inventory *inventory
	whole     bool // the inventory is: an answer can be given
	labelled  bool
	members   map[*member]bool
	moved     bool            // places have changed since the last whole answer
	dirty     map[string]bool // machines that have
	absent    map[string]bool // machines that blocks have and the inventory has not
	asked     bool            // for machines that are missing; no answer yet
	unsure    int             // machines that are missing, of which vCenter does not say that they are gone
	spoke     time.Time       // when members last heard that vCenter is there
	expiry    *time.Timer
	next      time.Time // when expiry fires; zero: it does not
}

func newLoop(w *worker) *loop {
	l := &loop{
		worker: w, inventory: newInventory(), members: map[*member]bool{}, absent: map[string]bool{}, expiry: time.NewTimer(time.Hour),
	}
	l.expiry.Stop()
	return l
}

// begin gives a member what is known already.
func (l *loop) begin(m *member) {
	if l.whole && l.labelled {
		l.resolve(m)
		l.lookForMissing()
	}
}

// take brings an event in.
func (l *loop) take(ev event) {
	switch {
	case ev.wanted != nil:
		ev.wanted <- l.wanted()
	case ev.labels != nil:
		l.label(ev.labels)
	case ev.verdicts != nil:
		l.judgeMissing(ev.verdicts)
	case ev.alive:
		l.live(0)
	default:
		l.update(ev)
		l.live(seldom)
	}
}

// seldom is how often members hear that vCenter is there while it has changes for others.
const seldom = 5 * time.Second

// live tells members that vCenter is there, if they have not heard of it for a while.
func (l *loop) live(quiet time.Duration) {
	if time.Since(l.spoke) < quiet {
		return
	}
	l.spoke = time.Now()
	for m := range l.members {
		if m.told && m.resolved {
			m.box.put(letter{})
		}
	}
}

func (l *loop) update(ev event) {
	if l.dirty == nil {
		l.dirty = map[string]bool{}
	}
	for _, u := range ev.updates {
		id, moved := l.inventory.apply(u)
		if id != "" {
			l.dirty[id] = true
		}
		l.moved = l.moved || moved
	}
	if !ev.whole {
		return
	}
	first := !l.whole
	l.whole = true
	if !l.labelled {
		return
	}
	if first || l.moved {
		l.resolveAll()
	} else {
		l.judgeSome(l.dirty)
	}
	l.moved, l.dirty = false, nil
}

// label takes a reading of tags and attributes.
func (l *loop) label(read *labels) {
	dirty := map[string]bool{}
	known := len(l.inventory.tagNames)
	if read.fields != nil {
		for _, id := range l.inventory.revalue(read.fields, read.values) {
			dirty[id] = true
		}
	}
	if read.tags != nil {
		for _, id := range l.inventory.label(read.tags.of, read.tags.names) {
			dirty[id] = true
		}
	}
	first := !l.labelled
	l.labelled = true
	if !l.whole {
		return
	}
	if first || known != len(l.inventory.tagNames) {
		l.resolveAll()
	} else {
		l.judgeSome(dirty)
	}
	l.lookForMissing() // those that could not be read last time
}

// resolveAll looks the names of all blocks up again, and judges every machine.
func (l *loop) resolveAll() {
	for m := range l.members {
		l.resolve(m)
	}
	l.lookForMissing()
}

// resolve looks the names of a block up, and judges every machine for it.
func (l *loop) resolve(m *member) {
	var err error
	m.selection, err = l.inventory.resolve(&m.source.spec)
	m.resolved = err == nil
	if err != nil {
		m.box.put(letter{err: err})
		return
	}
	if !m.told {
		m.changed = true
	}
	for id := range l.inventory.machines {
		l.judge(m, id)
	}
	for id := range m.source.kept {
		if l.inventory.machines[id] == nil {
			l.absent[id] = true
		}
	}
}

func (l *loop) judgeSome(ids map[string]bool) {
	if len(ids) == 0 {
		return
	}
	for m := range l.members {
		if !m.resolved {
			continue
		}
		for id := range ids {
			l.judge(m, id)
		}
	}
	l.lookForMissing()
}

// wanted are the machines whose attributes matter.
func (l *loop) wanted() (out []string) {
	seen := map[string]bool{}
	for m := range l.members {
		for id := range m.source.kept {
			seen[id] = true
		}
		if !m.resolved || len(m.source.spec.Attributes) == 0 {
			continue
		}
		for id, machine := range l.inventory.machines {
			if m.selection.couldMean(l.inventory, machine) {
				seen[id] = true
			}
		}
	}
	for id := range seen {
		if l.inventory.machines[id] != nil {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// tell gives each member its answer, if it has changed.
func (l *loop) tell() {
	for m := range l.members {
		if !m.changed || !m.resolved {
			continue
		}
		m.changed, m.told = false, true
		out := make([]gateway.Endpoint, 0, len(m.source.kept))
		for _, k := range m.source.kept {
			out = append(out, k.endpoint)
		}
		m.box.put(letter{endpoints: out})
	}
}
