package credential

import (
	_ "embed"
	"fmt"
	"strings"

	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	headermutationv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	luav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"
	secretv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/formatter/generic_secret/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// The filters stand behind the script, which so never sees a secret, and cannot overwrite one. The first writes the value
// as it is; where the secret is not known it leaves no header, and the second answers instead of the upstream.
const (
	writeFilter = "sluice.credential"
	guardFilter = "sluice.credential.guard"
	guardScript = "guard"
	formatter   = "envoy.formatter.generic_secret"
	mutation    = "envoy.filters.http.header_mutation"
	lua         = "envoy.filters.http.lua"
)

//go:embed guard.lua
var guard string

func filters() []translate.Filter {
	script := &luav3.Lua{
		SourceCodes: map[string]*corev3.DataSource{
			guardScript: {Specifier: &corev3.DataSource_InlineString{InlineString: guard}},
		},
		ClearRouteCache: wrapperspb.Bool(false), // or the destination would be chosen anew
	}
	return []translate.Filter{
		{Name: writeFilter, Config: &headermutationv3.HeaderMutation{}, Disabled: true, Last: true, Since: 2, Requires: mutation},
		{Name: guardFilter, Config: script, Disabled: true, Last: true, Since: 2, Requires: lua},
	}
}

func route(features []gateway.Effective, out *translate.Route) error {
	if out.Action == nil {
		return nil // nobody gets a request
	}
	c := features[len(features)-1].Feature.(*Credential)
	secret := c.SecretUses()[0]
	header := strings.ToLower(c.Header)
	write, err := writes(header, secret)
	if err != nil {
		return err
	}
	context, err := structpb.NewStruct(map[string]any{"header": header, "prefix": c.Prefix})
	if err != nil {
		return fmt.Errorf("prefix %q: %w", c.Prefix, err)
	}
	check, err := translate.Pack(&luav3.LuaPerRoute{Override: &luav3.LuaPerRoute_Name{Name: guardScript}, FilterContext: context})
	if err != nil {
		return err
	}
	if out.Route.TypedPerFilterConfig == nil {
		out.Route.TypedPerFilterConfig = map[string]*anypb.Any{}
	}
	out.Route.TypedPerFilterConfig[writeFilter] = write
	out.Route.TypedPerFilterConfig[guardFilter] = check
	for _, copies := range out.Action.RequestMirrorPolicies { // the secret is not the mirror's
		copies.RequestHeadersMutations = append(copies.RequestHeadersMutations, remove(header))
	}
	out.Needs = translate.AddNeed(out.Needs, translate.KeyOf(secret.Unit()))
	return nil
}

// writes puts the secret into the header. What the client sent goes first: an unknown secret writes nothing.
func writes(header string, secret gateway.SecretUse) (*anypb.Any, error) {
	from, err := translate.Pack(&secretv3.GenericSecret{SecretConfigs: map[string]*tlsv3.SdsSecretConfig{
		"value": translate.SecretSource(secret),
	}})
	if err != nil {
		return nil, err
	}
	return translate.Pack(&headermutationv3.HeaderMutationPerRoute{Mutations: &headermutationv3.Mutations{
		Formatters: []*corev3.TypedExtensionConfig{{Name: formatter, TypedConfig: from}},
		RequestMutations: []*mutationv3.HeaderMutation{remove(header), {
			Action: &mutationv3.HeaderMutation_Append{Append: &corev3.HeaderValueOption{
				Header:       &corev3.HeaderValue{Key: header, Value: "%SECRET(value)%"},
				AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
			}},
		}},
	}})
}

func remove(header string) *mutationv3.HeaderMutation {
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Remove{Remove: header}}
}
