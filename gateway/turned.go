package gateway

import (
	"net"
	"strconv"
)

// Turned lists the upstreams that have no endpoint any more which takes traffic, and those that have one again; sorted.
// What is not known yet is neither. The cost follows what the change touched.
func (c Change) Turned(before, after *World) (silent, back []string) {
	for _, u := range c.Units {
		if u.Type != UnitAssignment {
			continue
		}
		switch was, is := before.traffic(u.Name), after.traffic(u.Name); {
		case is == trafficNone && was != trafficNone:
			silent = append(silent, u.Name)
		case is == trafficSome && was == trafficNone:
			back = append(back, u.Name)
		}
	}
	return silent, back
}

// traffic says whether an upstream has endpoints that take any.
type traffic uint8

const (
	trafficUnknown traffic = iota // no source, or one has yet to answer
	trafficNone
	trafficSome
)

func (w *World) traffic(upstream string) traffic {
	u := w.upstreams.get(upstream)
	if u == nil || len(u.Sources) == 0 {
		return trafficUnknown
	}
	out := trafficNone
	for _, s := range u.Sources {
		list, ok := w.sources.lookup(s.Spec.SourceKey())
		if !ok {
			out = trafficUnknown
		}
		if s.Weight != nil && *s.Weight == 0 {
			continue
		}
		for _, e := range list {
			if e.takesTraffic() && !w.drained.get(net.JoinHostPort(e.Address, strconv.Itoa(int(e.Port)))) {
				return trafficSome
			}
		}
	}
	return out
}

// takesTraffic says whether requests go to an endpoint, as its source sees it.
func (e Endpoint) takesTraffic() bool { return e.Health == Healthy || e.Health == Warning }
