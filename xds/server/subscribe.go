package server

import (
	"maps"
	"slices"
	"strings"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/sluice-gateway/sluice/xds/store"
)

// typeState is what a stream knows of one resource type. Names are as the client uses them: of an assignment the
// alias that it asked for.
type typeState struct {
	url  string
	kind kind

	sub     cache.Subscription // valid while armed
	armed   bool               // responses may be sent
	request *cache.DeltaRequest

	cursor  uint64          // generation up to which the log was read
	compare bool            // compare everything at the next look
	greet   bool            // an answer is owed even if there is nothing to say: Envoy starts no further without one
	asked   []string        // since the last look
	aliases map[string]bool // of EDS: the names that the store was told of
	untold  map[string]bool // of RDS: the tables of whose hosts the client has not been told since it asked for them

	have     map[string]*store.Resource // what the client acknowledged, or brought along
	flying   map[string]*item           // the latest unanswered send of a name
	inFlight []*sent                    // oldest first
	pending  map[string]*pending        // what the client should get and was not sent yet
	removals map[string]*removal        // what it should lose
	refused  map[string]string          // name → version that it refused: not sent again

	peak     [2]int // sizes that pending and flying once had
	lastPart int
	counts   Counts
	metrics  typeMetrics
}

// pending is an upsert that is due.
type pending struct {
	generation uint64
	since      time.Time
	blocked    store.Key // the need that was not ready when last looked
	parked     bool      // waits for something that has no time limit
	lacks      string    // the extension for want of which it is not sent; empty: none
	overdue    bool      // has waited for too long, which was counted
	part       int       // of a refused batch; 0: none
}

// removal is a deletion that is due.
type removal struct {
	generation uint64
	noted      time.Time
	due        time.Time // zero until the upserts before it are answered
}

// item is one name in one response. Resource is nil for a removal.
type item struct {
	name       string
	key        store.Key // in the store
	resource   *store.Resource
	generation uint64
	published  time.Time
	in         *sent
}

// sent is one unanswered response. go-control-plane writes the nonce into the response when it sends it.
type sent struct {
	response *discoveryv3.DeltaDiscoveryResponse
	items    []*item
}

// subscribe applies a request's subscriptions. It returns what a resumed client turned out to have already.
func (st *stream) subscribe(req *cache.DeltaRequest, sub cache.Subscription) []Versioned {
	t, had := st.types[req.GetTypeUrl()], []Versioned(nil)
	first := t == nil
	if first {
		t, had = st.open(req)
	}
	t.sub, t.armed = sub, true
	for _, name := range req.GetResourceNamesSubscribe() {
		if t.aliases != nil && !t.aliases[name] {
			t.aliases[name] = true
			st.srv.store.Ask(name)
		}
		if t.untold != nil {
			t.untold[name] = true
		}
		if !first {
			st.forget(t, name) // a client that asks again may have dropped it
		}
		t.asked = append(t.asked, name)
	}
	for _, name := range req.GetResourceNamesUnsubscribe() {
		if t.aliases[name] {
			delete(t.aliases, name)
			st.srv.store.Unask(name)
		}
		delete(t.untold, name)
		st.forget(t, name)
		if sub.IsWildcard() {
			t.asked = append(t.asked, name) // it must be told again whether the name exists
		}
	}
	return had
}

// open makes the state of a type at its first request, from the versions that the client brought.
func (st *stream) open(req *cache.DeltaRequest) (*typeState, []Versioned) {
	typeURL := req.GetTypeUrl()
	t := &typeState{
		url: typeURL, kind: kinds[typeURL], request: &cache.DeltaRequest{TypeUrl: typeURL}, compare: true,
		metrics: st.srv.metrics.of(kinds[typeURL]),
		have:    make(map[string]*store.Resource, len(req.GetInitialResourceVersions())),
		flying:  map[string]*item{}, pending: map[string]*pending{}, removals: map[string]*removal{}, refused: map[string]string{},
	}
	if typeURL == resourcev3.EndpointType {
		t.aliases = map[string]bool{}
	}
	if typeURL == resourcev3.RouteType {
		t.untold = map[string]bool{}
	}
	t.greet = len(req.GetInitialResourceVersions()) == 0 &&
		(typeURL == resourcev3.ClusterType || typeURL == resourcev3.ListenerType)
	st.types[typeURL] = t
	st.order = append(st.order, t)
	slices.SortStableFunc(st.order, func(a, b *typeState) int {
		return slices.Index(kindOrder, a.url) - slices.Index(kindOrder, b.url)
	})
	v := st.srv.store.View(st.node.Gateway)
	defer v.Close()
	var had []Versioned
	for name, version := range req.GetInitialResourceVersions() {
		found := v.Find(store.Key{Type: typeURL, Name: name})
		if r := found.Resource; r != nil && r.Version == version {
			t.have[name] = r
			had = append(had, Versioned{r.Key, version})
			continue
		}
		k := store.Key{Type: typeURL, Name: name}
		t.have[name] = &store.Resource{Key: k, Version: version}
		if typeURL != resourcev3.EndpointType {
			had = append(had, Versioned{k, version}) // the store may come to hold this version yet
		}
	}
	slices.SortFunc(had, func(a, b Versioned) int { return store.CompareKey(a.Key, b.Key) })
	return t, had
}

// forget drops all that is known of a name. A RouteConfiguration takes its virtual hosts along: Envoy asks for those
// without names, and has dropped them with their table.
func (st *stream) forget(t *typeState, name string) {
	switch t.url {
	case resourcev3.VirtualHostType:
		if name == "*" {
			t.forgetWhere(func(string) bool { return true })
		}
		t.forgetWhere(func(n string) bool { return namespace(n) == name })
		t.compare = true
	case resourcev3.RouteType:
		if hosts := st.types[resourcev3.VirtualHostType]; hosts != nil {
			st.forget(hosts, name)
		}
	}
	if name == "*" {
		t.compare = true
	}
	t.forgetWhere(nil, name)
}

// forgetWhere drops the given names, and all that match.
func (t *typeState) forgetWhere(match func(string) bool, names ...string) {
	if match != nil {
		for n := range t.have {
			if match(n) {
				names = append(names, n)
			}
		}
		for n := range t.flying {
			if match(n) {
				names = append(names, n)
			}
		}
		for n := range t.pending {
			if match(n) {
				names = append(names, n)
			}
		}
	}
	for _, n := range names {
		delete(t.have, n)
		delete(t.flying, n)
		delete(t.pending, n)
		delete(t.removals, n)
		delete(t.refused, n)
	}
}

// covers says whether the client wants to hear of a name.
func (t *typeState) covers(name string) bool {
	if t.sub.IsWildcard() {
		return true
	}
	names := t.sub.SubscribedResources()
	if _, ok := names[name]; ok {
		return true
	}
	if t.url == resourcev3.VirtualHostType && strings.Contains(name, "/") {
		_, ok := names[namespace(name)]
		return ok
	}
	return false
}

// last is what the client has or will have once all that is in flight is accepted; nil: nothing.
func (t *typeState) last(name string) *store.Resource {
	if i := t.flying[name]; i != nil {
		return i.resource
	}
	return t.have[name]
}

// grown notes how large the maps are before they shrink.
func (t *typeState) grown() {
	t.peak[0], t.peak[1] = max(t.peak[0], len(t.pending)), max(t.peak[1], len(t.flying))
}

// trim gives the maps that are walked at each change the size of what is in them: walking an emptied map costs what
// it once held.
func (t *typeState) trim() {
	t.pending = trimmed(t.pending, &t.peak[0])
	t.flying = trimmed(t.flying, &t.peak[1])
}

func trimmed[V any](m map[string]V, peak *int) map[string]V {
	if *peak < 64 || *peak < 4*len(m) {
		return m
	}
	out := make(map[string]V, len(m))
	maps.Copy(out, m)
	*peak = len(m)
	return out
}
