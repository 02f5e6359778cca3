package floor

import "fmt"

// Bootstrap is the configuration of the floor's own Envoy: one listener on port, and one cluster "up". With eds the
// cluster's endpoints come from the control plane at xdsPort; else its endpoint is 127.0.0.1:upstreamPort, and the
// routes come from there.
func Bootstrap(port, xdsPort, upstreamPort int, eds bool) []byte {
	routes := `"rds": {"route_config_name": "floor", "config_source": {"ads": {}, "resource_api_version": "V3"}}`
	up := `"type": "STATIC", "load_assignment": {"cluster_name": "up", "endpoints": [` + loopback(upstreamPort) + `]}`
	if eds {
		routes = `"route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
        {"match": {"prefix": "/"}, "route": {"cluster": "up"}}]}]}`
		up = `"type": "EDS", "eds_cluster_config": {"eds_config": {"ads": {}, "resource_api_version": "V3"}},
      "common_lb_config": {"healthy_panic_threshold": {"value": 0}}`
	}
	return fmt.Appendf(nil, `{
  "node": {"id": "floor", "cluster": "floor"},
  "dynamic_resources": {"ads_config": {
    "api_type": "DELTA_GRPC", "transport_api_version": "V3",
    "grpc_services": [{"envoy_grpc": {"cluster_name": "xds"}}]
  }},
  "static_resources": {
    "listeners": [{
      "name": "http",
      "address": {"socket_address": {"address": "127.0.0.1", "port_value": %d}},
      "filter_chains": [{"filters": [{
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
          "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
          "stat_prefix": "http",
          %s,
          "http_filters": [{
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}
          }]
        }
      }]}]
    }],
    "clusters": [{"name": "up", %s}, {
      "name": "xds", "type": "STATIC", "connect_timeout": "1s",
      "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}}
      }},
      "load_assignment": {"cluster_name": "xds", "endpoints": [%s]}
    }]
  }
}
`, port, routes, up, loopback(xdsPort))
}

func loopback(port int) string {
	return fmt.Sprintf(`{"lb_endpoints": [{"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": %d}}}}]}`, port)
}
