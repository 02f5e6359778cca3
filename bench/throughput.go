package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

const loadRounds = 60 // short and many: what else runs on the machine meets all that are compared alike

// throughput compares requests a second through sluice's configuration with those through a hand-written one that has
// the same edge defaults and filters, and through the least that Envoy takes.
func throughput(s *stage) {
	up := s.role("upstream")
	ports := testenv.FreePorts(s, 3)
	plane := s.role("plane", "-folders", "1", "-each", "1", "-port", strconv.Itoa(ports[0]), "-upstream", up.word)
	ours := s.edge(plane.word)
	ours.WaitReady(s)
	same := handWriting{edgeDefaults, partOf(s, ours, "http_filters"), `, "overload_manager": ` + partOf(s, ours, "overload_manager")}
	testenv.StartEnvoy(s, testenv.EnvoyOptions{Bootstrap: same.bootstrap(ports[1], up.word)})
	testenv.StartEnvoy(s, testenv.EnvoyOptions{Bootstrap: handWriting{filters: routerOnly}.bootstrap(ports[2], up.word)})

	req := request(hostName(0), "/shop/00/item-00")
	rates := make([][]float64, len(ports))
	for _, port := range ports {
		s.awaitStatus(s.prober(port), req, http.StatusOK)
		s.load(port, req)
	}
	for round := range loadRounds {
		for n := range ports {
			i := (n + round) % len(ports) // none is always the first
			rates[i] = append(rates[i], s.load(ports[i], req))
		}
	}
	ratio := func(to int) float64 {
		all := make([]float64, loadRounds)
		for i := range all {
			all[i] = rates[0][i] / rates[to][i]
		}
		return median(all)
	}
	s.note(Entry{Name: "throughput, sluice's configuration", Unit: "requests/s", Value: median(rates[0])})
	s.note(Entry{Name: "throughput, hand-written with the same edge defaults and filters", Unit: "requests/s", Value: median(rates[1])})
	s.note(Entry{Name: "throughput, the least configuration", Unit: "requests/s", Value: median(rates[2])})
	s.note(Entry{Name: "throughput, sluice's against hand-written", Unit: "×", Value: ratio(1)}.atLeast(0.95))
	s.note(Entry{Name: "throughput, sluice's against the least", Unit: "×", Value: ratio(2)})
}

// partOf is a part of a running Envoy's configuration, as JSON: what a hand would have to copy line by line.
func partOf(s *stage, e *testenv.Envoy, name string) string {
	var dump any
	s.must(json.Unmarshal(e.ConfigDump(s), &dump))
	found := find(dump, name)
	if found == nil {
		s.Fatalf("envoy's configuration has no %s", name)
	}
	inline(found, dump)
	text, err := json.Marshal(found)
	s.must(err)
	return string(text)
}

// inline puts what filters discover in their place: a hand has no control plane to discover it from.
func inline(filters, dump any) {
	list, _ := filters.([]any)
	discovered, _ := find(dump, "ecds_filters").([]any)
	for _, f := range list {
		f, _ := f.(map[string]any)
		if f["config_discovery"] == nil {
			continue
		}
		for _, d := range discovered {
			if d, _ := find(d, "ecds_filter").(map[string]any); d["name"] == f["name"] {
				delete(f, "config_discovery")
				f["typed_config"] = d["typed_config"]
			}
		}
	}
}

// find returns the first value of a name, at any depth.
func find(v any, name string) any {
	switch v := v.(type) {
	case map[string]any:
		if found, ok := v[name]; ok {
			return found
		}
		for _, below := range v {
			if found := find(below, name); found != nil {
				return found
			}
		}
	case []any:
		for _, below := range v {
			if found := find(below, name); found != nil {
				return found
			}
		}
	}
	return nil
}

const routerOnly = `[{"name": "envoy.filters.http.router", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}]`

// edgeDefaults is Envoy's published practice for the edge, by hand.
const edgeDefaults = `
          "use_remote_address": true, "normalize_path": true, "merge_slashes": true,
          "path_with_escaped_slashes_action": "UNESCAPE_AND_REDIRECT", "strip_trailing_host_dot": true,
          "server_header_transformation": "PASS_THROUGH",
          "common_http_protocol_options": {"idle_timeout": "3600s", "headers_with_underscores_action": "REJECT_REQUEST"},
          "http2_protocol_options": {"max_concurrent_streams": 100, "initial_stream_window_size": 65536, "initial_connection_window_size": 1048576},
          "stream_idle_timeout": "300s", "request_timeout": "300s", "request_headers_timeout": "10s",`

// handWriting is what differs between hand-written configurations.
type handWriting struct{ connectionManager, filters, more string }

// bootstrap is a whole configuration with one route.
func (h handWriting) bootstrap(port int, upstreamPort string) []byte {
	limits := ""
	if h.connectionManager != "" {
		limits = `"per_connection_buffer_limit_bytes": 32768,`
	}
	return fmt.Appendf(nil, `{
  "static_resources": {
    "listeners": [{
      "name": "http", %[3]s
      "address": {"socket_address": {"address": "127.0.0.1", "port_value": %[1]d}},
      "filter_chains": [{"filters": [{
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
          "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
          "stat_prefix": "http",%[4]s
          "http_filters": %[5]s,
          "route_config": {"name": "all", "virtual_hosts": [{"name": "all", "domains": ["%[6]s"], "routes": [{
            "match": {"path": "/shop/00/item-00", "headers": [{"name": ":method", "string_match": {"exact": "GET"}}]},
            "route": {"cluster": "up", "timeout": "3s"}
          }]}]}
        }
      }]}]
    }],
    "clusters": [{
      "name": "up", "type": "STATIC", "connect_timeout": "5s", %[3]s
      "load_assignment": {"cluster_name": "up", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"socket_address":
        {"address": "127.0.0.1", "port_value": %[2]s}}}}]}]}
    }]
  }%[7]s
}
`, port, upstreamPort, limits, h.connectionManager, h.filters, hostName(0), h.more)
}
