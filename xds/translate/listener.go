package translate

import (
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sluice-gateway/sluice/gateway"
)

// The edge defaults: Envoy's published practice for a proxy that faces clients it does not trust.
const (
	bufferLimit          = 32 << 10 // bytes per connection, downstream and upstream
	streamWindow         = 64 << 10
	connectionWindow     = 1 << 20
	maxConcurrentStreams = 100

	idleTimeout           = time.Hour
	requestTimeout        = 300 * time.Second
	requestHeadersTimeout = 10 * time.Second

	routerFilter = "envoy.filters.http.router"
	hcmFilter    = "envoy.filters.network.http_connection_manager"
)

// StreamIdleTimeout ends a request on which no byte has moved for so long, unless its route says otherwise.
const StreamIdleTimeout = 300 * time.Second

// listener builds one port. It depends on the gateway's listener block and the generation of the filter list alone: whatever
// changes here drains the connections of the port.
func (t *Translator) listener(in gateway.Inputs) (*Resource, error) {
	if in.Gateway == nil || in.Listener == nil {
		return nil, nil
	}
	name := gateway.ListenerKey{Gateway: in.Gateway.Name, Listener: in.Listener.Name}.String()
	chains, err := t.chains(name, in)
	if err != nil {
		return nil, err
	}
	generation, err := metadata("sluice", map[string]any{"generation": served(in.Generation)})
	if err != nil {
		return nil, err
	}
	address := in.Listener.Address
	if address == "" {
		address = "0.0.0.0"
	}
	l := &listenerv3.Listener{
		Name:                                 name,
		Address:                              socketAddress(address, uint32(in.Listener.Port)),
		Metadata:                             generation,
		PerConnectionBufferLimitBytes:        u32(bufferLimit),
		MaxConnectionsToAcceptPerSocketEvent: u32(1),
		FilterChains:                         chains,
	}
	if err := acceptProxyProtocol(l, in.Listener); err != nil {
		return nil, err
	}
	if err := speakTLS(l, in); err != nil {
		return nil, err
	}
	r := &Resource{Key: Key{TypeURL: ListenerType, Name: l.Name}, Message: l, Needs: scriptNeeds(served(in.Generation))}
	if !in.Listener.Scoped() { // else its scopes need it
		r.Needs = append([]Key{{TypeURL: RoutesType, Name: name}}, r.Needs...)
	}
	return r, nil
}

// connectionManager leaves internal_address_config out: then no client may send x-envoy- headers or a request id of its
// own. An empty one would trust private addresses, and so every load balancer. hops is how many proxies in front of it
// are believed.
func (t *Translator) connectionManager(name string, in gateway.Inputs, hops int) (*hcmv3.HttpConnectionManager, error) {
	filters, err := t.httpFilters(in.Generation)
	if err != nil {
		return nil, err
	}
	replies, err := localReplies(served(in.Generation))
	if err != nil {
		return nil, err
	}
	m := &hcmv3.HttpConnectionManager{
		StatPrefix: strings.ReplaceAll(name, ".", "_"), // a dot would part it in the names of metrics
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{
			RouteConfigName: name,
			ConfigSource:    ads(0),
		}},
		HttpFilters:                  filters,
		LocalReplyConfig:             replies,
		UseRemoteAddress:             yes(),
		NormalizePath:                yes(),
		MergeSlashes:                 true,
		PathWithEscapedSlashesAction: hcmv3.HttpConnectionManager_UNESCAPE_AND_REDIRECT,
		StripTrailingHostDot:         true,
		ServerHeaderTransformation:   hcmv3.HttpConnectionManager_PASS_THROUGH,
		CommonHttpProtocolOptions: &corev3.HttpProtocolOptions{
			IdleTimeout:                  durationpb.New(idleTimeout),
			HeadersWithUnderscoresAction: corev3.HttpProtocolOptions_REJECT_REQUEST,
		},
		Http2ProtocolOptions: &corev3.Http2ProtocolOptions{
			MaxConcurrentStreams:        u32(maxConcurrentStreams),
			InitialStreamWindowSize:     u32(streamWindow),
			InitialConnectionWindowSize: u32(connectionWindow),
		},
		StreamIdleTimeout:     durationpb.New(StreamIdleTimeout),
		RequestTimeout:        durationpb.New(requestTimeout),
		RequestHeadersTimeout: durationpb.New(requestHeadersTimeout),
	}
	if in.Listener.Scoped() {
		scoped(m, name)
	}
	clientsOf(m, in)
	believe(m, in, hops)
	return m, earlyHeaders(m, name, in, hops)
}

// httpFilters is the fixed list of a generation: the features' filters in their order, the router last.
func (t *Translator) httpFilters(generation int) ([]*hcmv3.HttpFilter, error) {
	list := append(t.filtersOf(generation), Filter{Name: routerFilter, Config: &routerv3.Router{}})
	out := make([]*hcmv3.HttpFilter, len(list))
	for i, f := range list {
		if f.Config == nil {
			out[i] = discovered(f)
			continue
		}
		config, err := Pack(f.Config)
		if err != nil {
			return nil, err
		}
		out[i] = &hcmv3.HttpFilter{
			Name:       f.Name,
			ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: config},
			Disabled:   f.Disabled,
		}
	}
	return out, nil
}

func socketAddress(address string, port uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address:       address,
		PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}
