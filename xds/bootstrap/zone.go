package bootstrap

import (
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
)

// localCluster is the cluster of which the Envoy is a member. Envoy compares it with an upstream to find what is near.
const localCluster = "local"

// inZone tells an Envoy where it runs, and that all who call the upstreams run there: it decides for itself alone.
func inZone(b *bootstrapv3.Bootstrap, o Options) {
	if o.Zone == "" && o.Region == "" {
		return
	}
	at := &corev3.Locality{Region: o.Region, Zone: o.Zone}
	b.Node.Locality = at
	b.ClusterManager = &bootstrapv3.ClusterManager{LocalClusterName: localCluster}
	b.StaticResources.Clusters = append(b.StaticResources.Clusters, &clusterv3.Cluster{
		Name:                 localCluster,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		LoadAssignment: &endpointv3.ClusterLoadAssignment{ClusterName: localCluster, Endpoints: []*endpointv3.LocalityLbEndpoints{{
			Locality: at,
			LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{
				Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
					Address: "127.0.0.1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 1}, // nobody is sent there
				}}},
			}}}},
		}}},
	})
}
