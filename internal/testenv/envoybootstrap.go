package testenv

import (
	"encoding/json"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"testing"
)

// bootstrap is the smallest one that joins a control plane without TLS. The product's own is xds/bootstrap's.
func (o EnvoyOptions) bootstrap(t testing.TB) []byte {
	t.Helper()
	type object = map[string]any
	b := object{"node": object{"id": or(o.NodeID, "test"), "cluster": or(o.Cluster, "edge")}}
	if o.XDSAddr != "" {
		ads := object{"ads": object{}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}
		b["dynamic_resources"] = object{
			"ads_config": object{
				"api_type": "DELTA_GRPC", "transport_api_version": "V3", "set_node_on_first_message_only": true,
				"grpc_services": []any{object{"envoy_grpc": object{"cluster_name": "xds"}}},
			},
			"cds_config": ads, "lds_config": ads,
		}
		b["static_resources"] = object{"clusters": []any{xdsCluster(t, o.XDSAddr)}}
	}
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatalf("write a bootstrap: %v", err)
	}
	return text
}

func xdsCluster(t testing.TB, address string) any {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatalf("read the control plane's address: %v", err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatalf("read the control plane's port: %v", err)
	}
	type object = map[string]any
	return object{
		"name": "xds", "type": "STATIC", "connect_timeout": "1s",
		"typed_extension_protocol_options": object{
			"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": object{
				"@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
				"explicit_http_config": object{"http2_protocol_options": object{
					"connection_keepalive": object{"interval": "10s", "timeout": "3s"},
				}},
			},
		},
		"load_assignment": object{"cluster_name": "xds", "endpoints": []any{object{"lb_endpoints": []any{
			object{"endpoint": object{"address": object{"socket_address": object{"address": host, "port_value": number}}}},
		}}}},
	}
}

func regexpQuote(s string) string { return regexp.QuoteMeta(s) }

func queryEscape(s string) string { return url.QueryEscape(s) }

func loopback(host string, port int) string {
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}
