package translate

import (
	"bytes"
	"fmt"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	awsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/aws/v3"
	signingv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/aws_request_signing/v3"
	headerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	rbachttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	codecv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/upstream_codec/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	signingFilter  = "envoy.filters.http.aws_request_signing"
	signingTypeURL = "type.googleapis.com/envoy.extensions.filters.http.aws_request_signing.v3.AwsRequestSigning"
	mutationFilter = "envoy.filters.http.header_mutation"
	rbacFilter     = "envoy.filters.http.rbac"
	unsignFilter   = "sluice.unsign"
	invokeFilter   = "sluice.invocations"
	codecFilter    = "envoy.filters.http.upstream_codec"
	signedService  = "lambda"
)

// The fields of a secret that are AWS credentials.
const (
	accessKeyField = "access_key"
	secretKeyField = "secret_key"
	sessionField   = "security_token"
)

// signerKey is the signer of a Lambda upstream.
func signerKey(u *gateway.Upstream) Key {
	return KeyOf(gateway.Unit{Type: gateway.UnitSigner, Name: u.Name})
}

// signed ends a cluster's filters: what an earlier try was signed with is taken off, and the signer signs what is sent.
// Its configuration comes by ECDS alone. Envoy answers with 500 while it has none, so nothing is ever sent unsigned.
//
// A platform is sent calls of its functions and nothing else, whatever a route says. A Function URL is sent what the
// client sent, but for the headers that would speak to AWS, and so are its answers.
func signed(out *Cluster, signer Key, platform bool) error {
	configs := []struct {
		name   string
		config proto.Message
	}{{unsignFilter, unsign()}, {invokeFilter, onlyInvocations()}}
	if !platform {
		configs = configs[:1]
		configs[0].config = plainHTTP()
	}
	for _, c := range configs {
		filter, err := upstreamFilter(c.name, c.config)
		if err != nil {
			return err
		}
		out.HTTP.HttpFilters = append(out.HTTP.HttpFilters, filter)
	}
	last, err := upstreamFilter(codecFilter, &codecv3.UpstreamCodec{})
	if err != nil {
		return err
	}
	out.HTTP.HttpFilters = append(out.HTTP.HttpFilters, &hcmv3.HttpFilter{
		Name: signer.Name,
		ConfigType: &hcmv3.HttpFilter_ConfigDiscovery{ConfigDiscovery: &corev3.ExtensionConfigSource{
			ConfigSource: ads(secretWait),
			TypeUrls:     []string{signingTypeURL},
		}},
	}, last)
	return nil
}

// unsign takes off what an earlier try was signed with.
func unsign() *headerv3.HeaderMutation {
	out := &headerv3.Mutations{}
	for _, name := range []string{"authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"} {
		out.RequestMutations = append(out.RequestMutations, &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Remove{Remove: name}})
	}
	return &headerv3.HeaderMutation{Mutations: out}
}

// plainHTTP takes off all that speaks to AWS, and that AWS says.
func plainHTTP() *headerv3.HeaderMutation {
	amazon := func(prefix string) *mutationv3.HeaderMutation {
		return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_RemoveOnMatch_{
			RemoveOnMatch: &mutationv3.HeaderMutation_RemoveOnMatch{KeyMatcher: beginning(prefix)},
		}}
	}
	return &headerv3.HeaderMutation{Mutations: &headerv3.Mutations{
		RequestMutations: []*mutationv3.HeaderMutation{
			{Action: &mutationv3.HeaderMutation_Remove{Remove: "authorization"}}, amazon("x-amz-"),
		},
		ResponseMutations: []*mutationv3.HeaderMutation{amazon("x-amz-"), amazon("x-amzn-")},
	}}
}

// onlyInvocations refuses with 403 what calls no function.
func onlyInvocations() *rbachttpv3.RBAC {
	return &rbachttpv3.RBAC{Rules: &rbacv3.RBAC{Action: rbacv3.RBAC_ALLOW, Policies: map[string]*rbacv3.Policy{"invoke": {
		Principals: []*rbacv3.Principal{{Identifier: &rbacv3.Principal_Any{Any: true}}},
		Permissions: []*rbacv3.Permission{{Rule: &rbacv3.Permission_AndRules{AndRules: &rbacv3.Permission_Set{Rules: []*rbacv3.Permission{
			{Rule: &rbacv3.Permission_Header{Header: &routev3.HeaderMatcher{
				Name: ":method", HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: exact("POST")},
			}}},
			{Rule: &rbacv3.Permission_UrlPath{UrlPath: &matcherv3.PathMatcher{Rule: &matcherv3.PathMatcher_Path{Path: fullRegex(`/2015-03-31/functions/[^/]+/invocations`)}}}},
		}}}}},
	}}}}
}

// inlineSigner puts the signer of a cluster into it; one that is not among the extensions is left out. c is changed.
func inlineSigner(c *clusterv3.Cluster, extensions map[string]*corev3.TypedExtensionConfig) (*clusterv3.Cluster, error) {
	packed, ok := c.TypedExtensionProtocolOptions[httpOptions]
	if !ok {
		return c, nil
	}
	options := &httpv3.HttpProtocolOptions{}
	if err := packed.UnmarshalTo(options); err != nil {
		return nil, fmt.Errorf("read its protocol options: %w", err)
	}
	options.HttpFilters = inlineExtensions(options.HttpFilters, extensions)
	packed, err := pack(options)
	c.TypedExtensionProtocolOptions[httpOptions] = packed
	return c, err
}

func upstreamFilter(name string, config proto.Message) (*hcmv3.HttpFilter, error) {
	packed, err := Pack(config)
	if err != nil {
		return nil, err
	}
	return &hcmv3.HttpFilter{Name: name, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed}}, nil
}

// signer builds the ECDS resource of a Lambda upstream: its credentials, read at this moment, are in it alone. Material
// that is not known any more, or that is no credentials, is an error: what the Envoys have stays. No error holds a part
// of the material.
func (t *Translator) signer(in gateway.Inputs) (*Resource, error) {
	if in.Upstream == nil || in.Upstream.Lambda == nil || in.Secret.IsZero() {
		return nil, nil
	}
	credential, err := t.credential(in.Secret)
	if err != nil {
		return nil, err
	}
	at, err := lambdaPlace(in.Upstream.Lambda)
	if err != nil {
		return nil, err
	}
	config, err := Pack(&signingv3.AwsRequestSigning{
		ServiceName: signedService,
		Region:      in.Upstream.Lambda.Region,
		HostRewrite: at.authority(),
		// Nothing else: what a proxy on the way may change must not break the signature.
		MatchIncludedHeaders: []*matcherv3.StringMatcher{
			exact("content-type"),
			beginning("x-amz-"),
		},
		CredentialProvider: &awsv3.AwsCredentialProvider{InlineCredential: credential},
	})
	if err != nil {
		return nil, err
	}
	key := KeyOf(in.Unit)
	return &Resource{
		Key:      key,
		Message:  &corev3.TypedExtensionConfig{Name: key.Name, TypedConfig: config},
		Requires: []string{signingFilter},
	}, nil
}

// credential reads the AWS credentials that a secret holds.
func (t *Translator) credential(secret gateway.ID) (*awsv3.InlineCredentialProvider, error) {
	if t.reveal == nil {
		return nil, material(secret, "nobody can read %s", secret)
	}
	found, ok := t.reveal(secret)
	if !ok {
		return nil, material(secret, "the material of %s is not known", secret)
	}
	out := &awsv3.InlineCredentialProvider{}
	for _, f := range []struct {
		name     string
		value    *string
		required bool
	}{{accessKeyField, &out.AccessKeyId, true}, {secretKeyField, &out.SecretAccessKey, true}, {sessionField, &out.SessionToken, false}} {
		value, _ := found.Reveal(f.name)
		value = bytes.TrimSpace(value)
		if len(value) == 0 && f.required {
			return nil, material(secret, "%s has no field %q, so it is no credentials of AWS", secret, f.name)
		}
		if bytes.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return nil, material(secret, "field %q of %s holds what no credentials of AWS do", f.name, secret)
		}
		*f.value = string(value)
	}
	return out, nil
}
