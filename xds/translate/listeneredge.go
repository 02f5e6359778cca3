package translate

import (
	mutationrulesv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	proxyprotocolv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/proxy_protocol/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	proxyProtocolFilter = "envoy.filters.listener.proxy_protocol"

	// ChallengePrefix is where authorities look for the answers to their ACME challenges (RFC 8555, section 8.3): the one
	// path that redirect_https does not redirect.
	ChallengePrefix = "/.well-known/acme-challenge/"

	httpsPort = 443
)

// chains are the filter chains of a listener: one, or, where only some peers are believed about who a client is, one for
// these and one for all others.
func (t *Translator) chains(name string, in gateway.Inputs) ([]*listenerv3.FilterChain, error) {
	proxies, hops := in.Listener.Proxies(), in.Listener.Hops()
	if len(proxies) == 0 {
		c, err := t.chain(name, in, hops)
		return []*listenerv3.FilterChain{c}, err
	}
	trusted, err := t.chain(name, in, hops)
	if err != nil {
		return nil, err
	}
	match := &listenerv3.FilterChainMatch{}
	for _, p := range proxies {
		match.SourcePrefixRanges = append(match.SourcePrefixRanges, &corev3.CidrRange{
			AddressPrefix: p.Addr().String(), PrefixLen: u32(uint32(p.Bits())),
		})
	}
	trusted.Name, trusted.FilterChainMatch = "trusted", match
	others, err := t.chain(name, in, 0)
	if err != nil {
		return nil, err
	}
	others.Name = "others"
	return []*listenerv3.FilterChain{trusted, others}, nil
}

func (t *Translator) chain(name string, in gateway.Inputs, hops int) (*listenerv3.FilterChain, error) {
	manager, err := t.connectionManager(name, in, hops)
	if err != nil {
		return nil, err
	}
	config, err := Pack(manager)
	if err != nil {
		return nil, err
	}
	return &listenerv3.FilterChain{Filters: []*listenerv3.Filter{{
		Name: hcmFilter, ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: config},
	}}}, nil
}

// believe has a connection manager take the client's address, the scheme and the request id from the proxies in front.
func believe(m *hcmv3.HttpConnectionManager, in gateway.Inputs, hops int) {
	m.XffNumTrustedHops = uint32(hops)
	m.PreserveExternalRequestId = hops > 0
	if in.Listener.RedirectHTTPS != nil {
		m.StripPortMode = &hcmv3.HttpConnectionManager_StripAnyHostPort{StripAnyHostPort: true} // the redirect names its own
	}
}

// forgedHeaders takes off what only proxies may say of a client. Envoy itself writes x-forwarded-for and
// x-forwarded-proto anew; see docs/forwarded.md.
func forgedHeaders() (out []*mutationrulesv3.HeaderMutation) {
	for _, name := range []string{"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix", "x-real-ip"} {
		out = append(out, &mutationrulesv3.HeaderMutation{Action: &mutationrulesv3.HeaderMutation_Remove{Remove: name}})
	}
	return out
}

// acceptProxyProtocol has connections begin with a PROXY header of version 1 or 2, whose address becomes the peer's.
func acceptProxyProtocol(l *listenerv3.Listener, from *gateway.Listener) error {
	if from.ProxyProtocol == "" {
		return nil
	}
	config, err := Pack(&proxyprotocolv3.ProxyProtocol{AllowRequestsWithoutProxyProtocol: from.ProxyProtocol == "optional"})
	if err != nil {
		return err
	}
	l.ListenerFilters = append(l.ListenerFilters, &listenerv3.ListenerFilter{
		Name: proxyProtocolFilter, ConfigType: &listenerv3.ListenerFilter_TypedConfig{TypedConfig: config},
	})
	return nil
}

// redirectHTTPS makes a table that redirects everything to https, and says whether the listener asks for it. Such a table
// is constant: no host and no route of anybody is in it, so none can take a request out of it. What answers ACME challenges
// goes before the refusal of challenge, which keeps them from being redirected.
func redirectHTTPS(table *routev3.RouteConfiguration, l *gateway.Listener) bool {
	if l.RedirectHTTPS == nil {
		return false
	}
	to := &routev3.RedirectAction{
		SchemeRewriteSpecifier: &routev3.RedirectAction_HttpsRedirect{HttpsRedirect: true},
		ResponseCode:           routev3.RedirectAction_PERMANENT_REDIRECT,
	}
	if l.RedirectHTTPS.Status == 301 {
		to.ResponseCode = routev3.RedirectAction_MOVED_PERMANENTLY
	}
	if l.RedirectHTTPS.Port != httpsPort {
		to.PortRedirect = uint32(l.RedirectHTTPS.Port)
	}
	table.VirtualHosts = []*routev3.VirtualHost{{
		Name: table.Name + "/redirect_https", Domains: []string{"*"},
		Routes: []*routev3.Route{challenge(), {
			Name: "redirect_https", Match: prefixed("/"), Action: &routev3.Route_Redirect{Redirect: to},
		}},
	}}
	return true
}

// challenge answers what nobody has asked an authority for.
func challenge() *routev3.Route {
	return &routev3.Route{
		Name: "acme_challenge", Match: prefixed(ChallengePrefix),
		Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 404}},
	}
}

func prefixed(prefix string) *routev3.RouteMatch {
	return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: prefix}}
}
