package translate

import (
	"fmt"

	xdscorev3 "github.com/cncf/xds/go/xds/core/v3"
	xdsmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	typematcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
)

// A table is a plain list while scanning all of it costs a request little: a route that does not match costs Envoy
// about 40 ns, one with a regular expression three times that, and a request some 100 µs in all. A trie has no such
// cost, but Envoy takes three times as long to build one, which it does for all hosts of a listener whenever one changes.
const (
	scanLimit = 256 // of the units below: about 10 µs
	scanPlain = 1
	scanRegex = 3
)

// scanCost is what scanning a table costs a request that nothing in it matches.
func scanCost(entries []entry) (cost int) {
	for _, e := range entries {
		if e.route.GetMatch().GetSafeRegex() != nil {
			cost += scanRegex
		} else {
			cost += scanPlain
		}
	}
	return cost
}

// fillTable writes the routes into the host, in their order: as a list, or, where that would be slow to scan, as a
// prefix trie that decides the same.
func fillTable(h *routev3.VirtualHost, entries []entry, limit int) error {
	if scanCost(entries) > limit {
		m, err := trie(entries)
		h.Matcher = m
		return err
	}
	h.Routes = make([]*routev3.Route, len(entries))
	for i, e := range entries {
		h.Routes[i] = e.route
	}
	return nil
}

// trie compiles a table to a prefix map over the path. The map's input holds the query string too, which does no harm:
// keys are beginnings of paths, and each route's own condition, query strings aside, is still asked.
func trie(entries []entry) (*xdsmatcherv3.Matcher, error) {
	literals := make([]literal, len(entries))
	for i, e := range entries {
		literals[i] = e.literal
	}
	input, err := extension("path", &typematcherv3.HttpRequestHeaderMatchInput{HeaderName: ":path"})
	if err != nil {
		return nil, err
	}
	out := &xdsmatcherv3.Matcher{}
	byPrefix := map[string]*xdsmatcherv3.Matcher_OnMatch{}
	for key, routes := range bucketsOf(literals) {
		list := &routev3.RouteList{Routes: make([]*routev3.Route, len(routes))}
		for i, r := range routes {
			list.Routes[i] = entries[r].route
		}
		action, err := extension("routes", list)
		if err != nil {
			return nil, fmt.Errorf("routes below %q: %w", key, err)
		}
		on := &xdsmatcherv3.Matcher_OnMatch{OnMatch: &xdsmatcherv3.Matcher_OnMatch_Action{Action: action}}
		if key == "" {
			out.OnNoMatch = on
			continue
		}
		byPrefix[key] = on
	}
	if len(byPrefix) > 0 {
		out.MatcherType = &xdsmatcherv3.Matcher_MatcherTree_{MatcherTree: &xdsmatcherv3.Matcher_MatcherTree{
			Input: input,
			TreeType: &xdsmatcherv3.Matcher_MatcherTree_PrefixMatchMap{
				PrefixMatchMap: &xdsmatcherv3.Matcher_MatcherTree_MatchMap{Map: byPrefix},
			},
		}}
	}
	return out, nil
}

// extension packs a message whose parts have been validated.
func extension(name string, m proto.Message) (*xdscorev3.TypedExtensionConfig, error) {
	config, err := pack(m)
	if err != nil {
		return nil, err
	}
	return &xdscorev3.TypedExtensionConfig{Name: name, TypedConfig: config}, nil
}
