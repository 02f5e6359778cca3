package loadbalancer

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	commonv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/common/v3"
	leastrequestv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/least_request/v3"
	randomv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/random/v3"
	roundrobinv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/round_robin/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// route says what of a request is hashed.
func route(features []gateway.Effective, out *translate.Route) error {
	if out.Action == nil {
		return nil
	}
	for _, h := range features[len(features)-1].Feature.(*LoadBalancer).Hash {
		out.Action.HashPolicy = append(out.Action.HashPolicy, h.policy())
	}
	return nil
}

func (h *Hash) policy() *routev3.RouteAction_HashPolicy {
	out := &routev3.RouteAction_HashPolicy{Terminal: h.Terminal}
	switch {
	case h.Header != "":
		out.PolicySpecifier = &routev3.RouteAction_HashPolicy_Header_{Header: &routev3.RouteAction_HashPolicy_Header{HeaderName: h.Header}}
	case h.Query != "":
		out.PolicySpecifier = &routev3.RouteAction_HashPolicy_QueryParameter_{QueryParameter: &routev3.RouteAction_HashPolicy_QueryParameter{Name: h.Query}}
	case h.Cookie != "":
		cookie := &routev3.RouteAction_HashPolicy_Cookie{Name: h.Cookie}
		if h.TTL > 0 {
			cookie.Ttl, cookie.Path = durationpb.New(h.TTL), h.Path
			if cookie.Path == "" {
				cookie.Path = "/"
			}
		}
		out.PolicySpecifier = &routev3.RouteAction_HashPolicy_Cookie_{Cookie: cookie}
	default:
		out.PolicySpecifier = &routev3.RouteAction_HashPolicy_ConnectionProperties_{
			ConnectionProperties: &routev3.RouteAction_HashPolicy_ConnectionProperties{SourceIp: true},
		}
	}
	return out
}

func cluster(features []gateway.Effective, out *translate.Cluster) error {
	l := features[len(features)-1].Feature.(*LoadBalancer)
	c := out.Cluster
	c.CommonLbConfig.HealthyPanicThreshold = &typev3.Percent{Value: l.PanicThreshold}
	if l.PreferZone != nil {
		return l.preferZone(c)
	}
	c.LbPolicy = policies[l.Policy]
	switch l.Policy {
	case "round_robin":
		if l.SlowStart != nil {
			c.LbConfig = &clusterv3.Cluster_RoundRobinLbConfig_{RoundRobinLbConfig: &clusterv3.Cluster_RoundRobinLbConfig{SlowStartConfig: l.SlowStart.config()}}
		}
	case "least_request":
		config := &clusterv3.Cluster_LeastRequestLbConfig{}
		if l.Choices != 0 {
			config.ChoiceCount = wrapperspb.UInt32(uint32(l.Choices))
		}
		if l.SlowStart != nil {
			config.SlowStartConfig = l.SlowStart.config()
		}
		c.LbConfig = &clusterv3.Cluster_LeastRequestLbConfig_{LeastRequestLbConfig: config}
	}
	return nil
}

// preferZone says the policy in the form that knows of a preference.
func (l *LoadBalancer) preferZone(c *clusterv3.Cluster) error {
	near := &commonv3.LocalityLbConfig{LocalityConfigSpecifier: &commonv3.LocalityLbConfig_ZoneAwareLbConfig_{
		ZoneAwareLbConfig: &commonv3.LocalityLbConfig_ZoneAwareLbConfig{
			MinClusterSize: wrapperspb.UInt64(1), // Envoy's own default would leave small upstreams alone
			ForceLocalZone: &commonv3.LocalityLbConfig_ZoneAwareLbConfig_ForceLocalZone{MinSize: wrapperspb.UInt32(uint32(l.PreferZone.Endpoints))},
		},
	}}
	var name string
	var policy proto.Message
	switch l.Policy {
	case "least_request":
		config := &leastrequestv3.LeastRequest{LocalityLbConfig: near, SlowStartConfig: l.SlowStart.common()}
		if l.Choices != 0 {
			config.ChoiceCount = wrapperspb.UInt32(uint32(l.Choices))
		}
		name, policy = "envoy.load_balancing_policies.least_request", config
	case "random":
		name, policy = "envoy.load_balancing_policies.random", &randomv3.Random{LocalityLbConfig: near}
	default:
		name, policy = "envoy.load_balancing_policies.round_robin", &roundrobinv3.RoundRobin{LocalityLbConfig: near, SlowStartConfig: l.SlowStart.common()}
	}
	packed, err := translate.Pack(policy)
	if err != nil {
		return err
	}
	c.LoadBalancingPolicy = &clusterv3.LoadBalancingPolicy{Policies: []*clusterv3.LoadBalancingPolicy_Policy{
		{TypedExtensionConfig: &corev3.TypedExtensionConfig{Name: name, TypedConfig: packed}},
	}}
	return nil
}

// common is config in the words of the newer policies; nil for nil.
func (s *SlowStart) common() *commonv3.SlowStartConfig {
	if s == nil {
		return nil
	}
	c := s.config()
	return &commonv3.SlowStartConfig{SlowStartWindow: c.SlowStartWindow, Aggression: c.Aggression, MinWeightPercent: c.MinWeightPercent}
}

func (s *SlowStart) config() *clusterv3.Cluster_SlowStartConfig {
	return &clusterv3.Cluster_SlowStartConfig{
		SlowStartWindow:  durationpb.New(s.Window),
		Aggression:       &corev3.RuntimeDouble{DefaultValue: s.Aggression, RuntimeKey: "sluice.none"},
		MinWeightPercent: &typev3.Percent{Value: s.Least},
	}
}
