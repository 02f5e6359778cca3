// Package proxyprotocol is the feature "proxy_protocol": an upstream is told whom a connection is for.
package proxyprotocol

import (
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	proxyprotocolv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/proxy_protocol/v3"
	rawbufferv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/raw_buffer/v3"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

const rawName = "envoy.transport_sockets.raw_buffer"

// ProxyProtocol begins every connection to an upstream with a PROXY header, which bears the client's address.
type ProxyProtocol struct {
	gateway.FeatureBase
	Version string `hcl:"version,optional" default:"2" oneof:"1 2"` // 1 is text, 2 binary
}

var _ gateway.Feature = (*ProxyProtocol)(nil)

// FeatureType is the block's name.
func (*ProxyProtocol) FeatureType() string { return "proxy_protocol" }

// Kind is the feature as the translator and the language know it.
func Kind() translate.Kind {
	return translate.Kind{
		FeatureRule: gateway.FeatureRule{Type: "proxy_protocol", Combine: gateway.Nearest, Levels: gateway.LevelUpstream},
		New:         func() gateway.Feature { return &ProxyProtocol{} },
		Cluster:     cluster,
	}
}

// cluster wraps what the connection is otherwise: the header goes before a handshake of TLS.
func cluster(features []gateway.Effective, out *translate.Cluster) error {
	config := &corev3.ProxyProtocolConfig{Version: corev3.ProxyProtocolConfig_V2}
	if features[len(features)-1].Feature.(*ProxyProtocol).Version == "1" {
		config.Version = corev3.ProxyProtocolConfig_V1
	}
	inner := out.Cluster.TransportSocket
	if inner == nil {
		raw, err := translate.Pack(&rawbufferv3.RawBuffer{})
		if err != nil {
			return err
		}
		inner = &corev3.TransportSocket{Name: rawName, ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: raw}}
	}
	packed, err := translate.Pack(&proxyprotocolv3.ProxyProtocolUpstreamTransport{Config: config, TransportSocket: inner})
	if err != nil {
		return fmt.Errorf("pack its PROXY protocol: %w", err)
	}
	out.Cluster.TransportSocket = &corev3.TransportSocket{Name: translate.ProxyProtocolSocket, ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: packed}}
	return nil
}
