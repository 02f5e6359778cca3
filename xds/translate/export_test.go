package translate

import (
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/sluice-gateway/sluice/gateway"
)

// HostTable builds a host of the listener edge.http whose answers name their route in the header x-route; it becomes a
// trie above limit routes.
func HostTable(host string, table []*gateway.TableRoute, limit int) (*routev3.VirtualHost, error) {
	h := &routev3.VirtualHost{Name: "edge.http/" + host, Domains: []string{host}}
	var entries []entry
	for _, tr := range table {
		es, _, err := (&Translator{}).tableRoute(tr)
		if err != nil {
			return nil, err
		}
		for _, e := range es {
			e.route.ResponseHeadersToAdd = append(e.route.ResponseHeadersToAdd, &corev3.HeaderValueOption{
				Header: &corev3.HeaderValue{Key: "x-route", Value: e.route.Name},
			})
		}
		entries = append(entries, es...)
	}
	return h, fillTable(h, entries, limit)
}

// BucketsOf is how a table is parted whose routes take these paths: exact ones, prefixes by segments ("/a/*"), and
// beginnings ("/a**"). A "!" before one says that its copies are costly.
func BucketsOf(patterns []string) map[string][]int {
	literals := make([]literal, len(patterns))
	for i, p := range patterns {
		p, costly := strings.CutPrefix(p, "!")
		if text, ok := strings.CutSuffix(p, "**"); ok {
			literals[i] = literal{text, reachAny, costly}
		} else if text, ok := strings.CutSuffix(p, "/*"); ok {
			literals[i] = literal{text, reachSegment, costly}
		} else {
			literals[i] = literal{p, reachExact, costly}
		}
	}
	return bucketsOf(literals)
}
