package discovery

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/sluice-gateway/sluice/gateway"
)

// The back-off of a failing finder. It asks a service that has other work to do, and what it found stays in force, so
// it is given more time than a source: at most 4.5 minutes.
const (
	firstSearch   = time.Second
	longestSearch = 3 * time.Minute
)

// functionGuard doubts a list that lost many functions for a minute: a document is served half while a service starts,
// and two versions of it answer while it is deployed.
var functionGuard = Guard{Second: time.Minute, Hold: time.Minute}

// FinderOptions are what Finders need. The zero value of each but Near and Publish is usable.
type FinderOptions struct {
	Kinds []FinderKind // by their names, which are the kinds of finder keys

	// Near gives the surroundings of one finder. It is called once for each finder that starts, and must not block.
	// What is nil in them says that there are no endpoints, and that no secret is known.
	Near func(gateway.FinderKey) Surroundings

	// Publish takes what changed since its last call, as Options.Publish does: the whole list of each key. An empty
	// slice says that the remote has no functions; nil that nobody wants the key any more. Functions that have not
	// changed are the same pointers as before.
	Publish func(map[gateway.FinderKey][]*gateway.Function)

	// Burst is how many finders start at once; the further ones of one Want follow a Pace apart. Defaults: 16, 20 ms.
	Burst int
	Pace  time.Duration

	Log hclog.Logger // nil logs nothing
}

// Finders run the finders that are wanted, as a Manager runs sources: last good answers stay, a failing finder is run
// again after a back-off of up to some minutes, and an answer that lost all or more than half of the functions is held
// for a minute and has to be confirmed. All methods are safe for concurrent use.
type Finders struct {
	s *supervisor[gateway.FinderKey, gateway.Finder, *gateway.Function]
}

// FindersStatus is all finders at one moment. Answered and Known mean what they mean in Status.
type FindersStatus struct {
	Finders         []FinderStatus // by key
	Answered, Known bool
}

// FinderStatus is one finder at one moment.
type FinderStatus struct {
	Key       gateway.FinderKey
	State     State
	Since     time.Time // when it came into this state
	Contact   time.Time // when the remote last answered; zero: never. Now minus this is its age
	Functions int       // in force
	Held      int       // of these: missing from the last answer, which is not believed yet
	Stale     bool      // in force is the seed of an earlier run; it has not answered since
	Waiting   bool      // the upstream has no endpoints that could be asked
	Answered  bool
	Err       error // of the last failure; nil while it works
	Restarts  int   // failures so far
	Panics    int   // of these: panics
}

// NewFinders returns Finders that do nothing until Run.
func NewFinders(opts FinderOptions) *Finders {
	kinds := make(map[string]FinderKind)
	for _, k := range opts.Kinds {
		kinds[k.Name] = k
	}
	return &Finders{s: newSupervisor(family[gateway.FinderKey, gateway.Finder, *gateway.Function]{
		open: func(key gateway.FinderKey, wanted gateway.Finder, waiting *atomic.Bool) (runner[*gateway.Function], error) {
			kind, ok := kinds[key.Kind]
			if !ok {
				return nil, fmt.Errorf("no finder of kind %q is configured", key.Kind)
			}
			near := watch(opts.Near(key), waiting)
			finder, err := kind.Open(wanted, near)
			return &searching{finder, near}, err
		},
		guard:      func(gateway.FinderKey) *Guard { return &functionGuard },
		compare:    gateway.CompareFinderKey,
		arrange:    arrangeFunctions,
		id:         func(fn *gateway.Function) string { return fn.Name },
		equal:      equalFunction,
		renewed:    func(before, now gateway.Finder) bool { return interval(before) != interval(now) },
		intern:     internFunctions,
		publish:    opts.Publish,
		burst:      cmp.Or(max(opts.Burst, 0), 16),
		pace:       cmp.Or(max(opts.Pace, 0), 20*time.Millisecond),
		firstRetry: firstSearch, longestRetry: longestSearch,
		things: "functions",
		log:    opts.Log,
	})}
}

// Want says which finders are to run from now on: those with new keys start, those whose keys are missing stop and
// their functions are forgotten, those with another interval go on with it, all others are not touched. It does not wait, and may be called before Run.
func (f *Finders) Want(finders map[gateway.FinderKey]gateway.Finder) { f.s.want(maps.Clone(finders)) }

// Seed gives the last good answers of an earlier run; see Manager.Seed.
func (f *Finders) Seed(last map[gateway.FinderKey][]*gateway.Function) { f.s.seed(maps.Clone(last)) }

// Run runs the wanted finders until ctx ends and everything that it started has returned. Its error is that of being
// called twice.
func (f *Finders) Run(ctx context.Context) error { return f.s.run(ctx) }

// WaitAnswered returns when FindersStatus.Answered is true. Its error is that ctx ended before, or Run returned. A
// finder whose upstream has no endpoints, or whose remote fails, holds it up: ctx bounds the wait.
func (f *Finders) WaitAnswered(ctx context.Context) error { return f.s.wait(ctx) }

// Snapshot returns the status of all finders, after everything that Want was told before. It waits for Run to be
// started; its error is that ctx ended or Run has returned.
func (f *Finders) Snapshot(ctx context.Context) (FindersStatus, error) {
	all, err := f.s.snapshot(ctx)
	if err != nil {
		return FindersStatus{}, err
	}
	out := FindersStatus{Answered: all.answered, Known: all.known}
	for _, s := range all.runs {
		out.Finders = append(out.Finders, FinderStatus{
			Key: s.key, State: s.state, Since: s.since, Contact: s.contact, Functions: s.shown, Held: s.held,
			Stale: s.stale, Waiting: s.waiting, Answered: s.answered, Err: s.err,
			Restarts: s.restarts, Panics: s.panics,
		})
	}
	return out, nil
}

// searching is a finder among the endpoints of its upstream.
type searching struct {
	Finder
	near Surroundings
}

// replaced implements replaceable: a service that has been deployed anew is asked at once.
func (s *searching) replaced() func() bool {
	failed := make(map[string]bool)
	for _, e := range s.near.Endpoints() {
		failed[e.ID] = true
	}
	return func() bool {
		now := s.near.Endpoints()
		if len(now) == 0 {
			clear(failed) // whatever comes back is another process
		}
		return len(now) > 0 && !slices.ContainsFunc(now, func(e gateway.Endpoint) bool { return failed[e.ID] })
	}
}

// watch makes surroundings complete, and notes whether the finder found endpoints when it last looked.
func watch(near Surroundings, waiting *atomic.Bool) Surroundings {
	look := near.Endpoints
	near.Endpoints = func() (found []gateway.Endpoint) {
		if look != nil {
			found = look()
		}
		waiting.Store(len(found) == 0)
		return found
	}
	if near.Material == nil {
		near.Material = func(gateway.ID) (gateway.Material, bool) { return gateway.Material{}, false }
	}
	return near
}

// arrangeFunctions sorts a copy of functions by name; of several with one name the first stays, what has no name is
// left out. It is never nil.
func arrangeFunctions(functions []*gateway.Function) []*gateway.Function {
	out := make([]*gateway.Function, 0, len(functions))
	for _, f := range functions {
		if f != nil && f.Name != "" {
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(a, b *gateway.Function) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(out, func(a, b *gateway.Function) bool { return a.Name == b.Name })
}

func equalFunction(a, b *gateway.Function) bool { return a == b || reflect.DeepEqual(a, b) }

// internFunctions puts the pointers of before where now has equal functions. Both are arranged; now is the caller's.
func internFunctions(before, now []*gateway.Function) []*gateway.Function {
	i := 0
	for j, f := range now {
		for i < len(before) && before[i].Name < f.Name {
			i++
		}
		if i < len(before) && equalFunction(before[i], f) {
			now[j] = before[i]
		}
	}
	return now
}

// interval is the one attribute that is no part of a finder's key: what is found is the same.
func interval(f gateway.Finder) time.Duration {
	switch {
	case f.OpenAPI != nil:
		return f.OpenAPI.Interval
	case f.GRPC != nil:
		return f.GRPC.Interval
	case f.Lambda != nil:
		return f.Lambda.Interval
	}
	return 0
}
