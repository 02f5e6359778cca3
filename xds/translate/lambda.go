package translate

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	familyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/common/dns/v3"
	dnsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/dns/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	dnsCluster      = "envoy.cluster.dns"
	tlsSocket       = "envoy.transport_sockets.tls"
	systemCAs       = "/etc/ssl/certs/ca-certificates.crt" // on the Envoys' machines
	lambdaIdle      = 60 * time.Second                     // before AWS closes a connection that Envoy is about to use
	nameRefresh     = 30 * time.Second
	nameRetry       = time.Second
	nameRetryLimit  = 10 * time.Second
	lambdaKeepalive = 45 // seconds; a function may take minutes in which no byte moves
)

// place is where the functions of an upstream are called.
type place struct {
	host string // name or address
	port uint32
	tls  bool
}

// lambdaPlace is the Function URL or the endpoint of a block, or its region's.
func lambdaPlace(l *gateway.Lambda) (place, error) {
	if l.URL != "" {
		return parsePlace(l.URL)
	}
	if l.Endpoint == "" {
		return place{"lambda." + l.Region + "." + awsDomain(l.Region), 443, true}, nil
	}
	return parsePlace(l.Endpoint)
}

// parsePlace reads http(s)://HOST or http(s)://HOST:PORT.
func parsePlace(text string) (place, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return place{}, fmt.Errorf("%q is no endpoint", text)
	}
	p := place{host: u.Hostname(), port: 80, tls: u.Scheme == "https"}
	if p.tls {
		p.port = 443
	}
	if u.Port() != "" {
		n, err := strconv.ParseUint(u.Port(), 10, 16)
		if err != nil || n == 0 {
			return place{}, fmt.Errorf("%q is no endpoint: its port is none", text)
		}
		p.port = uint32(n)
	}
	return p, nil
}

// awsDomain is the domain of a region's endpoints.
func awsDomain(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "amazonaws.com.cn"
	case strings.HasPrefix(region, "eusc-"):
		return "amazonaws.eu"
	}
	return "amazonaws.com"
}

// authority is the Host header of a request to p.
func (p place) authority() string {
	if p.tls && p.port == 443 || !p.tls && p.port == 80 {
		if strings.Contains(p.host, ":") {
			return "[" + p.host + "]"
		}
		return p.host
	}
	return net.JoinHostPort(p.host, strconv.Itoa(int(p.port)))
}

// lambdaCluster makes of an upstream's cluster that of its region's endpoint.
func lambdaCluster(out *Cluster) error {
	at, err := lambdaPlace(out.Upstream.Lambda)
	if err != nil {
		return err
	}
	return at.calls(out, out.Upstream.Lambda.CAFile)
}

// lambdaResource ends the cluster of a Lambda upstream, which has no assignment.
func lambdaResource(out *Cluster) (*Resource, error) {
	signer := signerKey(out.Upstream)
	if err := signed(out, signer, out.Upstream.PlatformOnly()); err != nil {
		return nil, err
	}
	options, err := Pack(out.HTTP)
	if err != nil {
		return nil, err
	}
	out.Cluster.TypedExtensionProtocolOptions = map[string]*anypb.Any{httpOptions: options}
	return &Resource{
		Key:      Key{TypeURL: ClusterType, Name: out.Cluster.Name},
		Message:  out.Cluster,
		Needs:    []Key{signer},
		Requires: []string{dnsCluster, signingFilter, mutationFilter, rbacFilter},
	}, nil
}

// calls makes a cluster one of a platform: its one address is a name, which keeps its connections while the name's
// addresses come and go, and every try of a request is signed on its way out.
func (p place) calls(out *Cluster, ca string) error {
	c := out.Cluster
	c.EdsClusterConfig = nil
	c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC}
	if net.ParseIP(p.host) == nil {
		names, err := Pack(&dnsv3.DnsCluster{
			DnsRefreshRate:               durationpb.New(nameRefresh),
			DnsFailureRefreshRate:        &dnsv3.DnsCluster_RefreshRate{BaseInterval: durationpb.New(nameRetry), MaxInterval: durationpb.New(nameRetryLimit)},
			RespectDnsTtl:                true,
			DnsLookupFamily:              familyv3.DnsLookupFamily_V4_PREFERRED,
			AllAddressesInSingleEndpoint: true,
		})
		if err != nil {
			return err
		}
		c.ClusterDiscoveryType = &clusterv3.Cluster_ClusterType{ClusterType: &clusterv3.Cluster_CustomClusterType{Name: dnsCluster, TypedConfig: names}}
	}
	c.LoadAssignment = &endpointv3.ClusterLoadAssignment{ClusterName: c.Name, Endpoints: []*endpointv3.LocalityLbEndpoints{{
		LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{
			Endpoint: &endpointv3.Endpoint{Address: socketAddress(p.host, p.port)},
		}}},
	}}}
	c.UpstreamConnectionOptions = &clusterv3.UpstreamConnectionOptions{TcpKeepalive: &corev3.TcpKeepalive{KeepaliveTime: u32(lambdaKeepalive)}}
	out.HTTP.CommonHttpProtocolOptions = &corev3.HttpProtocolOptions{IdleTimeout: durationpb.New(lambdaIdle)}
	if !p.tls {
		return nil
	}
	out.HTTP.UpstreamProtocolOptions = &httpv3.HttpProtocolOptions_AutoConfig{AutoConfig: &httpv3.HttpProtocolOptions_AutoHttpConfig{
		HttpProtocolOptions: &corev3.Http1ProtocolOptions{},
		Http2ProtocolOptions: &corev3.Http2ProtocolOptions{
			MaxConcurrentStreams:        u32(maxConcurrentStreams),
			InitialStreamWindowSize:     u32(streamWindow),
			InitialConnectionWindowSize: u32(connectionWindow),
		},
	}}
	return p.secure(c, ca)
}

// secure makes a cluster speak TLS with whoever has a certificate of the name.
func (p place) secure(c *clusterv3.Cluster, ca string) error {
	if ca == "" {
		ca = systemCAs
	}
	name := &tlsv3.SubjectAltNameMatcher{SanType: tlsv3.SubjectAltNameMatcher_DNS, Matcher: exact(p.host)}
	sni := p.host
	if net.ParseIP(p.host) != nil {
		name.SanType, sni = tlsv3.SubjectAltNameMatcher_IP_ADDRESS, ""
	}
	config, err := Pack(&tlsv3.UpstreamTlsContext{Sni: sni, CommonTlsContext: &tlsv3.CommonTlsContext{
		TlsParams: &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2},
		ValidationContextType: &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{
			TrustedCa:                 &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: ca}},
			MatchTypedSubjectAltNames: []*tlsv3.SubjectAltNameMatcher{name},
		}},
	}})
	if err != nil {
		return err
	}
	c.TransportSocket = &corev3.TransportSocket{Name: tlsSocket, ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: config}}
	return nil
}
