package translate

import (
	"fmt"
	"strings"

	mutationrulesv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	// ScopeType is the type of one first segment of a listener with scopes: its key and its table.
	ScopeType = "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration"

	// scopeHeader is what Envoy computes a request's scope of: LISTENER/PATH. It overwrites what a client sends, and no
	// upstream sees it.
	scopeHeader = "x-sluice-scope"
)

// scoped has the connection manager find its table by the first segment of the path. All scopes of an Envoy come by one
// subscription, so the listener is part of the key.
func scoped(m *hcmv3.HttpConnectionManager, name string) {
	m.RouteSpecifier = &hcmv3.HttpConnectionManager_ScopedRoutes{ScopedRoutes: &hcmv3.ScopedRoutes{
		Name:            name,
		ScopeKeyBuilder: &hcmv3.ScopedRoutes_ScopeKeyBuilder{Fragments: []*hcmv3.ScopedRoutes_ScopeKeyBuilder_FragmentBuilder{part(0), part(1)}},
		RdsConfigSource: ads(0),
		ConfigSpecifier: &hcmv3.ScopedRoutes_ScopedRds{ScopedRds: &hcmv3.ScopedRds{ScopedRdsConfigSource: ads(0)}},
	}}
}

// scopeHeaderOf writes what the scope of a request of a listener is found by.
func scopeHeaderOf(name string) *mutationrulesv3.HeaderMutation {
	return &mutationrulesv3.HeaderMutation{Action: &mutationrulesv3.HeaderMutation_Append{Append: &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: scopeHeader, Value: Literal(name) + "%PATH(NQ)%"},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}}}
}

// part is one of the slash-separated parts of the scope header.
func part(index uint32) *hcmv3.ScopedRoutes_ScopeKeyBuilder_FragmentBuilder {
	return &hcmv3.ScopedRoutes_ScopeKeyBuilder_FragmentBuilder{
		Type: &hcmv3.ScopedRoutes_ScopeKeyBuilder_FragmentBuilder_HeaderValueExtractor_{
			HeaderValueExtractor: &hcmv3.ScopedRoutes_ScopeKeyBuilder_FragmentBuilder_HeaderValueExtractor{
				Name: scopeHeader, ElementSeparator: "/",
				ExtractType: &hcmv3.ScopedRoutes_ScopeKeyBuilder_FragmentBuilder_HeaderValueExtractor_Index{Index: index},
			},
		},
	}
}

// scope builds one first segment of a listener: the hosts that have routes there, with these routes.
func (t *Translator) scope(in gateway.Inputs) (*Resource, error) {
	if in.Gateway == nil || !in.Listener.Scoped() {
		return nil, nil
	}
	key := gateway.ListenerKey{Gateway: in.Gateway.Name, Listener: in.Listener.Name}
	name := gateway.ScopeUnit(key, in.Segment).Name
	table := tableOf(name)
	table.RequestHeadersToRemove = append(table.RequestHeadersToRemove, scopeHeader)
	offerHTTP3(table, in.Listener)
	needs := []Key{{TypeURL: ListenerType, Name: key.String()}} // Envoy gives a scope to the listeners that are there
	for _, part := range in.Hosts {
		h, ns, err := t.virtualHost(key, part.Host, part.Table)
		if err != nil {
			return nil, fmt.Errorf("host %s: %w", part.Host, err)
		}
		table.VirtualHosts = append(table.VirtualHosts, h)
		needs = append(needs, ns...)
	}
	return &Resource{
		Key: Key{TypeURL: ScopeType, Name: name},
		Message: &routev3.ScopedRouteConfiguration{
			Name: name, RouteConfigurationName: name, RouteConfiguration: table,
			Key: &routev3.ScopedRouteConfiguration_Key{Fragments: []*routev3.ScopedRouteConfiguration_Key_Fragment{
				fragment(key.String()), fragment(in.Segment),
			}},
		},
		Needs: sortKeys(needs),
	}, nil
}

func fragment(text string) *routev3.ScopedRouteConfiguration_Key_Fragment {
	return &routev3.ScopedRouteConfiguration_Key_Fragment{
		Type: &routev3.ScopedRouteConfiguration_Key_Fragment_StringKey{StringKey: text},
	}
}

// scopesOf are copies of a listener's scopes that Envoy asks for nothing.
func scopesOf(listener string, resources []*Resource) (out []*routev3.ScopedRouteConfiguration) {
	for _, r := range resources {
		if m, ok := r.Message.(*routev3.ScopedRouteConfiguration); ok && strings.HasPrefix(m.Name, listener+"/") {
			m = proto.CloneOf(m)
			m.RouteConfigurationName = ""
			m.RouteConfiguration.ValidateClusters = wrapperspb.Bool(false)
			out = append(out, m)
		}
	}
	return out
}

// inlineTables puts a table, or the scopes where it is parted, into a connection manager.
func inlineTables(m *hcmv3.HttpConnectionManager, table *routev3.RouteConfiguration, scopes []*routev3.ScopedRouteConfiguration) {
	s := m.GetScopedRoutes()
	if s == nil {
		m.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: table}
		return
	}
	s.ConfigSpecifier = &hcmv3.ScopedRoutes_ScopedRouteConfigurationsList{
		ScopedRouteConfigurationsList: &hcmv3.ScopedRouteConfigurationsList{ScopedRouteConfigurations: scopes},
	}
}
