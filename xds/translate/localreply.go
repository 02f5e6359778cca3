package translate

import (
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

// upstreamFailures are the answers that Envoy gives where an upstream gives none: by its flags, what clients are told.
// The first that fits counts.
var upstreamFailures = []struct {
	flags        []string
	reason, text string
}{
	{[]string{"UH"}, "no_healthy_upstream", "no endpoint of the upstream can take the request"},
	{[]string{"NC"}, "unknown_upstream", "the upstream is not known"},
	{[]string{"UO"}, "upstream_overloaded", "too many requests to the upstream are under way"},
	{[]string{"UT"}, "upstream_timeout", "the upstream has taken too long"},
	{[]string{"UF"}, "connection_failed", "the upstream cannot be reached"},
	{[]string{"UC", "UR", "LR", "UPE"}, "upstream_reset", "the upstream has broken off"},
}

// localReplies makes JSON of answers of Envoy's own: those of the transcoder, and those in place of an upstream's, which
// read as the script's own errors do. Clients of gRPC are left to what Envoy tells them.
func localReplies(generation int) (*hcmv3.LocalReplyConfig, error) {
	out, err := grpcLocalReplies(generation)
	if out == nil || err != nil {
		return out, err
	}
	if generation >= PoliciesSince {
		refused, err := refusalMappers()
		if err != nil {
			return nil, err
		}
		out.Mappers = append(out.Mappers, refused...)
	}
	for _, f := range upstreamFailures {
		out.Mappers = append(out.Mappers, &hcmv3.ResponseMapper{
			Filter: &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_AndFilter{AndFilter: &accesslogv3.AndFilter{
				Filters: []*accesslogv3.AccessLogFilter{
					{FilterSpecifier: &accesslogv3.AccessLogFilter_ResponseFlagFilter{ResponseFlagFilter: &accesslogv3.ResponseFlagFilter{Flags: f.flags}}},
					{FilterSpecifier: &accesslogv3.AccessLogFilter_HeaderFilter{HeaderFilter: &accesslogv3.HeaderFilter{Header: notGRPC()}}},
				},
			}}},
			BodyFormatOverride: errorBody(f.reason, f.text),
			HeadersToAdd:       errorHeader(f.reason),
		})
	}
	return out, nil
}

func notGRPC() *routev3.HeaderMatcher {
	return &routev3.HeaderMatcher{
		Name: "content-type", HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: beginning("application/grpc")},
		InvertMatch: true, TreatMissingHeaderAsEmpty: true,
	}
}
