package translate

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/zeebo/xxh3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	httpOptions           = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
	assignmentWait        = time.Second // how long a new cluster may wait for its endpoints
	defaultConnectTimeout = 5 * time.Second
)

// cluster builds an upstream's cluster. Its endpoints come by EDS under a name that carries the hash of the whole rest
// of the cluster: a changed cluster asks for a fresh name and warms at once, where it would wait under the old one.
//
// The panic threshold is 0: where no endpoint is healthy the client gets 503 and none of the endpoints that a health
// check took out gets traffic.
func (t *Translator) cluster(in gateway.Inputs) (*Resource, error) {
	if in.Upstream == nil {
		return nil, nil
	}
	timeout := cmp.Or(max(in.Upstream.ConnectTimeout, 0), defaultConnectTimeout)
	c := &clusterv3.Cluster{
		Name:                          in.Upstream.Name,
		ClusterDiscoveryType:          &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
		EdsClusterConfig:              &clusterv3.Cluster_EdsClusterConfig{EdsConfig: ads(assignmentWait)},
		ConnectTimeout:                durationpb.New(timeout),
		PerConnectionBufferLimitBytes: u32(bufferLimit),
		CommonLbConfig: &clusterv3.Cluster_CommonLbConfig{
			HealthyPanicThreshold: &typev3.Percent{Value: 0},
		},
		LbSubsetConfig: subsetConfig(in.Subsets, weighted(in.Upstream)),
	}
	if weighted(in.Upstream) {
		c.CommonLbConfig.LocalityConfigSpecifier = &clusterv3.Cluster_CommonLbConfig_LocalityWeightedLbConfig_{
			LocalityWeightedLbConfig: &clusterv3.Cluster_CommonLbConfig_LocalityWeightedLbConfig{},
		}
	}
	out := &Cluster{Upstream: in.Upstream, Cluster: c, HTTP: &httpv3.HttpProtocolOptions{
		UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{ExplicitHttpConfig: protocolOf(in.Upstream)},
	}}
	if in.Upstream.Lambda != nil {
		if err := lambdaCluster(out); err != nil {
			return nil, err
		}
	}
	err := t.apply(in.Features, func(k Kind, own []gateway.Effective) error {
		if k.Cluster == nil {
			return nil
		}
		return k.Cluster(own, out)
	})
	if err != nil {
		return nil, err
	}
	if in.Upstream.Lambda != nil {
		return lambdaResource(out)
	}
	if err := meshSocket(out); err != nil {
		return nil, err
	}
	options, err := Pack(out.HTTP)
	if err != nil {
		return nil, err
	}
	if err := subsetsOf(c); err != nil {
		return nil, err
	}
	c.TypedExtensionProtocolOptions = map[string]*anypb.Any{httpOptions: options}
	if c.EdsClusterConfig.ServiceName, err = assignmentName(c); err != nil {
		return nil, err
	}
	return &Resource{
		Key:     Key{TypeURL: ClusterType, Name: c.Name},
		Message: c,
		Needs:   append(out.Needs, Key{TypeURL: AssignmentType, Name: c.EdsClusterConfig.ServiceName}),
	}, nil
}

// assignmentName is NAME@HASH of a cluster that has no EDS name yet.
func assignmentName(c *clusterv3.Cluster) (string, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("marshal cluster %s: %w", c.Name, err)
	}
	sum := xxh3.Hash128(b).Bytes()
	return c.Name + "@" + hex.EncodeToString(sum[:]), nil
}

// weighted says whether an upstream's sources have shares.
func weighted(u *gateway.Upstream) bool {
	return slices.ContainsFunc(u.Sources, func(s *gateway.Source) bool { return s.Weight != nil })
}
