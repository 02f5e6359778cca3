package translate

import (
	"fmt"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
)

// inlineSecrets puts the certificates that a cluster would be sent by SDS into it; those that are not among the secrets
// are left out: an Envoy without a control plane crashes where it is told to ask one. c is changed.
func inlineSecrets(c *clusterv3.Cluster, secrets map[string]*tlsv3.Secret) (*clusterv3.Cluster, error) {
	if c.GetTransportSocket().GetName() != tlsSocket {
		return c, nil
	}
	config := &tlsv3.UpstreamTlsContext{}
	if err := c.TransportSocket.GetTypedConfig().UnmarshalTo(config); err != nil {
		return nil, fmt.Errorf("read its transport socket: %w", err)
	}
	common := config.CommonTlsContext
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
	packed, err := Pack(config)
	if err != nil {
		return nil, err
	}
	c.TransportSocket = &corev3.TransportSocket{Name: tlsSocket, ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: packed}}
	return c, nil
}
