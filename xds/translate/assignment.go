package translate

import (
	"cmp"
	"fmt"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"github.com/sluice-gateway/sluice/gateway"
)

// assignment builds the endpoints of an upstream, under the upstream's own name; the server sends it under each EDS
// name that is asked for. Critical endpoints are sent as unhealthy, so that their share spills over to other localities
// and priorities. Priorities become 0, 1, 2… without gaps, as Envoy demands.
func (t *Translator) assignment(in gateway.Inputs) (*Resource, error) {
	if in.Upstream == nil || in.Upstream.Lambda != nil {
		return nil, nil
	}
	out := &endpointv3.ClusterLoadAssignment{ClusterName: in.Upstream.Name}
	localities := slices.Clone(in.Endpoints)
	slices.SortStableFunc(localities, func(a, b gateway.Locals) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), compareLocality(a.Locality, b.Locality))
	})
	chosen := selectionOf(in.Subsets)
	priority, last := -1, -1
	for _, l := range localities {
		if len(l.Endpoints) == 0 {
			continue
		}
		if l.Priority != last {
			priority, last = priority+1, l.Priority
		}
		built, err := locality(l, chosen)
		if err != nil {
			return nil, err
		}
		if err := t.endpoints(in.Features, built); err != nil {
			return nil, err
		}
		built.Priority = uint32(priority)
		out.Endpoints = append(out.Endpoints, built)
	}
	return &Resource{Key: Key{TypeURL: AssignmentType, Name: in.Upstream.Name}, Message: out}, nil
}

// endpoints lets features change the endpoints of a locality.
func (t *Translator) endpoints(features []gateway.Effective, l *endpointv3.LocalityLbEndpoints) error {
	return t.apply(features, func(k Kind, own []gateway.Effective) error {
		if k.Endpoint == nil {
			return nil
		}
		for _, e := range l.LbEndpoints {
			if err := k.Endpoint(own, e.GetEndpoint()); err != nil {
				return err
			}
		}
		return nil
	})
}

func compareLocality(a, b gateway.Locality) int {
	return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Zone, b.Zone), cmp.Compare(a.SubZone, b.SubZone))
}

func locality(l gateway.Locals, chosen selection) (*endpointv3.LocalityLbEndpoints, error) {
	out := &endpointv3.LocalityLbEndpoints{}
	if l.Locality != (gateway.Locality{}) {
		out.Locality = &corev3.Locality{Region: l.Locality.Region, Zone: l.Locality.Zone, SubZone: l.Locality.SubZone}
	}
	if l.Weight > 0 {
		out.LoadBalancingWeight = u32(l.Weight)
	}
	endpoints := slices.Clone(l.Endpoints)
	slices.SortStableFunc(endpoints, func(a, b gateway.Endpoint) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Port, b.Port), cmp.Compare(a.ID, b.ID))
	})
	for _, e := range endpoints {
		built, err := endpoint(e, chosen)
		if err != nil {
			return nil, fmt.Errorf("endpoint %s:%d: %w", e.Address, e.Port, err)
		}
		out.LbEndpoints = append(out.LbEndpoints, built)
	}
	return out, nil
}

func endpoint(e gateway.Endpoint, chosen selection) (*endpointv3.LbEndpoint, error) {
	md, err := chosen.of(e)
	if err != nil {
		return nil, err
	}
	out := &endpointv3.LbEndpoint{
		HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{
			Address: socketAddress(e.Address, uint32(e.Port)),
		}},
		HealthStatus: health(e.Health),
		Metadata:     md,
	}
	if e.Weight > 1 {
		out.LoadBalancingWeight = u32(e.Weight)
	}
	return out, nil
}

func health(h gateway.Health) corev3.HealthStatus {
	switch h {
	case gateway.Critical:
		return corev3.HealthStatus_UNHEALTHY
	case gateway.Draining:
		return corev3.HealthStatus_DRAINING
	default:
		return corev3.HealthStatus_HEALTHY
	}
}
