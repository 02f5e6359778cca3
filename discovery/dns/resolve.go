package dns

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/sluice-gateway/sluice/gateway"
)

// resolver makes one answer. All its questions succeed, or there is none.
type resolver struct {
	*source
	servers []string
	names   []string      // tried in turn until one has records
	ttl     time.Duration // the least of all records that were used
}

func (r *resolver) endpoints(ctx context.Context) ([]gateway.Endpoint, error) {
	for _, name := range r.names {
		var out []gateway.Endpoint
		var err error
		if r.spec.Type == "SRV" {
			out, err = r.services(ctx, name)
		} else {
			out, err = r.plain(ctx, name)
		}
		if err != nil || len(out) > 0 {
			return out, err
		}
	}
	return nil, nil
}

func (r *resolver) plain(ctx context.Context, name string) ([]gateway.Endpoint, error) {
	addresses, err := r.addresses(ctx, name, r.spec.Type)
	if err != nil {
		return nil, err
	}
	out := make([]gateway.Endpoint, 0, len(addresses))
	for _, a := range addresses {
		out = append(out, endpoint(a, uint16(r.spec.Port), 0))
	}
	return out, nil
}

// addresses asks for A, AAAA or, with no type, both. Aliases are followed by the server.
func (r *resolver) addresses(ctx context.Context, name, kind string) ([]netip.Addr, error) {
	var out []netip.Addr
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		if kind != "" && kind != dns.TypeToString[qtype] {
			continue
		}
		answer, err := r.ask(ctx, r.servers, name, qtype)
		if err != nil {
			return nil, err
		}
		for _, rr := range answer.Answer {
			if a, ok := address(rr); ok {
				out = append(out, a)
				r.used(rr)
			}
			if _, alias := rr.(*dns.CNAME); alias {
				r.used(rr)
			}
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out), nil
}

// services takes the SRV records of the lowest priority and the addresses of their targets.
func (r *resolver) services(ctx context.Context, name string) ([]gateway.Endpoint, error) {
	answer, err := r.ask(ctx, r.servers, name, dns.TypeSRV)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]gateway.Endpoint)
	for _, srv := range lowest(answer.Answer) {
		r.used(srv)
		addresses := r.glue(answer.Extra, srv.Target)
		if len(addresses) == 0 {
			if addresses, err = r.addresses(ctx, srv.Target, ""); err != nil {
				return nil, err
			}
		}
		for _, a := range addresses {
			e := endpoint(a, srv.Port, uint32(srv.Weight))
			e.Weight += byID[e.ID].Weight
			byID[e.ID] = e
		}
	}
	out := make([]gateway.Endpoint, 0, len(byID))
	for _, e := range byID {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b gateway.Endpoint) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// lowest is the SRV records of the lowest priority number. The target "." says that there is no service.
func lowest(records []dns.RR) []*dns.SRV {
	var out []*dns.SRV
	for _, rr := range records {
		srv, ok := rr.(*dns.SRV)
		if !ok || srv.Target == "." || srv.Port == 0 {
			continue
		}
		if len(out) > 0 && srv.Priority < out[0].Priority {
			out = out[:0]
		}
		if len(out) == 0 || srv.Priority == out[0].Priority {
			out = append(out, srv)
		}
	}
	return out
}

// glue is the addresses of a target that came along with its SRV record.
func (r *resolver) glue(extra []dns.RR, target string) []netip.Addr {
	var out []netip.Addr
	for _, rr := range extra {
		if a, ok := address(rr); ok && strings.EqualFold(rr.Header().Name, target) {
			out = append(out, a)
			r.used(rr)
		}
	}
	return out
}

// used lets a record's time to live count.
func (r *resolver) used(rr dns.RR) {
	r.ttl = min(r.ttl, time.Duration(rr.Header().Ttl)*time.Second)
}

func address(rr dns.RR) (netip.Addr, bool) {
	var ip net.IP
	switch rr := rr.(type) {
	case *dns.A:
		ip = rr.A
	case *dns.AAAA:
		ip = rr.AAAA
	}
	a, ok := netip.AddrFromSlice(ip)
	return a.Unmap(), ok
}

func endpoint(a netip.Addr, port uint16, weight uint32) gateway.Endpoint {
	return gateway.Endpoint{
		ID: net.JoinHostPort(a.String(), strconv.Itoa(int(port))), Address: a.String(), Port: port, Weight: weight,
	}
}
