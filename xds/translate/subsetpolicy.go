package translate

import (
	"fmt"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	subsetv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/subset/v3"
)

// subsetsOf puts the selectors of a cluster around a load balancing policy that a feature has set as an extension:
// beside one, Envoy does not look at the cluster's own selectors. c is changed.
func subsetsOf(c *clusterv3.Cluster) error {
	selectors := c.LbSubsetConfig
	if c.LoadBalancingPolicy == nil || selectors == nil {
		return nil
	}
	around := &subsetv3.Subset{
		FallbackPolicy:      subsetv3.Subset_LbSubsetFallbackPolicy(selectors.FallbackPolicy),
		LocalityWeightAware: selectors.LocalityWeightAware, ScaleLocalityWeight: selectors.ScaleLocalityWeight,
		SubsetLbPolicy: c.LoadBalancingPolicy,
	}
	for _, s := range selectors.SubsetSelectors {
		around.SubsetSelectors = append(around.SubsetSelectors, &subsetv3.Subset_LbSubsetSelector{
			Keys: s.Keys, FallbackPolicy: subsetv3.Subset_LbSubsetSelector_LbSubsetSelectorFallbackPolicy(s.FallbackPolicy),
		})
	}
	packed, err := Pack(around)
	if err != nil {
		return fmt.Errorf("subsets of %s: %w", c.Name, err)
	}
	c.LbSubsetConfig = nil
	c.LoadBalancingPolicy = &clusterv3.LoadBalancingPolicy{Policies: []*clusterv3.LoadBalancingPolicy_Policy{
		{TypedExtensionConfig: &corev3.TypedExtensionConfig{Name: "envoy.load_balancing_policies.subset", TypedConfig: packed}},
	}}
	return nil
}
