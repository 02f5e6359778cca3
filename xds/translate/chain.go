package translate

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	chainv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/filter_chain/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sluice-gateway/sluice/gateway"
)

const chainFilter = "envoy.filters.http.filter_chain"

// Link is one filter of a chain that a route brings along.
type Link struct {
	Name   string // the key of its own per-route configuration
	Config proto.Message
}

// ChainFilter is a place in the filter list for filters that routes bring along whole, any number of them: for what
// Envoy cannot override per route. Brings are the extensions that routes put there.
func ChainFilter(name string, brings ...string) Filter {
	return Filter{
		Name: name, Config: &chainv3.FilterChainConfig{}, Disabled: true, Since: PoliciesSince, Requires: chainFilter, Brings: brings,
	}
}

// Chain puts filters into the place that a ChainFilter holds, in their order. A chain knows no config_discovery: what
// they need is in the route, so they hold no secret.
func (r *Route) Chain(place string, links ...Link) error {
	chain := &chainv3.FilterChain{}
	for _, l := range links {
		config, err := Pack(l.Config)
		if err != nil {
			return err
		}
		chain.Filters = append(chain.Filters, &corev3.TypedExtensionConfig{Name: l.Name, TypedConfig: config})
	}
	return r.Configure(place, &chainv3.FilterChainConfigPerRoute{FilterChain: chain})
}

// Configure sets the route's configuration of a filter, and so turns it on.
func (r *Route) Configure(filter string, config proto.Message) error {
	packed, err := Pack(config)
	if err != nil {
		return err
	}
	if r.Route.TypedPerFilterConfig == nil {
		r.Route.TypedPerFilterConfig = map[string]*anypb.Any{}
	}
	r.Route.TypedPerFilterConfig[filter] = packed
	return nil
}

// Names says by which names a route, the upstream that it calls and the function of it are known; what there is none of
// is left out. They are told to whatever decides about requests.
func (r *Route) Names() map[string]string {
	names := map[string]string{"route": r.Table.Route.Name}
	if r.Dest == nil {
		return names
	}
	names["upstream"] = r.Dest.Upstream.Name
	if _, function, ok := gateway.SplitFunction(r.Dest.To.Function.ID); ok {
		names["function"] = function
	}
	return names
}
