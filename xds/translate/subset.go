package translate

import (
	"slices"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	lbMetadata = "envoy.lb"

	// fallbackKey is on every endpoint of an upstream with a selector that falls back, and part of that selector: the
	// same keys with and without a fallback are then two selectors, as Envoy wants them.
	fallbackKey = "fallback"
)

// subsetConfig builds the selectors of a cluster. A destination without a subset takes any endpoint.
func subsetConfig(subsets []gateway.SubsetKeys, weighted bool) *clusterv3.Cluster_LbSubsetConfig {
	if len(subsets) == 0 {
		return nil
	}
	out := &clusterv3.Cluster_LbSubsetConfig{
		FallbackPolicy:      clusterv3.Cluster_LbSubsetConfig_ANY_ENDPOINT,
		LocalityWeightAware: weighted,
		ScaleLocalityWeight: weighted,
	}
	for _, s := range subsets {
		selector := &clusterv3.Cluster_LbSubsetConfig_LbSubsetSelector{
			Keys:           strings.Split(s.Keys, "\x00"),
			FallbackPolicy: clusterv3.Cluster_LbSubsetConfig_LbSubsetSelector_NO_FALLBACK,
		}
		if s.Fallback {
			selector.Keys = append(selector.Keys, fallbackKey)
			selector.FallbackPolicy = clusterv3.Cluster_LbSubsetConfig_LbSubsetSelector_ANY_ENDPOINT
		}
		out.SubsetSelectors = append(out.SubsetSelectors, selector)
	}
	return out
}

// subsetMatch selects the endpoints of a destination.
func subsetMatch(s *gateway.Subset, fallback bool) (*corev3.Metadata, error) {
	values := map[string]any{}
	if s.Tag != "" {
		values[gateway.SubsetKey(s.Tag)] = true
	}
	for k, v := range s.Meta {
		values[gateway.SubsetMeta(k)] = v
	}
	if fallback {
		values[fallbackKey] = true
	}
	return metadata(lbMetadata, values)
}

// selection is what the endpoints of an upstream must carry so that its selectors find them.
type selection struct {
	tags, meta map[string]string // tag or metadata key → metadata entry
	fallback   bool
}

func selectionOf(subsets []gateway.SubsetKeys) selection {
	out := selection{tags: map[string]string{}, meta: map[string]string{}}
	for _, s := range subsets {
		out.fallback = out.fallback || s.Fallback
		for _, key := range strings.Split(s.Keys, "\x00") {
			if tag, ok := strings.CutPrefix(key, gateway.SubsetKey("")); ok {
				out.tags[tag] = key
			} else if name, ok := strings.CutPrefix(key, gateway.SubsetMeta("")); ok {
				out.meta[name] = key
			}
		}
	}
	return out
}

// of is the endpoint's metadata; nil where no selector asks for anything that it has.
func (s selection) of(e gateway.Endpoint) (*corev3.Metadata, error) {
	values := map[string]any{}
	for tag, key := range s.tags {
		if slices.Contains(e.Tags, tag) {
			values[key] = true
		}
	}
	for name, key := range s.meta {
		if v, ok := e.Meta[name]; ok {
			values[key] = v
		}
	}
	if s.fallback {
		values[fallbackKey] = true
	}
	if len(values) == 0 {
		return nil, nil
	}
	return metadata(lbMetadata, values)
}
