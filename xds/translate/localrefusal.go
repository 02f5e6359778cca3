package translate

import (
	"fmt"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	celv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/filters/cel/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

// refusals are the answers by which a policy's filter refuses a request by itself, told by the details that Envoy gives
// of them. Clients of gRPC are left to what Envoy tells them. The first that fits counts.
var refusals = []struct {
	when         string // a CEL expression
	reason, text string
}{
	{`response.code_details == "ext_authz_error"`, "authorization_unavailable", "the authorization service has not decided about the request"},
	{`response.code_details == "ext_authz_invalid"`, "authorization_invalid", "the answer of the authorization service cannot be used"},
	{`response.code_details.startsWith("rbac_access_denied_matched_policy[ip_allow_")`, "address_denied", "requests from this address are refused"},
	{`response.code_details.startsWith("rbac_access_denied_matched_policy[")`, "access_denied", "the rules of this route refuse the request"},
	{`response.code_details == "csrf_origin_mismatch"`, "origin_denied", "requests of this origin are refused"},
	{`response.code_details.startsWith("ext_proc_error")`, "processor_unavailable", "the external processor has not taken the message"},
}

func refusalMappers() (out []*hcmv3.ResponseMapper, err error) {
	for _, r := range refusals {
		config, err := Pack(&celv3.ExpressionFilter{Expression: r.when})
		if err != nil {
			return nil, err
		}
		out = append(out, &hcmv3.ResponseMapper{
			Filter: &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_AndFilter{AndFilter: &accesslogv3.AndFilter{
				Filters: []*accesslogv3.AccessLogFilter{
					{FilterSpecifier: &accesslogv3.AccessLogFilter_ExtensionFilter{ExtensionFilter: &accesslogv3.ExtensionFilter{
						Name: celLogFilter, ConfigType: &accesslogv3.ExtensionFilter_TypedConfig{TypedConfig: config},
					}}},
					{FilterSpecifier: &accesslogv3.AccessLogFilter_HeaderFilter{HeaderFilter: &accesslogv3.HeaderFilter{Header: notGRPC()}}},
				},
			}}},
			BodyFormatOverride: errorBody(r.reason, r.text),
			HeadersToAdd:       errorHeader(r.reason),
		})
	}
	return out, nil
}

// errorBody is an answer in the form that all answers of the gateway's own have.
func errorBody(reason, text string) *corev3.SubstitutionFormatString {
	return &corev3.SubstitutionFormatString{
		ContentType: "application/json",
		Format: &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: &corev3.DataSource{
			Specifier: &corev3.DataSource_InlineString{InlineString: fmt.Sprintf(`{"error":%q,"reason":%q}`, text, reason)},
		}},
	}
}

func errorHeader(reason string) []*corev3.HeaderValueOption {
	return []*corev3.HeaderValueOption{{
		Header: &corev3.HeaderValue{Key: "x-sluice-error", Value: reason}, AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}}
}
