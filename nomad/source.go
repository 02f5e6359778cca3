package nomad

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"sync"

	"github.com/hashicorp/nomad/api"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

var _ discovery.Source = (*Source)(nil)

// Source is the source of one service's instances.
type Source struct {
	c    *Client
	spec Spec
}

// Service makes the source of spec. It sends nothing.
func (c *Client) Service(spec Spec) *Source { return &Source{c: c, spec: spec} }

// Run implements discovery.Source. An endpoint's ID is that of its registration. An instance whose address is no IP
// address cannot be an endpoint and is left out; where that leaves none, Run fails and says so.
func (s *Source) Run(ctx context.Context, update func([]gateway.Endpoint), alive func()) error {
	sub, leave := s.c.join(s.c.scope(&s.spec), s.spec.Service, s.spec.Checks)
	defer leave()
	var faults []string
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-sub.ready:
		}
		n := sub.take()
		if n.err != nil {
			return n.err
		}
		if !n.answered {
			alive()
			continue
		}
		endpoints, wrong := s.endpoints(n)
		if len(wrong) > 0 && len(endpoints) == 0 {
			return errors.New("no instance can be an endpoint: " + wrong[0])
		}
		if len(wrong) > 0 && !slices.Equal(wrong, faults) {
			s.c.log.Warn("instances of a nomad service are left out", "source", s.spec.SourceKey(), "error", wrong[0], "instances", len(wrong))
		}
		faults = wrong
		update(endpoints)
	}
}

// endpoints are the instances that the block selects, and what is wrong with those that cannot be endpoints.
func (s *Source) endpoints(n news) (out []gateway.Endpoint, wrong []string) {
	out = []gateway.Endpoint{}
	for _, r := range n.regs {
		canary := len(s.spec.CanaryTags) > 0 && containsAll(r.Tags, s.spec.CanaryTags)
		if !canary && !containsAll(r.Tags, s.spec.Tags) {
			continue
		}
		e, err := endpoint(r, n.region)
		if err != nil {
			wrong = append(wrong, err.Error())
			continue
		}
		if len(s.spec.CanaryTags) > 0 {
			e.Meta["canary"] = strconv.FormatBool(canary)
		}
		if s.spec.Checks {
			e.Health = n.health[r.ID]
		}
		out = append(out, e)
	}
	return out, wrong
}

// endpoint makes an endpoint of a registration.
func endpoint(r *api.ServiceRegistration, region string) (gateway.Endpoint, error) {
	ip, err := netip.ParseAddr(r.Address)
	if err != nil {
		return gateway.Endpoint{}, fmt.Errorf(
			"%s has the address %q, which is no IP address; set address or address_mode in the job's service block, or use a dns source", r.ID, r.Address)
	}
	if r.Port < 1 || r.Port > 65535 {
		return gateway.Endpoint{}, fmt.Errorf("%s has the port %d; name a port in the job's service block", r.ID, r.Port)
	}
	return gateway.Endpoint{
		ID: r.ID, Address: ip.Unmap().WithZone("").String(), Port: uint16(r.Port), //nolint:gosec // checked
		Tags:     slices.Compact(slices.Sorted(slices.Values(r.Tags))),
		Locality: gateway.Locality{Region: region, Zone: r.Datacenter},
		Meta: map[string]string{
			"job": r.JobID, "alloc": r.AllocID, "node": r.NodeID, "datacenter": r.Datacenter, "namespace": r.Namespace,
		},
	}, nil
}

// news is what a feed has to say to a source. What it points to is never changed.
type news struct {
	regs     []*api.ServiceRegistration // sorted by ID
	health   map[string]gateway.Health  // by ID, of a source that wants checks
	region   string
	answered bool  // regs are an answer, if an empty one
	err      error // the source fails
}

// subscriber is where a feed leaves news for one run of a source; the latest win.
type subscriber struct {
	checks bool
	ready  chan struct{} // has an element while there are news

	mu  sync.Mutex
	new news
}

func (s *subscriber) tell(n news) {
	s.mu.Lock()
	if n.answered || n.err != nil {
		s.new = n
	}
	s.mu.Unlock()
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

func (s *subscriber) take() news {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.new
	s.new = news{}
	return n
}
