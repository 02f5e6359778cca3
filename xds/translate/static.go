package translate

import (
	"fmt"
	"strings"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/gateway"
)

// StaticBootstrap is a bootstrap that holds all the resources itself: listeners with their routes and hosts, clusters
// with their endpoints. Envoy serves from it, or judges it with --mode validate, without a control plane. The resources
// are not changed. Hosts and assignments whose listener or cluster is not among the resources are left out, and so are
// filters whose configuration is not, such as a signer whose secret is unknown, and certificates that are not; references to missing clusters are not
// judged. Its limits are those of package bootstrap.
func StaticBootstrap(resources []*Resource) (*bootstrapv3.Bootstrap, error) {
	static := &bootstrapv3.Bootstrap_StaticResources{}
	tables := map[string]*routev3.RouteConfiguration{}
	hosts := map[string][]*routev3.VirtualHost{}
	assignments := map[string]*endpointv3.ClusterLoadAssignment{}
	extensions := map[string]*corev3.TypedExtensionConfig{}
	secrets := map[string]*tlsv3.Secret{}
	for _, r := range resources {
		switch m := r.Message.(type) {
		case *tlsv3.Secret:
			secrets[m.Name] = m
		case *routev3.RouteConfiguration:
			tables[m.Name] = m
		case *routev3.VirtualHost:
			listener, _, _ := strings.Cut(m.Name, "/")
			hosts[listener] = append(hosts[listener], m)
		case *endpointv3.ClusterLoadAssignment:
			assignments[m.ClusterName] = m
		case *corev3.TypedExtensionConfig:
			extensions[m.Name] = m
		}
	}
	for _, r := range resources {
		switch m := r.Message.(type) {
		case *listenerv3.Listener:
			table := strings.TrimSuffix(m.Name, http3Suffix)
			l, err := inlineRoutes(m, tables[table], hosts[table], scopesOf(table, resources), extensions)
			if err == nil {
				err = inlineServed(l, secrets)
			}
			if err != nil {
				return nil, fmt.Errorf("listener %s: %w", m.Name, err)
			}
			static.Listeners = append(static.Listeners, l)
		case *clusterv3.Cluster:
			c, err := inlineSigner(inlineEndpoints(m, assignments[m.Name]), extensions)
			if err == nil {
				c, err = inlineSecrets(c, secrets)
			}
			if err != nil {
				return nil, fmt.Errorf("cluster %s: %w", m.Name, err)
			}
			static.Clusters = append(static.Clusters, c)
		}
	}
	return &bootstrapv3.Bootstrap{
		Node:            &corev3.Node{Id: "static", Cluster: "static"}, // what asks for secrets needs one
		StaticResources: static, LayeredRuntime: limits(),
	}, nil
}

func limits() *bootstrapv3.LayeredRuntime {
	return &bootstrapv3.LayeredRuntime{Layers: []*bootstrapv3.RuntimeLayer{{
		Name: "sluice",
		LayerSpecifier: &bootstrapv3.RuntimeLayer_StaticLayer{StaticLayer: &structpb.Struct{Fields: map[string]*structpb.Value{
			"re2.max_program_size.error_level": structpb.NewNumberValue(gateway.MaxRegexProgram),
		}}},
	}}}
}

// inlineRoutes is a copy of the listener that holds its hosts.
func inlineRoutes(
	l *listenerv3.Listener, table *routev3.RouteConfiguration, hosts []*routev3.VirtualHost, scopes []*routev3.ScopedRouteConfiguration,
	extensions map[string]*corev3.TypedExtensionConfig,
) (*listenerv3.Listener, error) {
	out := proto.CloneOf(l)
	routes := &routev3.RouteConfiguration{Name: strings.TrimSuffix(l.Name, http3Suffix)}
	if table != nil {
		routes = proto.CloneOf(table)
	}
	if table == nil || table.Vhds != nil { // else it has all its hosts
		routes.VirtualHosts = hosts
	}
	routes.Vhds = nil
	routes.ValidateClusters = wrapperspb.Bool(false)
	for _, chain := range out.FilterChains {
		for _, f := range chain.Filters {
			if f.Name != hcmFilter {
				continue
			}
			manager := &hcmv3.HttpConnectionManager{}
			if err := f.GetTypedConfig().UnmarshalTo(manager); err != nil {
				return nil, fmt.Errorf("read its connection manager: %w", err)
			}
			manager.HttpFilters = inlineExtensions(manager.HttpFilters, extensions)
			inlineTables(manager, routes, scopes)
			config, err := pack(manager)
			if err != nil {
				return nil, err
			}
			f.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: config}
		}
	}
	return out, nil
}

// inlineEndpoints is a copy of the cluster that holds its endpoints. One that is no EDS cluster has them already.
func inlineEndpoints(c *clusterv3.Cluster, a *endpointv3.ClusterLoadAssignment) *clusterv3.Cluster {
	out := proto.CloneOf(c)
	if c.EdsClusterConfig == nil {
		return out
	}
	out.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC}
	out.EdsClusterConfig = nil
	out.LoadAssignment = &endpointv3.ClusterLoadAssignment{ClusterName: c.Name}
	if a != nil {
		out.LoadAssignment = proto.CloneOf(a)
	}
	return out
}

// inlineExtensions puts the configuration of filters that is discovered into the filters. A filter whose configuration is
// not there is left out: an Envoy without a control plane crashes where it is told to ask one.
func inlineExtensions(filters []*hcmv3.HttpFilter, extensions map[string]*corev3.TypedExtensionConfig) []*hcmv3.HttpFilter {
	out := make([]*hcmv3.HttpFilter, 0, len(filters))
	for _, f := range filters {
		if f.GetConfigDiscovery() != nil {
			e := extensions[f.Name]
			if e == nil {
				continue
			}
			f.ConfigType = &hcmv3.HttpFilter_TypedConfig{TypedConfig: e.TypedConfig}
		}
		out = append(out, f)
	}
	return out
}
