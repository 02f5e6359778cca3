package translate

import (
	"fmt"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	proxyprotocolv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/proxy_protocol/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
)

// ProxyProtocolSocket is the name of the transport socket that begins a connection to an upstream with a PROXY header,
// and wraps another.
const ProxyProtocolSocket = "envoy.transport_sockets.upstream_proxy_protocol"

// inlineWrapped is inlineSecrets for a socket within another.
func inlineWrapped(c *clusterv3.Cluster, secrets map[string]*tlsv3.Secret) (*clusterv3.Cluster, error) {
	config := &proxyprotocolv3.ProxyProtocolUpstreamTransport{}
	if err := c.TransportSocket.GetTypedConfig().UnmarshalTo(config); err != nil {
		return nil, fmt.Errorf("read its transport socket: %w", err)
	}
	inner, err := inlineSecrets(&clusterv3.Cluster{TransportSocket: config.TransportSocket}, secrets)
	if err != nil {
		return nil, err
	}
	config.TransportSocket = inner.TransportSocket
	packed, err := Pack(config)
	if err != nil {
		return nil, err
	}
	c.TransportSocket = &corev3.TransportSocket{Name: ProxyProtocolSocket, ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: packed}}
	return c, nil
}
