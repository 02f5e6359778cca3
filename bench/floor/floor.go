// Package floor is the least that lies between Consul and an Envoy: a blocking query, a cache of go-control-plane, and
// nothing else. It knows no language, no order, no status, no second replica. What sluice adds is measured against it.
package floor

import (
	"context"
	"fmt"
	"net"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/delta/v3"
	"github.com/hashicorp/consul/api"
	"google.golang.org/grpc"
)

// Options say what to watch: the paths that are routed are the lines of a key, the endpoints those of a service.
type Options struct {
	Consul       *api.Client
	Key, Service string
}

// Serve watches and serves xDS on l until ctx ends.
func Serve(ctx context.Context, l net.Listener, o Options) error {
	routes, endpoints := cache.NewLinearCache(resource.RouteType), cache.NewLinearCache(resource.EndpointType)
	mux := &cache.MuxCache{
		Classify:      (*cache.Request).GetTypeUrl,
		ClassifyDelta: (*cache.DeltaRequest).GetTypeUrl,
		Caches:        map[string]cache.Cache{resource.RouteType: routes, resource.EndpointType: endpoints},
	}
	failed := make(chan error, 3)
	go func() { failed <- follow(ctx, o, o.Key != "", readKey, routes) }()
	go func() { failed <- follow(ctx, o, o.Service != "", readService, endpoints) }()
	s := grpc.NewServer()
	defer s.Stop()
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(s, service{caches: mux})
	go func() { failed <- s.Serve(l) }()
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

type service struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	caches cache.Cache
}

func (s service) DeltaAggregatedResources(stream grpc.BidiStreamingServer[discoveryv3.DeltaDiscoveryRequest, discoveryv3.DeltaDiscoveryResponse]) error {
	return delta.NewServer(stream.Context(), s.caches, nil).DeltaStreamHandler(stream, resource.AnyType)
}

// read asks once, blocking, and returns the resource that the answer becomes.
type read func(Options, *api.QueryOptions) (string, types.Resource, *api.QueryMeta, error)

func follow(ctx context.Context, o Options, wanted bool, r read, into *cache.LinearCache) error {
	if !wanted {
		<-ctx.Done()
		return nil
	}
	var index uint64
	for {
		name, resource, meta, err := r(o, (&api.QueryOptions{WaitIndex: index}).WithContext(ctx))
		if err != nil {
			return fmt.Errorf("watch: %w", err)
		}
		index = meta.LastIndex
		if err := into.UpdateResource(name, resource); err != nil {
			return fmt.Errorf("push: %w", err)
		}
	}
}

func readKey(o Options, q *api.QueryOptions) (string, types.Resource, *api.QueryMeta, error) {
	table := &routev3.RouteConfiguration{Name: "floor", VirtualHosts: []*routev3.VirtualHost{{Name: "all", Domains: []string{"*"}}}}
	pair, meta, err := o.Consul.KV().Get(o.Key, q)
	if pair != nil {
		for path := range strings.Lines(string(pair.Value)) {
			table.VirtualHosts[0].Routes = append(table.VirtualHosts[0].Routes, &routev3.Route{
				Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: strings.TrimSpace(path)}},
				Action: &routev3.Route_Route{Route: &routev3.RouteAction{
					ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: "up"},
				}},
			})
		}
	}
	return table.Name, table, meta, err
}

func readService(o Options, q *api.QueryOptions) (string, types.Resource, *api.QueryMeta, error) {
	group := &endpointv3.LocalityLbEndpoints{}
	rows, meta, err := o.Consul.Health().Service(o.Service, "", false, q)
	for _, row := range rows {
		e := &endpointv3.LbEndpoint{HealthStatus: corev3.HealthStatus_HEALTHY}
		if row.Checks.AggregatedStatus() != api.HealthPassing {
			e.HealthStatus = corev3.HealthStatus_UNHEALTHY
		}
		e.HostIdentifier = &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: &corev3.Address{
			Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
				Address:       row.Service.Address,
				PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(row.Service.Port)}, //nolint:gosec // a port
			}},
		}}}
		group.LbEndpoints = append(group.LbEndpoints, e)
	}
	return "up", &endpointv3.ClusterLoadAssignment{ClusterName: "up", Endpoints: []*endpointv3.LocalityLbEndpoints{group}}, meta, err
}
