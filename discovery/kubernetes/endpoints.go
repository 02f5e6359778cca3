package kubernetes

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// The keys of metadata that are no labels of the service; they come before those.
const (
	metaNode = "node"
	metaPod  = "pod"
)

// endpoints are those in the slices of a service, sorted by ID. A target that several slices have counts once: IPv4 comes
// before IPv6, unless the block wants the latter alone, what is ready before what is not, then the lower address.
func (s *Spec) endpoints(list []*slice) ([]gateway.Endpoint, error) {
	return s.endpointsBy(list, known{})
}

// known is what was made of slices before, which saves most of the work of a change. Slices do not change.
type known map[*slice][]candidate

// endpointsBy is endpoints with what is known; what is not there any more is forgotten.
func (s *Spec) endpointsBy(list []*slice, k known) ([]gateway.Endpoint, error) {
	defer func(seen map[*slice]bool) {
		for _, sl := range list {
			seen[sl] = true
		}
		maps.DeleteFunc(k, func(sl *slice, _ []candidate) bool { return !seen[sl] })
	}(make(map[*slice]bool, len(list)))
	fixed := s.port()
	var all []candidate
	targets, names, byName := 0, 0, map[string]bool{}
	for _, sl := range list {
		if !s.wants(sl.family) {
			if sl.family == "FQDN" {
				names += len(sl.endpoints)
			}
			continue
		}
		targets += len(sl.endpoints)
		number := fixed
		if number == 0 {
			for _, p := range sl.ports {
				if len(sl.endpoints) > 0 {
					byName[p.name] = true
				}
				if p.name == s.Port || s.Port == "" && len(sl.ports) == 1 {
					number = p.number
				}
			}
		}
		if number == 0 {
			continue
		}
		if k[sl] == nil {
			made, err := sl.candidates(number)
			if err != nil {
				return nil, err
			}
			k[sl] = made
		}
		all = append(all, k[sl]...)
	}
	switch {
	case len(all) == 0 && targets > 0:
		return nil, s.noPort(byName)
	case len(all) == 0 && names > 0:
		return nil, errors.New("its endpoints are host names: use a dns block")
	}
	slices.SortFunc(all, candidate.compare)
	out := make([]gateway.Endpoint, 0, len(all))
	for i, c := range all {
		if i == 0 || c.endpoint.ID != all[i-1].endpoint.ID {
			out = append(out, c.endpoint)
		}
	}
	return out, nil
}

// wants says whether slices with addresses of a family count.
func (s *Spec) wants(family string) bool {
	switch family {
	case "IPv4":
		return s.IPFamily != "ipv6"
	case "IPv6":
		return s.IPFamily != "ipv4"
	}
	return false
}

// noPort says why no endpoint has a port.
func (s *Spec) noPort(byName map[string]bool) error {
	var named []string
	for _, n := range slices.Sorted(maps.Keys(byName)) {
		named = append(named, strconv.Quote(n))
	}
	switch {
	case len(named) == 0:
		return errors.New("its endpoints have no TCP port: set port to a number")
	case s.Port == "" && len(named) > 1:
		return fmt.Errorf("it has several ports, port must name one of %s", strings.Join(named, ", "))
	case s.Port == "":
		return errors.New("its port has no number: set port to one")
	}
	return fmt.Errorf("no port is named %q; there is %s", s.Port, strings.Join(named, ", "))
}

// candidate is what one slice says of a target.
type candidate struct {
	endpoint gateway.Endpoint
	v6       bool
}

func (c candidate) compare(other candidate) int {
	if by := strings.Compare(c.endpoint.ID, other.endpoint.ID); by != 0 {
		return by
	}
	if c.v6 != other.v6 {
		if other.v6 {
			return -1
		}
		return 1
	}
	return cmp.Or(order(c.endpoint.Health)-order(other.endpoint.Health), strings.Compare(c.endpoint.Address, other.endpoint.Address))
}

func order(h gateway.Health) int {
	return slices.Index([]gateway.Health{gateway.Healthy, gateway.Draining, gateway.Critical}, h)
}

// metas makes the metadata of the endpoints of a slice. Those without a name that are on one node share it.
type metas struct{ byNode map[string]map[string]string }

func (m *metas) of(sl *slice, t target) map[string]string {
	if same, ok := m.byNode[t.node]; ok && t.ref == "" {
		return same
	}
	out := make(map[string]string, len(sl.labels)+2)
	maps.Copy(out, sl.labels)
	if t.node != "" {
		out[metaNode] = t.node
	}
	if t.ref != "" {
		out[metaPod] = t.ref
		return out
	}
	if m.byNode == nil {
		m.byNode = map[string]map[string]string{}
	}
	m.byNode[t.node] = out
	return out
}

func (s *slice) candidates(number uint16) ([]candidate, error) {
	out := make([]candidate, 0, len(s.endpoints))
	var metas metas
	for _, t := range s.endpoints {
		c, err := t.candidate(s, number, &metas)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func (t target) candidate(sl *slice, number uint16, m *metas) (candidate, error) {
	ip, err := netip.ParseAddr(t.address)
	if err != nil || ip.Zone() != "" {
		return candidate{}, fmt.Errorf("slice %.100q: %.100q is no IP address", sl.name, t.address)
	}
	ip = ip.Unmap()
	e := gateway.Endpoint{
		ID: t.ref, Address: ip.String(), Port: number, Locality: gateway.Locality{Zone: t.zone}, Meta: m.of(sl, t),
	}
	switch {
	case t.terminating:
		e.Health = gateway.Draining
	case !t.ready:
		e.Health = gateway.Critical
	}
	if e.ID == "" {
		e.ID = netip.AddrPortFrom(ip, number).String()
	}
	return candidate{e, ip.Is6()}, nil
}
