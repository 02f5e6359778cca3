package discovery

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// entry is what the Manager knows of one running source. Only the loop touches it, but for key and cancel.
type entry struct {
	key    gateway.SourceKey
	cancel context.CancelFunc
	guard  *Guard

	good  []gateway.Endpoint // the last answer that was believed; nil: none yet
	held  []gateway.Endpoint // a later one that is doubted; only where doubted is not zero
	shown []gateway.Endpoint // what was published; nil: nothing

	doubted  time.Time // since when held is doubted
	state    State
	since    time.Time // of the state
	contact  time.Time // of the last answer; zero: none
	err      error     // of the last failure; nil while it works
	stale    bool      // shown comes from a seed
	answered bool
	settled  bool // answered, or will never answer as it is configured
	restarts int
	panics   int
}

// event is one word of a source's goroutine to the loop.
type event struct {
	from      *entry
	endpoints []gateway.Endpoint // with kind eventUpdate
	err       error              // with kind eventFailed and eventRefused
	kind      eventKind
}

type eventKind uint8

const (
	eventUpdate eventKind = iota + 1
	eventAlive
	eventFailed  // Run returned
	eventRefused // the source cannot be made
)

// take brings one event into the state. What a source says after it was dropped does not count.
func (l *loop) take(ev event) {
	e := ev.from
	if l.entries[e.key] != e {
		return
	}
	now := time.Now()
	switch ev.kind {
	case eventUpdate:
		l.works(e, now)
		l.settle(e)
		e.answered, e.stale = true, false
		l.judge(e, ev.endpoints, now)
	case eventAlive:
		l.works(e, now)
		if !e.doubted.IsZero() {
			l.judge(e, e.held, now)
		}
	case eventFailed, eventRefused:
		e.restarts++
		if p := (*panicError)(nil); errors.As(ev.err, &p) {
			e.panics++
		}
		if ev.kind == eventRefused {
			l.settle(e)
		}
		if e.state != Failing {
			e.state, e.since = Failing, now
			l.log.Warn("a source fails; its last answer stays in force", "source", e.key, "error", ev.err)
		}
		e.err = ev.err
	}
}

func (l *loop) works(e *entry, now time.Time) {
	e.contact = now
	if e.state == OK {
		return
	}
	if e.state == Failing {
		l.log.Info("a source works again", "source", e.key)
	}
	e.state, e.since, e.err = OK, now, nil
}

func (l *loop) settle(e *entry) {
	if !e.settled {
		e.settled = true
		l.open--
	}
}

// show publishes what differs from what was published before.
func (l *loop) show(e *entry, endpoints []gateway.Endpoint) {
	if e.shown != nil && slices.EqualFunc(e.shown, endpoints, equalEndpoint) {
		return
	}
	e.shown = endpoints
	l.pending[e.key] = endpoints
}

// arrange sorts a copy of endpoints by ID, address and port; of several with one ID the first stays. It is never nil.
func arrange(endpoints []gateway.Endpoint) []gateway.Endpoint {
	out := make([]gateway.Endpoint, 0, len(endpoints))
	for _, e := range endpoints {
		if e.ID == "" {
			e.ID = net.JoinHostPort(e.Address, strconv.Itoa(int(e.Port)))
		}
		out = append(out, e)
	}
	slices.SortStableFunc(out, func(a, b gateway.Endpoint) int {
		return cmp.Or(strings.Compare(a.ID, b.ID), strings.Compare(a.Address, b.Address), cmp.Compare(a.Port, b.Port))
	})
	return slices.CompactFunc(out, func(a, b gateway.Endpoint) bool { return a.ID == b.ID })
}

func equalEndpoint(a, b gateway.Endpoint) bool {
	return a.ID == b.ID && a.Address == b.Address && a.Port == b.Port && a.Health == b.Health && a.Weight == b.Weight &&
		a.Locality == b.Locality && slices.Equal(a.Tags, b.Tags) && maps.Equal(a.Meta, b.Meta)
}

func compareKey(a, b gateway.SourceKey) int {
	return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Query, b.Query))
}
