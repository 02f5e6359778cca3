package server

import (
	"maps"
	"slices"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
)

// tables tells a client of the tables that have no host. Envoy opens no port, and does not start, before it has heard
// of each table's hosts, and takes no response without content for that: it is told that a host is gone which never
// was.
func (p *planner) tables() {
	tables, hosts := p.st.types[resourcev3.RouteType], p.st.types[resourcev3.VirtualHostType]
	if tables == nil || hosts == nil || !hosts.armed {
		return
	}
	var empty []string
	for _, table := range slices.Sorted(maps.Keys(tables.untold)) {
		switch {
		case tables.have[table] == nil: // it comes first
		case p.hasHosts(hosts, table):
			delete(tables.untold, table)
		case p.awaitsHosts(table): // better late than a port that answers 404
		default:
			empty = append(empty, table)
		}
	}
	if len(empty) > 0 {
		p.batches = append(p.batches, batch{t: hosts, empty: empty})
	}
}

// hasHosts says that the client has hosts of a table, or will be sent some.
func (p *planner) hasHosts(hosts *typeState, table string) bool {
	for name := range p.v.Names(resourcev3.VirtualHostType) {
		if w := hosts.pending[name]; namespace(name) == table && (w == nil || w.lacks == "") {
			return true
		}
	}
	return false
}

// awaitsHosts says that a host of the table is held, which may be all that the table will have.
func (p *planner) awaitsHosts(table string) bool {
	for name := range p.v.Awaited(resourcev3.VirtualHostType) {
		if namespace(name) == table {
			return true
		}
	}
	return false
}
