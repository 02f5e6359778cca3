package translate

import (
	"fmt"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	quicv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/quic/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	http3Suffix = ".http3" // of the listener's name; neither part of that can hold a dot
	quicSocket  = "envoy.transport_sockets.quic"

	// servedWait is how long a new form of a listener waits for its certificates before it takes the place of the old one.
	// sluice answers at once for each of them, if with a stand-in.
	servedWait = 10 * time.Second

	// handshakeTimeout ends a connection whose client does not finish its handshake.
	handshakeTimeout = 10 * time.Second

	// altSvcAge is how many seconds a client may remember that there is HTTP/3.
	altSvcAge = 86400
)

// speakTLS has a listener speak TLS, or, over UDP, QUIC. All certificates are in one context, in which Envoy chooses by
// SNI; see docs/adr/0019. They come by SDS: a rotation touches no connection.
func speakTLS(l *listenerv3.Listener, in gateway.Inputs) error {
	tls := in.Listener.TLS
	if tls == nil {
		return nil
	}
	context := downstream(tls, alpn(in))
	name, config := tlsSocket, proto.Message(context)
	if in.Unit.Type == gateway.UnitHTTP3 {
		overUDP(l)
		name, config = quicSocket, &quicv3.QuicDownstreamTransport{DownstreamTlsContext: context}
	}
	packed, err := Pack(config)
	if err != nil {
		return fmt.Errorf("pack its TLS: %w", err)
	}
	for _, c := range l.FilterChains {
		c.TransportSocket = &corev3.TransportSocket{Name: name, ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: packed}}
		c.TransportSocketConnectTimeout = durationpb.New(handshakeTimeout)
	}
	return nil
}

func alpn(in gateway.Inputs) []string {
	switch {
	case in.Unit.Type == gateway.UnitHTTP3:
		return []string{"h3"}
	case in.Listener.TLS.HTTP2:
		return []string{"h2", "http/1.1"}
	}
	return []string{"http/1.1"}
}

func downstream(tls *gateway.ListenerTLS, protocols []string) *tlsv3.DownstreamTlsContext {
	parameters := &tlsv3.TlsParameters{
		TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2, TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3,
		CipherSuites: tls.Ciphers,
	}
	if len(tls.Ciphers) == 0 {
		parameters.CipherSuites = gateway.StrongCiphers
	}
	if tls.Modern() {
		parameters.TlsMinimumProtocolVersion, parameters.CipherSuites = tlsv3.TlsParameters_TLSv1_3, nil
	}
	common := &tlsv3.CommonTlsContext{TlsParams: parameters, AlpnProtocols: protocols}
	out := &tlsv3.DownstreamTlsContext{CommonTlsContext: common}
	for _, use := range tls.SecretUses() {
		from := &tlsv3.SdsSecretConfig{Name: KeyOf(use.Unit()).Name, SdsConfig: ads(servedWait)}
		if use.Form == gateway.FormServed {
			common.TlsCertificateSdsSecretConfigs = append(common.TlsCertificateSdsSecretConfigs, from)
			continue
		}
		common.ValidationContextType = &tlsv3.CommonTlsContext_CombinedValidationContext{
			CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{
				DefaultValidationContext: &tlsv3.CertificateValidationContext{}, ValidationContextSdsSecretConfig: from,
			},
		}
		out.RequireClientCertificate = wrapperspb.Bool(tls.Clients() == "required")
	}
	return out
}

// overUDP makes of a listener the same one for QUIC.
func overUDP(l *listenerv3.Listener) {
	l.Name += http3Suffix
	l.Address.GetSocketAddress().Protocol = corev3.SocketAddress_UDP
	l.MaxConnectionsToAcceptPerSocketEvent = nil
	l.UdpListenerConfig = &listenerv3.UdpListenerConfig{
		QuicOptions: &listenerv3.QuicProtocolOptions{QuicProtocolOptions: &corev3.QuicProtocolOptions{
			MaxConcurrentStreams: u32(maxConcurrentStreams), InitialStreamWindowSize: u32(streamWindow), InitialConnectionWindowSize: u32(connectionWindow),
		}},
		DownstreamSocketConfig: &corev3.UdpSocketConfig{PreferGro: yes()},
	}
}

// clientsOf tells upstreams what a client has shown of itself. What clients send in that header is never passed on.
func clientsOf(m *hcmv3.HttpConnectionManager, in gateway.Inputs) {
	m.ForwardClientCertDetails = hcmv3.HttpConnectionManager_SANITIZE
	if in.Listener.TLS != nil && in.Listener.TLS.Clients() != "none" {
		m.ForwardClientCertDetails = hcmv3.HttpConnectionManager_SANITIZE_SET
		m.SetCurrentClientCertDetails = &hcmv3.HttpConnectionManager_SetCurrentClientCertDetails{Subject: yes(), Uri: true, Dns: true}
	}
	if in.Unit.Type == gateway.UnitHTTP3 {
		m.CodecType = hcmv3.HttpConnectionManager_HTTP3
		m.Http3ProtocolOptions = &corev3.Http3ProtocolOptions{}
	}
}

// offerHTTP3 has a table tell clients that its listener speaks HTTP/3 on the same port.
func offerHTTP3(table *routev3.RouteConfiguration, l *gateway.Listener) {
	if !l.HTTP3 {
		return
	}
	table.ResponseHeadersToAdd = append(table.ResponseHeadersToAdd, &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: "alt-svc", Value: fmt.Sprintf(`h3=":%d"; ma=%d`, l.Port, altSvcAge)},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	})
}
