// Package healthcheck is the feature "health_check": Envoy asks each endpoint of an upstream whether it works.
package healthcheck

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/hashicorp/hcl/v2"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// HealthCheck asks by HTTP where a path is given, else as Type says. An endpoint takes traffic after its first pass.
type HealthCheck struct {
	gateway.FeatureBase
	Type      string            `hcl:"type,optional" oneof:"http tcp grpc"` // default http, if there is a path
	Path      string            `hcl:"path,optional"`                       // http: what is asked for by GET
	Host      string            `hcl:"host,optional"`                       // http, grpc: the request's host; default the upstream's name
	Headers   map[string]string `hcl:"headers,optional"`                    // http: sent along
	Statuses  []string          `hcl:"statuses,optional"`                   // http: "200", "200-299", "2xx"; default 200
	Service   string            `hcl:"service,optional"`                    // grpc: of grpc.health.v1; "": the whole server
	Send      string            `hcl:"send,optional"`                       // tcp: sent after the connection stands
	Receive   string            `hcl:"receive,optional"`                    // tcp: is somewhere in the answer
	Port      int               `hcl:"port,optional" min:"1" max:"65535"`   // default the endpoint's own
	Interval  time.Duration     `hcl:"interval,optional" default:"5s" min:"100ms" max:"1h"`
	Timeout   time.Duration     `hcl:"timeout,optional" default:"2s" min:"10ms" max:"10m"`
	Healthy   int               `hcl:"healthy,optional" default:"1" min:"1" max:"100"`   // passes in a row until a failed endpoint is back
	Unhealthy int               `hcl:"unhealthy,optional" default:"3" min:"1" max:"100"` // failures in a row until it is out
}

var (
	_ gateway.Feature = (*HealthCheck)(nil)
	_ gateway.Checker = (*HealthCheck)(nil)
)

// FeatureType is the block's name.
func (*HealthCheck) FeatureType() string { return "health_check" }

// kind is how endpoints are asked; "" is not said.
func (h *HealthCheck) kind() string {
	if h.Type == "" && h.Path != "" {
		return "http"
	}
	return h.Type
}

// Check refuses what does not go together.
func (h *HealthCheck) Check(ranges map[string]hcl.Range) (diags hcl.Diagnostics) {
	wrong := func(attribute, summary, format string, args ...any) {
		at, ok := ranges[attribute]
		if !ok {
			at = ranges[""]
		}
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: &at})
	}
	kind := h.kind()
	if kind == "" && h.Enabled == nil {
		wrong("", "Empty health check", `Say what is asked: path = "/health", or type = "tcp", or type = "grpc".`)
	}
	if kind == "http" && !strings.HasPrefix(h.Path, "/") {
		wrong("path", "Invalid path", "A health check by HTTP asks for a path, which begins with a slash; %q does not.", h.Path)
	}
	for _, a := range slices.Sorted(maps.Keys(only)) {
		if _, written := ranges[a]; written && kind != "" && !slices.Contains(only[a], kind) {
			wrong(a, "Unexpected argument", "%q belongs to health checks by %s, and this one is by %s.", a, strings.Join(only[a], " and "), kind)
		}
	}
	for _, s := range h.Statuses {
		if _, err := statusRange(s); err != nil {
			wrong("statuses", "Invalid status", `%q is no range of statuses. Write "200", "200-299" or "2xx".`, s)
		}
	}
	if h.Timeout > h.Interval {
		wrong("timeout", "Invalid timeout", "An answer is waited for %s, and the next question follows after %s. Lower timeout or raise interval.", h.Timeout, h.Interval)
	}
	return diags
}

// only says which attributes belong to some ways of asking.
var only = map[string][]string{
	"path": {"http"}, "headers": {"http"}, "statuses": {"http"}, "host": {"http", "grpc"}, "service": {"grpc"}, "send": {"tcp"}, "receive": {"tcp"},
}

// statusRange reads "200", "200-299" and "2xx".
func statusRange(text string) (*typev3.Int64Range, error) {
	if class, ok := strings.CutSuffix(text, "xx"); ok {
		n, err := strconv.Atoi(class)
		if err != nil || n < 1 || n > 5 || len(class) != 1 {
			return nil, fmt.Errorf("%q is no class of statuses", text)
		}
		return &typev3.Int64Range{Start: int64(n) * 100, End: int64(n)*100 + 100}, nil
	}
	first, last, two := strings.Cut(text, "-")
	if !two {
		last = first
	}
	a, errA := strconv.Atoi(first)
	b, errB := strconv.Atoi(last)
	if errA != nil || errB != nil || a < 100 || b > 599 || a > b {
		return nil, fmt.Errorf("%q is no range of statuses", text)
	}
	return &typev3.Int64Range{Start: int64(a), End: int64(b) + 1}, nil
}

// Kind is the feature as the translator and the language know it.
func Kind() translate.Kind {
	return translate.Kind{
		FeatureRule: gateway.FeatureRule{Type: "health_check", Combine: gateway.Nearest, Levels: gateway.LevelUpstream},
		New:         func() gateway.Feature { return &HealthCheck{} },
		Cluster:     cluster,
		Endpoint:    endpoint,
	}
}

func cluster(features []gateway.Effective, out *translate.Cluster) error {
	h := features[len(features)-1].Feature.(*HealthCheck)
	interval := durationpb.New(h.Interval)
	check := &corev3.HealthCheck{
		Interval: interval, Timeout: durationpb.New(h.Timeout),
		NoTrafficInterval: interval, NoTrafficHealthyInterval: interval, // an endpoint that nobody uses now may be the one to fall back on
		IntervalJitterPercent: 10,
		HealthyThreshold:      wrapperspb.UInt32(uint32(h.Healthy)),
		UnhealthyThreshold:    wrapperspb.UInt32(uint32(h.Unhealthy)),
	}
	switch h.kind() {
	case "http":
		by, err := h.http(out)
		if err != nil {
			return err
		}
		check.HealthChecker = &corev3.HealthCheck_HttpHealthCheck_{HttpHealthCheck: by}
	case "grpc":
		check.HealthChecker = &corev3.HealthCheck_GrpcHealthCheck_{GrpcHealthCheck: &corev3.HealthCheck_GrpcHealthCheck{ServiceName: h.Service, Authority: h.Host}}
	default:
		check.HealthChecker = &corev3.HealthCheck_TcpHealthCheck_{TcpHealthCheck: h.tcp()}
	}
	out.Cluster.HealthChecks = []*corev3.HealthCheck{check}
	out.Cluster.IgnoreHealthOnHostRemoval = true                 // Envoy keeps what passes otherwise, though its source says that it is gone
	out.Cluster.CommonLbConfig.IgnoreNewHostsUntilFirstHc = true // a new endpoint draws no share before it has passed
	return nil
}

// http asks as the upstream is spoken to. Every status counts towards the threshold, where Envoy alone would take an
// endpoint out at the first unexpected one.
func (h *HealthCheck) http(out *translate.Cluster) (*corev3.HealthCheck_HttpHealthCheck, error) {
	by := &corev3.HealthCheck_HttpHealthCheck{
		Path: h.Path, Host: h.Host,
		RetriableStatuses: []*typev3.Int64Range{{Start: 100, End: 600}},
	}
	if out.HTTP.GetExplicitHttpConfig().GetHttp2ProtocolOptions() != nil {
		by.CodecClientType = typev3.CodecClientType_HTTP2
	}
	for _, s := range h.Statuses {
		r, err := statusRange(s)
		if err != nil {
			return nil, err
		}
		by.ExpectedStatuses = append(by.ExpectedStatuses, r)
	}
	for _, name := range slices.Sorted(maps.Keys(h.Headers)) {
		by.RequestHeadersToAdd = append(by.RequestHeadersToAdd, &corev3.HeaderValueOption{
			Header: &corev3.HeaderValue{Key: name, Value: h.Headers[name]}, AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		})
	}
	return by, nil
}

func (h *HealthCheck) tcp() *corev3.HealthCheck_TcpHealthCheck {
	by := &corev3.HealthCheck_TcpHealthCheck{}
	if h.Send != "" {
		by.Send = payload(h.Send)
	}
	if h.Receive != "" {
		by.Receive = []*corev3.HealthCheck_Payload{payload(h.Receive)}
	}
	return by
}

func payload(text string) *corev3.HealthCheck_Payload {
	return &corev3.HealthCheck_Payload{Payload: &corev3.HealthCheck_Payload_Text{Text: hex.EncodeToString([]byte(text))}}
}

func endpoint(features []gateway.Effective, out *endpointv3.Endpoint) error {
	if h := features[len(features)-1].Feature.(*HealthCheck); h.Port != 0 {
		out.HealthCheckConfig = &endpointv3.Endpoint_HealthCheckConfig{PortValue: uint32(h.Port)}
	}
	return nil
}
