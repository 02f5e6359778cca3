package vsphere

import (
	"slices"
	"time"
)

// judge decides what becomes of a machine in the answer of a block. Only what is known for certain takes one out: that
// it does not run, that the block does not mean it, that it does not exist.
func (l *loop) judge(m *member, id string) {
	machine, known := l.inventory.machines[id], m.source.kept[id]
	switch {
	case machine == nil:
		if known != nil {
			l.absent[id] = true // lookForMissing asks for it
		}
		return
	case machine.blind && known != nil:
		return // what cannot be read is as it was
	case !machine.on || !m.selection.means(l.inventory, machine):
		if known != nil {
			delete(m.source.kept, id)
			m.changed = true
		}
		return
	}
	at, ok := m.selection.address(machine)
	if ok {
		now := m.selection.endpoint(l.inventory, machine, at)
		if known == nil || !known.lost.IsZero() || !sameEndpoint(known.endpoint, now) {
			m.source.kept[id] = &kept{endpoint: now}
			m.changed = true
		}
		return
	}
	if known != nil {
		l.doubtAddress(m, machine, known)
	}
}

// doubtAddress keeps a running machine whose address is gone: its Tools may have restarted. Where vCenter has no
// connection to it, nothing is known of it, and it stays.
func (l *loop) doubtAddress(m *member, machine *machine, known *kept) {
	now := time.Now()
	if machine.apart {
		known.lost = time.Time{}
		return
	}
	if known.lost.IsZero() {
		known.lost = now
	}
	hold := l.hub.cfg.Hold
	if hold <= 0 {
		hold = time.Minute
	}
	until := known.lost.Add(hold)
	if !until.After(now) {
		delete(m.source.kept, machine.id)
		m.changed = true
		return
	}
	if l.next.IsZero() || until.Before(l.next) {
		l.next = until
		l.expiry.Reset(until.Sub(now))
	}
}

// expire judges the machines without address again.
func (l *loop) expire() {
	for m := range l.members {
		for id, k := range m.source.kept {
			if m.resolved && !k.lost.IsZero() {
				l.judge(m, id)
			}
		}
	}
}

// lookForMissing has vCenter asked for the machines that blocks have and the inventory has not. That a machine is not
// shown says that it is gone, or that the account may not see it any more.
func (l *loop) lookForMissing() {
	if l.asked {
		return
	}
	var ids []string
	for id := range l.absent {
		if l.inventory.machines[id] != nil || !l.keeps(id) {
			delete(l.absent, id)
			continue
		}
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return
	}
	slices.Sort(ids)
	l.asked = true
	l.missing <- ids // there is room: nothing else was asked
}

// keeps says whether a machine is in the answer of some block.
func (l *loop) keeps(id string) bool {
	for m := range l.members {
		if m.source.kept[id] != nil {
			return true
		}
	}
	return false
}

// judgeMissing takes out what does not exist. What was not asked for yet is asked for now.
func (l *loop) judgeMissing(gone map[string]bool) {
	l.asked = false
	kept, more := 0, false
	for id := range l.absent {
		is, asked := gone[id]
		switch {
		case l.inventory.machines[id] != nil:
		case is:
			l.drop(id)
		case asked:
			kept++
		default:
			more = true
		}
	}
	if kept > 0 && kept != l.unsure {
		l.hub.opts.Log.Warn("machines are not shown any more, and vCenter does not say that they are gone; they stay",
			"connection", l.hub.cfg.Name, "machines", kept)
	}
	l.unsure = kept
	if more {
		l.lookForMissing()
	}
}

// drop takes a machine out of all answers.
func (l *loop) drop(id string) {
	for m := range l.members {
		if m.source.kept[id] != nil {
			delete(m.source.kept, id)
			m.changed = true
		}
	}
}
