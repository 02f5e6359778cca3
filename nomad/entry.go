package nomad

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// entry is one service of a feed. The feed's mutex guards it.
type entry struct {
	name string
	subs map[*subscriber]struct{}
	left time.Time // when the last of them left

	known bool // it was read once
	stale bool // what is known may have changed, and is still served
	regs  map[string]*api.ServiceRegistration
	at    uint64 // regs hold all changes up to this index: those of a read
	last  uint64 // and those of events up to this one

	reading bool        // a read is queued or under way
	again   bool        // and another one is wanted after it
	recent  []recent    // events that came meanwhile
	fails   int         // reads in a row that failed
	after   time.Time   // it is not read before
	retry   time.Time   // when it is read again that could not be; zero: it need not be
	confirm []time.Time // when it is read again, since it lost many instances

	probes  map[string]*probe // by registration; of a service whose checks are wanted
	judged  bool              // the checks of what was there at first are known, as far as they can be
	judgeBy time.Time
}

// recent is a change that an answer which is under way may hold or not.
type recent struct {
	index uint64
	change
}

func newEntry(name string) *entry {
	return &entry{name: name, subs: map[*subscriber]struct{}{}, regs: map[string]*api.ServiceRegistration{}}
}

// sorted are the registrations by ID.
func (e *entry) sorted() []*api.ServiceRegistration {
	out := slices.Collect(maps.Values(e.regs))
	slices.SortFunc(out, func(a, b *api.ServiceRegistration) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// take brings an event in. What a read, or a later event, has said already does not count. It says whether the event is
// of use, and whether the service has to be read to know what it means.
func (e *entry) take(index uint64, c change) (changed, read bool) {
	if e.reading {
		e.recent = append(e.recent, recent{index, c})
	}
	if !e.known || index <= e.at || index < e.last {
		return false, false
	}
	if c.read {
		return false, true
	}
	e.last = index
	e.put(c)
	return true, false
}

func (e *entry) put(c change) {
	if c.gone {
		delete(e.regs, c.reg.ID)
		return
	}
	e.regs[c.reg.ID] = c.reg
}

// read brings an answer in, and the events that came while it was under way and are newer. False: the answer is older
// than what is known, and has to be asked for again.
func (e *entry) read(index uint64, rows []*api.ServiceRegistration) bool {
	if e.known && index < max(e.at, e.last) {
		e.recent = nil
		return false
	}
	e.regs = make(map[string]*api.ServiceRegistration, len(rows))
	for _, r := range rows {
		if r != nil && r.ServiceName == e.name && r.ID != "" {
			e.regs[r.ID] = r
		}
	}
	e.at, e.known, e.stale, e.fails = index, true, false, 0
	for _, c := range e.recent {
		switch {
		case c.index <= index:
		case c.read:
			e.again = true
		default:
			e.last = max(e.last, c.index)
			e.put(c.change)
		}
	}
	e.recent = nil
	return true
}

// forget makes events count again that are older than what is known: Nomad's index went back.
func (e *entry) forget() { e.at, e.last, e.stale = 0, 0, true }

// differs says that a list has other tags of this service than its instances have, or has it not at all.
func (e *entry) differs(tags map[string][]string) bool {
	listed, there := tags[e.name]
	if !there || len(e.regs) == 0 {
		return there != (len(e.regs) > 0)
	}
	var have []string
	for _, r := range e.regs {
		have = append(have, r.Tags...)
	}
	slices.Sort(have)
	return !slices.Equal(slices.Compact(have), slices.Compact(slices.Sorted(slices.Values(listed))))
}

// lost notes that a service has fewer instances than before. Where they are that few that the answer is doubted, it is
// read again while the doubt lasts.
func (e *entry) lost(before int, now time.Time, soon time.Duration) {
	switch after := len(e.regs); {
	case after >= before:
		if after > 0 {
			e.confirm = nil
		}
	case after == 0: // held for a minute
		e.confirm = []time.Time{now.Add(soon), now.Add(18 * soon), now.Add(36 * soon), now.Add(53 * soon)}
	case after*2 < before:
		e.confirm = []time.Time{now.Add(soon)}
	}
}
