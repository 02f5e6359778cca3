package translate

import (
	"fmt"
	"net/url"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/sluice-gateway/sluice/gateway"
)

// meshSocket has Envoy speak mutual TLS with endpoints in a service mesh: with sluice's own certificate, and with whoever
// proves to be the service. Whom to accept comes with the authorities, since the names are known when these are; so the
// cluster stays as it is when certificates, authorities or the trust domain change.
func meshSocket(out *Cluster) error {
	uses := out.Upstream.MeshUses()
	if len(uses) == 0 {
		return nil
	}
	common := &tlsv3.CommonTlsContext{
		TlsParams:     &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2, TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3},
		AlpnProtocols: []string{"http/1.1"},
	}
	if out.HTTP.GetExplicitHttpConfig().GetHttp2ProtocolOptions() != nil {
		common.AlpnProtocols = []string{"h2"}
	}
	for _, use := range uses {
		out.Needs = AddNeed(out.Needs, KeyOf(use.Unit()))
		if use.Form == gateway.FormCertificate {
			common.TlsCertificateSdsSecretConfigs = []*tlsv3.SdsSecretConfig{SecretSource(use)}
			continue
		}
		common.ValidationContextType = &tlsv3.CommonTlsContext_CombinedValidationContext{
			CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{
				DefaultValidationContext: &tlsv3.CertificateValidationContext{}, ValidationContextSdsSecretConfig: SecretSource(use),
			},
		}
	}
	config, err := Pack(&tlsv3.UpstreamTlsContext{CommonTlsContext: common})
	if err != nil {
		return err
	}
	out.Cluster.TransportSocket = &corev3.TransportSocket{Name: TLSSocket, ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: config}}
	return nil
}

// peers are the authorities of a mesh, and the SPIFFE names of the services that are accepted: no other name is.
func peers(in gateway.Inputs, found gateway.Material) (*tlsv3.Secret, error) {
	services, err := gateway.MeshServices(in.Field)
	if err != nil {
		return nil, err
	}
	name, _ := found.Reveal("name")
	domain, own, err := parseSPIFFE(string(name))
	if err != nil {
		return nil, material(in.Secret, "the certificate of %s has no name of a service in a mesh", in.Secret)
	}
	in.Field = "ca"
	made, err := authorities(in, found)
	if err != nil {
		return nil, err
	}
	rule := made.GetValidationContext()
	for _, s := range services {
		rule.MatchTypedSubjectAltNames = append(rule.MatchTypedSubjectAltNames, &tlsv3.SubjectAltNameMatcher{
			SanType: tlsv3.SubjectAltNameMatcher_URI,
			Matcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: spiffe(domain, s.In(own))}},
		})
	}
	return made, nil
}

// spiffe is the name that Consul puts into the certificate of a service. Of the default partition it says nothing.
func spiffe(domain string, s gateway.MeshService) string {
	if s.Partition == "default" {
		s.Partition = ""
	}
	return "spiffe://" + domain + "/" + s.String()
}

// parseSPIFFE is the inverse of spiffe.
func parseSPIFFE(name string) (domain string, s gateway.MeshService, err error) {
	u, err := url.Parse(name)
	if err != nil || u.Scheme != "spiffe" || u.Host == "" {
		return "", s, fmt.Errorf("%q is no SPIFFE name", name)
	}
	s, err = gateway.ParseMeshService(strings.TrimPrefix(u.EscapedPath(), "/"))
	return u.Host, s, err
}
