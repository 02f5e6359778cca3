package translate

import (
	mutationrulesv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	earlymutationv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/early_header_mutation/header_mutation/v3"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	// ClientHeader holds who calls, as a filter that knows the caller has written it: request.auth.client. It is the
	// gateway's own: what a client sends under this name is taken off before anything looks at the request, and the
	// router takes it off again before the upstream sees it.
	ClientHeader = "x-sluice-client"

	earlyMutation = "envoy.http.early_header_mutation.header_mutation"
)

// earlyHeaders changes the headers of a request before a route is chosen.
func earlyHeaders(m *hcmv3.HttpConnectionManager, name string, in gateway.Inputs, hops int) error {
	var all []*mutationrulesv3.HeaderMutation
	if served(in.Generation) >= PoliciesSince {
		all = append(all, &mutationrulesv3.HeaderMutation{Action: &mutationrulesv3.HeaderMutation_Remove{Remove: ClientHeader}})
	}
	if served(in.Generation) >= PoliciesSince && hops == 0 {
		all = append(all, forgedHeaders()...)
	}
	if in.Listener.Scoped() {
		all = append(all, scopeHeaderOf(name))
	}
	if len(all) == 0 {
		return nil
	}
	config, err := Pack(&earlymutationv3.HeaderMutation{Mutations: all})
	if err != nil {
		return err
	}
	m.EarlyHeaderMutationExtensions = []*corev3.TypedExtensionConfig{{Name: earlyMutation, TypedConfig: config}}
	return nil
}
