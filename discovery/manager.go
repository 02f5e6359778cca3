package discovery

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/sluice-gateway/sluice/gateway"
)

// The back-off of a failing source: at most 15 s, since the longest interval is jittered by half of itself.
const (
	firstRetry   = 250 * time.Millisecond
	longestRetry = 10 * time.Second
)

// Options are what a Manager needs. The zero value of each but Publish is usable.
type Options struct {
	Kinds []Kind // by their names, which are the kinds of source keys

	// Publish takes what changed since its last call: the whole answer of each key. An empty slice is an answer
	// without endpoints; nil says that nobody wants the key any more and its endpoints are forgotten. It is called
	// from one goroutine, one call at a time; changes that come during a call gather for the next. Slices are
	// sorted, never changed afterwards, and may be kept.
	Publish func(map[gateway.SourceKey][]gateway.Endpoint)

	// Guard replaces what it sets of the guards of kinds that have one. Its zero value leaves them as they are.
	Guard Guard

	// Burst is how many sources start at once; the further ones of one Want follow a Pace apart. Defaults: 64, 200 µs.
	Burst int
	Pace  time.Duration

	Log hclog.Logger // nil logs nothing
}

// Manager runs the sources that are wanted. All methods are safe for concurrent use.
type Manager struct {
	s *supervisor[gateway.SourceKey, gateway.SourceSpec, gateway.Endpoint]
}

// New returns a Manager that does nothing until Run.
func New(opts Options) *Manager {
	kinds := make(map[string]Kind)
	for _, k := range opts.Kinds {
		if k.Guard != nil {
			k.Guard = k.Guard.with(opts.Guard)
		}
		kinds[k.Name] = k
	}
	return &Manager{s: newSupervisor(family[gateway.SourceKey, gateway.SourceSpec, gateway.Endpoint]{
		open: func(key gateway.SourceKey, spec gateway.SourceSpec, _ *atomic.Bool) (runner[gateway.Endpoint], error) {
			kind, ok := kinds[key.Kind]
			if !ok {
				return nil, fmt.Errorf("no source of kind %q is configured", key.Kind)
			}
			return kind.Open(spec)
		},
		guard:      func(key gateway.SourceKey) *Guard { return kinds[key.Kind].Guard },
		compare:    CompareKey,
		arrange:    arrange,
		id:         func(e gateway.Endpoint) string { return e.ID },
		equal:      equalEndpoint,
		publish:    opts.Publish,
		burst:      cmp.Or(max(opts.Burst, 0), 64),
		pace:       cmp.Or(max(opts.Pace, 0), 200*time.Microsecond),
		firstRetry: firstRetry, longestRetry: longestRetry,
		things: "endpoints",
		log:    opts.Log,
	})}
}

// Want says which sources are to run from now on: those with new keys start, those whose keys are missing stop and
// their endpoints are forgotten, all others are not touched. It does not wait, and may be called before Run.
func (m *Manager) Want(sources map[gateway.SourceKey]gateway.SourceSpec) {
	m.s.want(maps.Clone(sources))
}

// Seed gives the last good answers of an earlier run. They are published when their keys are wanted and stay, marked
// stale, until the source has answered itself; the source's guard compares its first answer with them. It does not
// wait, and is called before Run or right after.
func (m *Manager) Seed(last map[gateway.SourceKey][]gateway.Endpoint) { m.s.seed(maps.Clone(last)) }

// Run runs the wanted sources until ctx ends and everything that it started has returned. Its error is that of being
// called twice.
func (m *Manager) Run(ctx context.Context) error { return m.s.run(ctx) }

// Snapshot returns the status of all sources, after everything that Want was told before. It waits for Run to be
// started; its error is that ctx ended or Run has returned.
func (m *Manager) Snapshot(ctx context.Context) (Status, error) {
	all, err := m.s.snapshot(ctx)
	if err != nil {
		return Status{}, err
	}
	out := Status{Answered: all.answered, Known: all.known}
	for _, s := range all.runs {
		out.Sources = append(out.Sources, SourceStatus{
			Key: s.key, State: s.state, Since: s.since, Contact: s.contact, Endpoints: s.shown, Held: s.held,
			Stale: s.stale, Answered: s.answered, Err: s.err, Restarts: s.restarts, Panics: s.panics,
		})
	}
	return out, nil
}

// WaitAnswered returns when Status.Answered is true. Its error is that ctx ended before, or Run returned.
func (m *Manager) WaitAnswered(ctx context.Context) error { return m.s.wait(ctx) }

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

// CompareKey orders keys by kind, then query.
func CompareKey(a, b gateway.SourceKey) int {
	return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Query, b.Query))
}
