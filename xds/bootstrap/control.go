package bootstrap

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	connectTimeout    = time.Second
	keepaliveInterval = 10 * time.Second
	keepaliveTimeout  = 3 * time.Second // a frozen control plane is noticed after interval and timeout at the latest
	ejection          = 10 * time.Second

	clientSecret = "sluice_xds_client"
)

// controlPlanes is the cluster of the replicas. All stand in one priority, so that Envoys spread over them; one that
// cannot be connected to is passed over for a while.
func controlPlanes(o Options) (*clusterv3.Cluster, error) {
	if len(o.ControlPlanes) == 0 {
		return nil, fmt.Errorf("no control plane is given")
	}
	c := &clusterv3.Cluster{
		Name:                 xdsCluster,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		ConnectTimeout:       durationpb.New(connectTimeout),
		LoadAssignment:       &endpointv3.ClusterLoadAssignment{ClusterName: xdsCluster},
		OutlierDetection: &clusterv3.OutlierDetection{
			SplitExternalLocalOriginErrors: true,
			ConsecutiveLocalOriginFailure:  wrapperspb.UInt32(2),
			BaseEjectionTime:               durationpb.New(ejection),
			MaxEjectionTime:                durationpb.New(ejection),
		},
	}
	group := &endpointv3.LocalityLbEndpoints{}
	for _, cp := range o.ControlPlanes {
		a, err := address(cp)
		if err != nil {
			return nil, fmt.Errorf("control plane: %w", err)
		}
		if s := a.GetSocketAddress(); s != nil && !isIP(s.Address) {
			c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STRICT_DNS}
		}
		group.LbEndpoints = append(group.LbEndpoints, &endpointv3.LbEndpoint{
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: a}},
		})
	}
	c.LoadAssignment.Endpoints = []*endpointv3.LocalityLbEndpoints{group}
	http2, err := pack(&httpv3.HttpProtocolOptions{
		UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{
			ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
				ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{
					Http2ProtocolOptions: &corev3.Http2ProtocolOptions{ConnectionKeepalive: &corev3.KeepaliveSettings{
						Interval: durationpb.New(keepaliveInterval), Timeout: durationpb.New(keepaliveTimeout),
					}},
				},
			},
		},
	})
	if err != nil {
		return nil, err
	}
	c.TypedExtensionProtocolOptions = map[string]*anypb.Any{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2}
	if o.TLS != nil {
		c.TransportSocket, err = transportSocket(o.TLS)
	}
	return c, err
}

func transportSocket(t *TLS) (*corev3.TransportSocket, error) {
	if t.SecretsFile == "" || t.CAFile == "" || t.CertFile == "" || t.KeyFile == "" {
		return nil, fmt.Errorf("TLS needs a CA, a certificate, a key and a path for the secrets file")
	}
	authority := &tlsv3.CertificateValidationContext{TrustedCa: file(t.CAFile)}
	if t.ServerName != "" {
		authority.MatchTypedSubjectAltNames = []*tlsv3.SubjectAltNameMatcher{{
			SanType: tlsv3.SubjectAltNameMatcher_DNS,
			Matcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: t.ServerName}},
		}}
	}
	config, err := pack(&tlsv3.UpstreamTlsContext{
		Sni: t.ServerName,
		CommonTlsContext: &tlsv3.CommonTlsContext{
			TlsParams:     &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_3, TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3},
			AlpnProtocols: []string{"h2"},
			TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{{
				Name: clientSecret,
				SdsConfig: &corev3.ConfigSource{
					ResourceApiVersion: corev3.ApiVersion_V3,
					ConfigSourceSpecifier: &corev3.ConfigSource_PathConfigSource{
						PathConfigSource: &corev3.PathConfigSource{Path: t.SecretsFile},
					},
				},
			}},
			ValidationContextType: &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: authority},
		},
	})
	if err != nil {
		return nil, err
	}
	return &corev3.TransportSocket{
		Name:       "envoy.transport_sockets.tls",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: config},
	}, nil
}

// Secrets is the content of TLS.SecretsFile: it says where the certificate and its key are, and holds neither.
func Secrets(t *TLS) ([]byte, error) {
	secret, err := pack(&tlsv3.Secret{Name: clientSecret, Type: &tlsv3.Secret_TlsCertificate{
		TlsCertificate: &tlsv3.TlsCertificate{
			CertificateChain: file(t.CertFile),
			PrivateKey:       file(t.KeyFile),
			WatchedDirectory: &corev3.WatchedDirectory{Path: filepath.Dir(t.CertFile)},
		},
	}})
	if err != nil {
		return nil, err
	}
	return marshal(&discoveryv3.DiscoveryResponse{Resources: []*anypb.Any{secret}})
}

func file(path string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: path}}
}

// address reads host:port or unix:PATH.
func address(s string) (*corev3.Address, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: path}}}, nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return nil, fmt.Errorf("read address %q: %w", s, err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || host == "" {
		return nil, fmt.Errorf("read address %q: it must be HOST:PORT", s)
	}
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(number)},
	}}}, nil
}

func isIP(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// adminAddress refuses what others than this machine could reach.
func adminAddress(s string) (*corev3.Address, error) {
	a, err := address(s)
	if err != nil {
		return nil, err
	}
	if at := a.GetSocketAddress(); at != nil {
		if ip, err := netip.ParseAddr(at.Address); err != nil || !ip.IsLoopback() {
			return nil, fmt.Errorf("address %q is not on loopback: use 127.0.0.1:PORT or unix:PATH", s)
		}
	}
	return a, nil
}
