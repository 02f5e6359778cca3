package translate

import (
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	celv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/filters/cel/v3"
	bufferv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/buffer/v3"
	transcoderv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/grpc_json_transcoder/v3"
	webv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/grpc_web/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	webFilter        = "envoy.filters.http.grpc_web"
	bodyFilter       = "sluice.grpc_body"
	bufferExtension  = "envoy.filters.http.buffer"
	transcoderFilter = "envoy.filters.http.grpc_json_transcoder"
	celLogFilter     = "envoy.access_loggers.extension_filters.cel"

	grpcSince = 2 // generation of the filter list
)

// grpcFilters stand last before the router: what browsers send of gRPC becomes native, and JSON becomes messages, of
// which the transcoder itself would take any size. All are turned on by routes.
func grpcFilters(generation int) []Filter {
	if generation < grpcSince {
		return nil
	}
	return []Filter{
		{Name: webFilter, Config: &webv3.GrpcWeb{}, Disabled: true, Requires: webFilter, Since: grpcSince},
		{
			Name: bodyFilter, Disabled: true, Requires: bufferExtension, Since: grpcSince,
			Config: &bufferv3.Buffer{MaxRequestBytes: u32(messageLimit)},
		},
		{
			Name: transcoderFilter, Disabled: true, Requires: transcoderFilter, Since: grpcSince,
			Config: &transcoderv3.GrpcJsonTranscoder{DescriptorSet: &transcoderv3.GrpcJsonTranscoder_ProtoDescriptorBin{}},
		},
	}
}

// grpcLogs stands for what tells the transcoder's own answers from others in a listener.
func grpcLogs(inForce int) []Filter {
	if served(inForce) < grpcSince {
		return nil
	}
	return []Filter{{Name: celLogFilter, Requires: celLogFilter}}
}

// grpcUsed lists the filters that the destinations of a table turn on.
func grpcUsed(table []*gateway.TableRoute) (used []Filter) {
	web, call := false, false
	for _, tr := range table {
		for _, d := range tr.Destinations {
			web = web || speaksGRPC(d.Upstream)
			call = call || d.Call != nil && d.Call.GRPC != nil
		}
	}
	for _, f := range grpcFilters(Generation) {
		if f.Name == webFilter && web || f.Name != webFilter && call {
			used = append(used, f)
		}
	}
	return used
}

func speaksGRPC(u *gateway.Upstream) bool { return u != nil && u.GRPC != nil }

// protocolOf is what an upstream speaks: HTTP/1.1, or, with a grpc block, HTTP/2 with the windows of the edge.
func protocolOf(u *gateway.Upstream) *httpv3.HttpProtocolOptions_ExplicitHttpConfig {
	if !speaksGRPC(u) {
		return &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
			ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_HttpProtocolOptions{
				HttpProtocolOptions: &corev3.Http1ProtocolOptions{},
			},
		}
	}
	return &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
		ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: HTTP2Options()},
	}
}

// HTTP2Options are the bounds of a connection to an upstream that speaks HTTP/2: those of the edge's own listeners.
func HTTP2Options() *corev3.Http2ProtocolOptions {
	return &corev3.Http2ProtocolOptions{
		MaxConcurrentStreams:        u32(maxConcurrentStreams),
		InitialStreamWindowSize:     u32(streamWindow),
		InitialConnectionWindowSize: u32(connectionWindow),
	}
}

// nativeGRPC lets browsers call an upstream that speaks gRPC.
func nativeGRPC(out *Route) error {
	if !speaksGRPC(out.Dest.Upstream) {
		return nil
	}
	return turnOn(out, webFilter, asListed())
}

// asListed turns a filter on with the configuration that the listener has for it.
func asListed() *routev3.FilterConfig { return &routev3.FilterConfig{Config: &anypb.Any{}} }

// grpcLocalReplies writes the transcoder's own answers, which are plain text, as it writes a status of the upstream:
// {"code":3,"message":"…","details":[]}. All other answers of Envoy's own stay as they are.
func grpcLocalReplies(generation int) (*hcmv3.LocalReplyConfig, error) {
	if generation < grpcSince {
		return nil, nil
	}
	const own = `response.code_details.contains("grpc_json_transcode_failure")`
	out := &hcmv3.LocalReplyConfig{}
	for _, m := range []struct {
		when string
		code codes.Code
	}{
		{own + ` && response.code == 400`, codes.InvalidArgument},
		{own + ` && response.code == 404`, codes.NotFound},
		{own + ` && response.code == 413`, codes.ResourceExhausted},
		{own, codes.Internal},
	} {
		config, err := Pack(&celv3.ExpressionFilter{Expression: m.when})
		if err != nil {
			return nil, err
		}
		out.Mappers = append(out.Mappers, &hcmv3.ResponseMapper{
			Filter: &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ExtensionFilter{
				ExtensionFilter: &accesslogv3.ExtensionFilter{
					Name:       celLogFilter,
					ConfigType: &accesslogv3.ExtensionFilter_TypedConfig{TypedConfig: config},
				},
			}},
			BodyFormatOverride: &corev3.SubstitutionFormatString{Format: &corev3.SubstitutionFormatString_JsonFormat{
				JsonFormat: &structpb.Struct{Fields: map[string]*structpb.Value{
					"code":    structpb.NewNumberValue(float64(m.code)),
					"message": structpb.NewStringValue("%LOCAL_REPLY_BODY%"),
					"details": structpb.NewListValue(&structpb.ListValue{}),
				}},
			}},
		})
	}
	return out, nil
}
