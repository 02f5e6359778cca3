package translate

import (
	"bytes"
	"fmt"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	awsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/aws/v3"
	signingv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/aws_request_signing/v3"
	headerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
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
	unsignFilter   = "sluice.unsign"
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
func signed(out *Cluster, signer Key) error {
	unsign := &headerv3.Mutations{}
	for _, name := range []string{"authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"} {
		unsign.RequestMutations = append(unsign.RequestMutations, &mutationv3.HeaderMutation{
			Action: &mutationv3.HeaderMutation_Remove{Remove: name},
		})
	}
	first, err := upstreamFilter(unsignFilter, &headerv3.HeaderMutation{Mutations: unsign})
	if err != nil {
		return err
	}
	last, err := upstreamFilter(codecFilter, &codecv3.UpstreamCodec{})
	if err != nil {
		return err
	}
	out.HTTP.HttpFilters = append(out.HTTP.HttpFilters, first, &hcmv3.HttpFilter{
		Name: signer.Name,
		ConfigType: &hcmv3.HttpFilter_ConfigDiscovery{ConfigDiscovery: &corev3.ExtensionConfigSource{
			ConfigSource: ads(secretWait),
			TypeUrls:     []string{signingTypeURL},
		}},
	}, last)
	return nil
}

// inlineSigner puts the signer of a cluster into it. c is changed.
func inlineSigner(c *clusterv3.Cluster, extensions map[string]*corev3.TypedExtensionConfig) (*clusterv3.Cluster, error) {
	packed, ok := c.TypedExtensionProtocolOptions[httpOptions]
	if !ok {
		return c, nil
	}
	options := &httpv3.HttpProtocolOptions{}
	if err := packed.UnmarshalTo(options); err != nil {
		return nil, fmt.Errorf("read its protocol options: %w", err)
	}
	changed := false
	for _, f := range options.HttpFilters {
		e := extensions[f.Name]
		if f.GetConfigDiscovery() == nil || e == nil {
			continue
		}
		f.ConfigType, changed = &hcmv3.HttpFilter_TypedConfig{TypedConfig: e.TypedConfig}, true
	}
	if !changed {
		return c, nil
	}
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
			exactly("content-type"),
			{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: "x-amz-"}},
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
		return nil, fmt.Errorf("nobody can read %s", secret)
	}
	material, ok := t.reveal(secret)
	if !ok {
		return nil, fmt.Errorf("the material of %s is not known", secret)
	}
	out := &awsv3.InlineCredentialProvider{}
	for _, f := range []struct {
		name     string
		value    *string
		required bool
	}{{accessKeyField, &out.AccessKeyId, true}, {secretKeyField, &out.SecretAccessKey, true}, {sessionField, &out.SessionToken, false}} {
		value, _ := material.Reveal(f.name)
		value = bytes.TrimSpace(value)
		if len(value) == 0 && f.required {
			return nil, fmt.Errorf("%s has no field %q, so it is no credentials of AWS", secret, f.name)
		}
		if bytes.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return nil, fmt.Errorf("field %q of %s holds what no credentials of AWS do", f.name, secret)
		}
		*f.value = string(value)
	}
	return out, nil
}
