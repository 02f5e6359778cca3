package tls

import (
	"net"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

var versions = map[string]tlsv3.TlsParameters_TlsProtocol{"1.2": tlsv3.TlsParameters_TLSv1_2, "1.3": tlsv3.TlsParameters_TLSv1_3}

func cluster(features []gateway.Effective, out *translate.Cluster) error {
	t := features[len(features)-1].Feature.(*TLS)
	common := &tlsv3.CommonTlsContext{
		TlsParams:     &tlsv3.TlsParameters{TlsMinimumProtocolVersion: versions[t.MinVersion], TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3},
		AlpnProtocols: []string{"http/1.1"},
	}
	if out.HTTP.GetExplicitHttpConfig().GetHttp2ProtocolOptions() != nil {
		common.AlpnProtocols = []string{"h2"}
	}
	if !t.Insecure {
		t.trust(common)
	}
	if !t.Certificate.ID.IsZero() {
		common.TlsCertificateSdsSecretConfigs = []*tlsv3.SdsSecretConfig{translate.SecretSource(t.client())}
	}
	for _, use := range t.SecretUses() {
		out.Needs = translate.AddNeed(out.Needs, translate.KeyOf(use.Unit()))
	}
	config, err := translate.Pack(&tlsv3.UpstreamTlsContext{Sni: t.asked(), CommonTlsContext: common})
	if err != nil {
		return err
	}
	out.Cluster.TransportSocket = &corev3.TransportSocket{
		Name: translate.TLSSocket, ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: config},
	}
	return nil
}

// asked is the name that the upstream is asked for.
func (t *TLS) asked() string {
	if t.SNI != "" {
		return t.SNI
	}
	for _, n := range t.Names {
		if kindOf(n) == tlsv3.SubjectAltNameMatcher_DNS && !strings.HasPrefix(n, "*") {
			return n
		}
	}
	return ""
}

// trust says which certificates are the upstream's.
func (t *TLS) trust(common *tlsv3.CommonTlsContext) {
	names := t.Names
	if len(names) == 0 {
		names = []string{t.SNI}
	}
	rule := &tlsv3.CertificateValidationContext{}
	for _, n := range names {
		rule.MatchTypedSubjectAltNames = append(rule.MatchTypedSubjectAltNames, &tlsv3.SubjectAltNameMatcher{
			SanType: kindOf(n), Matcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: n}},
		})
	}
	if t.CA.ID.IsZero() {
		file := t.CAFile
		if file == "" {
			file = translate.SystemAuthorities
		}
		rule.TrustedCa = &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: file}}
		common.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: rule}
		return
	}
	common.ValidationContextType = &tlsv3.CommonTlsContext_CombinedValidationContext{
		CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{
			DefaultValidationContext: rule, ValidationContextSdsSecretConfig: translate.SecretSource(t.authorities()),
		},
	}
}

// kindOf tells host names from addresses and URIs, such as spiffe://example.com/shop.
func kindOf(name string) tlsv3.SubjectAltNameMatcher_SanType {
	switch {
	case net.ParseIP(name) != nil:
		return tlsv3.SubjectAltNameMatcher_IP_ADDRESS
	case strings.Contains(name, "://"):
		return tlsv3.SubjectAltNameMatcher_URI
	}
	return tlsv3.SubjectAltNameMatcher_DNS
}
