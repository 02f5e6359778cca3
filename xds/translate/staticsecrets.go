package translate

import (
	"fmt"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	quicv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/quic/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
)

// inlineSecrets puts the certificates that a cluster would be sent by SDS into it; those that are not among the secrets
// are left out: an Envoy without a control plane crashes where it is told to ask one. c is changed.
func inlineSecrets(c *clusterv3.Cluster, secrets map[string]*tlsv3.Secret) (*clusterv3.Cluster, error) {
	if c.GetTransportSocket().GetName() == ProxyProtocolSocket {
		return inlineWrapped(c, secrets)
	}
	if c.GetTransportSocket().GetName() != tlsSocket {
		return c, nil
	}
	config := &tlsv3.UpstreamTlsContext{}
	if err := c.TransportSocket.GetTypedConfig().UnmarshalTo(config); err != nil {
		return nil, fmt.Errorf("read its transport socket: %w", err)
	}
	inlineContext(config.CommonTlsContext, secrets)
	packed, err := Pack(config)
	if err != nil {
		return nil, err
	}
	c.TransportSocket = &corev3.TransportSocket{Name: tlsSocket, ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: packed}}
	return c, nil
}

func inlineContext(common *tlsv3.CommonTlsContext, secrets map[string]*tlsv3.Secret) {
	for _, s := range common.TlsCertificateSdsSecretConfigs {
		if found := secrets[s.Name].GetTlsCertificate(); found != nil {
			common.TlsCertificates = append(common.TlsCertificates, found)
		}
	}
	common.TlsCertificateSdsSecretConfigs = nil
	if both := common.GetCombinedValidationContext(); both != nil {
		rule := proto.CloneOf(both.DefaultValidationContext)
		if found := secrets[both.ValidationContextSdsSecretConfig.GetName()].GetValidationContext(); found != nil {
			proto.Merge(rule, found)
		}
		if rule.TrustedCa == nil {
			rule.MatchTypedSubjectAltNames = nil // Envoy refuses names without an authority
		}
		common.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: rule}
	}
}

// inlineServed does the same for a listener, whose certificates are replaced by a stand-in where they are not there. l is
// changed.
func inlineServed(l *listenerv3.Listener, secrets map[string]*tlsv3.Secret) error {
	for _, chain := range l.FilterChains {
		socket := chain.GetTransportSocket()
		var config proto.Message
		var context *tlsv3.DownstreamTlsContext
		switch socket.GetName() {
		case tlsSocket:
			context = &tlsv3.DownstreamTlsContext{}
			config = context
		case quicSocket:
			quic := &quicv3.QuicDownstreamTransport{DownstreamTlsContext: &tlsv3.DownstreamTlsContext{}}
			context, config = quic.DownstreamTlsContext, quic
		default:
			continue
		}
		if err := socket.GetTypedConfig().UnmarshalTo(config); err != nil {
			return fmt.Errorf("read its transport socket: %w", err)
		}
		if quic, ok := config.(*quicv3.QuicDownstreamTransport); ok {
			context = quic.DownstreamTlsContext
		}
		common := context.CommonTlsContext
		if err := standInFor(common, secrets); err != nil {
			return err
		}
		inlineContext(common, secrets)
		packed, err := Pack(config)
		if err != nil {
			return err
		}
		chain.TransportSocket = &corev3.TransportSocket{Name: socket.Name, ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: packed}}
	}
	return nil
}

// standInFor adds stand-ins to the secrets for what a listener has not.
func standInFor(common *tlsv3.CommonTlsContext, secrets map[string]*tlsv3.Secret) error {
	made, err := standIns()
	if err != nil {
		return err
	}
	for _, s := range common.TlsCertificateSdsSecretConfigs {
		if secrets[s.Name] == nil {
			secrets[s.Name] = made.certificate(s.Name)
		}
	}
	if s := common.GetCombinedValidationContext().GetValidationContextSdsSecretConfig(); s != nil && secrets[s.Name] == nil {
		secrets[s.Name] = made.nobody(s.Name)
	}
	return nil
}
