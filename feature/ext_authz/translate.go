package extauthz

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	mutationrulesv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extauthzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	headermutationv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// place is where a route's authorization filters stand, all of those that hold there. Envoy's own configuration per route
// overrides only a part of one, and neither what an error does nor which headers an answer may set.
const place = "sluice.ext_authz"

// What the service is told besides the request, over HTTP: after the first the gateway's own names, after the second
// those of the block.
const (
	nameHeader    = "x-sluice-"
	contextHeader = "x-sluice-context-"
)

// deniedHeaders are those of an answer which refuses that a client gets at any rate: what makes a login work.
var deniedHeaders = []string{"content-type", "location", "set-cookie", "www-authenticate", "retry-after"}

func route(features []gateway.Effective, out *translate.Route) error {
	var links []translate.Link
	if strip := stripped(features); strip != nil {
		links = append(links, translate.Link{Name: place + ".strip", Config: strip})
	}
	for i, f := range features {
		e := f.Feature.(*ExtAuthz)
		name := place + "." + strconv.Itoa(i)
		links = append(links, translate.Link{Name: name, Config: filter(e, name, out.Names())})
		if e.Protocol == overGRPC {
			context := out.Names()
			maps.Copy(context, e.Context)
			settings := &extauthzv3.ExtAuthzPerRoute{Override: &extauthzv3.ExtAuthzPerRoute_CheckSettings{
				CheckSettings: &extauthzv3.CheckSettings{ContextExtensions: context},
			}}
			if err := out.Configure(name, settings); err != nil {
				return err
			}
		}
		if e.Body != nil && out.Route.GetRequestBodyBufferLimit().GetValue() < uint64(e.Body.size()) {
			out.Route.RequestBodyBufferLimit = wrapperspb.UInt64(uint64(e.Body.size()))
		}
		out.Needs = translate.AddNeed(out.Needs, translate.Key{TypeURL: translate.ClusterType, Name: e.Upstream.Name})
	}
	return out.Chain(place, links...)
}

// filter is one service's filter.
func filter(e *ExtAuthz, name string, names map[string]string) *extauthzv3.ExtAuthz {
	f := &extauthzv3.ExtAuthz{
		TransportApiVersion:       corev3.ApiVersion_V3,
		StatPrefix:                strings.TrimPrefix(name, place+"."),
		StatusOnError:             &typev3.HttpStatus{Code: typev3.StatusCode_ServiceUnavailable},
		FailureModeAllow:          e.OnError == onErrorAllow,
		FailureModeAllowHeaderAdd: e.OnError == onErrorAllow,
		// What an answer changes is what the block lists, and cannot smuggle.
		ValidateMutations:           true,
		EnforceResponseHeaderLimits: true,
		DecoderHeaderMutationRules:  settable(e),
	}
	if e.Body != nil {
		f.WithRequestBody = &extauthzv3.BufferSettings{
			MaxRequestBytes: e.Body.size(), AllowPartialMessage: e.Body.Partial, PackAsBytes: true,
		}
	}
	if e.Protocol == overHTTP {
		f.Services = &extauthzv3.ExtAuthz_HttpService{HttpService: httpService(e, names)}
		f.AllowedHeaders = patterns(e.Headers)
		return f
	}
	f.Services = &extauthzv3.ExtAuthz_GrpcService{GrpcService: &corev3.GrpcService{
		TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: e.Upstream.Name}},
		Timeout:         durationpb.New(e.Timeout),
	}}
	if e.Headers != nil {
		f.AllowedHeaders = patterns(e.Headers)
	}
	return f
}

func httpService(e *ExtAuthz, names map[string]string) *extauthzv3.HttpService {
	up := patterns(settableHeaders(e))
	service := &extauthzv3.HttpService{
		ServerUri: &corev3.HttpUri{
			Uri:              "http://" + e.Upstream.Name,
			HttpUpstreamType: &corev3.HttpUri_Cluster{Cluster: e.Upstream.Name},
			Timeout:          durationpb.New(e.Timeout),
		},
		PathPrefix: strings.TrimSuffix(e.PathPrefix, "/"), PathOverride: e.Path,
		AuthorizationRequest: &extauthzv3.AuthorizationRequest{},
		AuthorizationResponse: &extauthzv3.AuthorizationResponse{
			AllowedUpstreamHeaders: up,
			AllowedClientHeaders:   patterns(append(slices.Clone(deniedHeaders), e.ToClient...)),
		},
	}
	if len(e.ToClient) > 0 {
		service.AuthorizationResponse.AllowedClientHeadersOnSuccess = patterns(e.ToClient)
	}
	told := map[string]string{}
	for key, value := range e.Context {
		told[contextHeader+strings.ToLower(key)] = value
	}
	for key, value := range names {
		told[nameHeader+key] = value
	}
	for _, key := range slices.Sorted(maps.Keys(told)) {
		service.AuthorizationRequest.HeadersToAdd = append(service.AuthorizationRequest.HeadersToAdd, &corev3.HeaderValue{
			Key: key, Value: translate.Literal(visible(told[key])),
		})
	}
	return service
}

// visible is text as a header can hold it: the names of functions are whatever their documents say.
func visible(text string) string {
	if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) {
		return url.PathEscape(text)
	}
	return text
}

// settableHeaders are those that an answer may set on the request.
func settableHeaders(e *ExtAuthz) []string {
	names := slices.Clone(e.ToUpstream)
	if e.Client {
		names = append(names, translate.ClientHeader)
	}
	return names
}

// stripped takes off what a client sends under the names that the services' answers set: else it would reach the upstream
// wherever an answer leaves it out. What a service is sent on purpose stays, and so do credentials, which a service may
// exchange for others.
func stripped(features []gateway.Effective) *headermutationv3.HeaderMutation {
	var names []string
	for _, f := range features {
		e := f.Feature.(*ExtAuthz)
		for _, name := range e.ToUpstream {
			name = strings.ToLower(name)
			sent := slices.ContainsFunc(e.Headers, func(h string) bool { return strings.EqualFold(h, name) })
			if !sent && name != "authorization" && name != "cookie" {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	out := &headermutationv3.Mutations{}
	for _, name := range slices.Compact(names) {
		m := &mutationrulesv3.HeaderMutation{Action: &mutationrulesv3.HeaderMutation_Remove{Remove: name}}
		if prefix, open := strings.CutSuffix(name, "*"); open {
			m.Action = &mutationrulesv3.HeaderMutation_RemoveOnMatch_{RemoveOnMatch: &mutationrulesv3.HeaderMutation_RemoveOnMatch{
				KeyMatcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: prefix}, IgnoreCase: true},
			}}
		}
		out.RequestMutations = append(out.RequestMutations, m)
	}
	if len(out.RequestMutations) == 0 {
		return nil
	}
	return &headermutationv3.HeaderMutation{Mutations: out}
}

// settable lets an answer change the headers of the request that the block lists, and no other. That counts for services
// over gRPC, too, which name themselves the headers that they set or remove.
func settable(e *ExtAuthz) *mutationrulesv3.HeaderMutationRules {
	rules := &mutationrulesv3.HeaderMutationRules{DisallowAll: wrapperspb.Bool(true)}
	var all []string
	for _, name := range settableHeaders(e) {
		prefix, open := strings.CutSuffix(strings.ToLower(name), "*")
		expression := regexp.QuoteMeta(prefix)
		if open {
			expression += ".*"
		}
		all = append(all, expression)
	}
	if len(all) > 0 {
		rules.AllowExpression = &matcherv3.RegexMatcher{Regex: strings.Join(all, "|")}
	}
	return rules
}

// patterns matches names of headers, and what begins with those that end in a *.
func patterns(names []string) *matcherv3.ListStringMatcher {
	list := &matcherv3.ListStringMatcher{}
	for _, name := range names {
		m := &matcherv3.StringMatcher{IgnoreCase: true}
		if prefix, open := strings.CutSuffix(name, "*"); open {
			m.MatchPattern = &matcherv3.StringMatcher_Prefix{Prefix: prefix}
		} else {
			m.MatchPattern = &matcherv3.StringMatcher_Exact{Exact: name}
		}
		list.Patterns = append(list.Patterns, m)
	}
	if len(list.Patterns) == 0 { // Envoy demands one; no header has this name
		list.Patterns = []*matcherv3.StringMatcher{{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: ":none"}}}
	}
	return list
}
