package script_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	transformv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/transform/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/xds/script"
)

const transformFilter = "envoy.filters.http.transform"

// engine is a real Envoy with the script and a host for each program: c0.test, c1.test and so on.
type engine struct {
	*testenv.Envoy
	url    string
	client *http.Client

	mu      sync.Mutex
	answers map[string]http.HandlerFunc
	seen    map[string]*seen
}

// seen is a request as it came to the upstream.
type seen struct {
	method, target, body string
	header               http.Header
}

func packed(t testing.TB, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func address(a string) *corev3.Address {
	host, port, _ := net.SplitHostPort(a)
	n, _ := strconv.Atoi(port)
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(n)},
	}}}
}

// startEngine serves programs; a nil one is plain proxying.
func startEngine(t testing.TB, programs []*gateway.Program) *engine {
	t.Helper()
	return startEngineWith(t, programs, func(int, *routev3.Route) {})
}

// startEngineWith lets change have a look at every route.
func startEngineWith(t testing.TB, programs []*gateway.Program, change func(int, *routev3.Route)) *engine {
	t.Helper()
	e := &engine{answers: map[string]http.HandlerFunc{}, seen: map[string]*seen{}}
	upstream := httptest.NewServer(http.HandlerFunc(e.serve))
	t.Cleanup(upstream.Close)
	lua, err := script.Config()
	if err != nil {
		t.Fatal(err)
	}
	table := &routev3.RouteConfiguration{Name: "all"}
	for i, p := range programs {
		r := &routev3.Route{
			Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
			Action: &routev3.Route_Route{Route: &routev3.RouteAction{
				ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: "up"}, Timeout: durationpb.New(time.Minute),
			}},
		}
		if p != nil {
			config, err := script.Attach(p, r)
			if err != nil {
				t.Fatal(err)
			}
			run, err := p.Prepared()
			if err != nil {
				t.Fatal(err)
			}
			r.RequestBodyBufferLimit = wrapperspb.UInt64(uint64(2 * run.Limit))
			r.TypedPerFilterConfig = map[string]*anypb.Any{gateway.ScriptName: packed(t, config)}
		}
		change(i, r)
		table.VirtualHosts = append(table.VirtualHosts, &routev3.VirtualHost{
			Name: fmt.Sprint(i), Domains: []string{fmt.Sprintf("c%d.test", i)}, Routes: []*routev3.Route{r},
		})
	}
	manager := &hcmv3.HttpConnectionManager{
		StatPrefix: "edge", UseRemoteAddress: wrapperspb.Bool(true),
		RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: table},
		HttpFilters: []*hcmv3.HttpFilter{
			{Name: gateway.ScriptName, Disabled: true, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed(t, lua)}},
			{Name: transformFilter, Disabled: true, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed(t, &transformv3.TransformConfig{})}},
			{Name: "router", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed(t, &routerv3.Router{})}},
		},
	}
	b := &bootstrapv3.Bootstrap{StaticResources: &bootstrapv3.Bootstrap_StaticResources{
		Listeners: []*listenerv3.Listener{{
			Name: "edge", Address: address("127.0.0.1:0"), PerConnectionBufferLimitBytes: wrapperspb.UInt32(32 << 10),
			FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
				Name:       "envoy.filters.network.http_connection_manager",
				ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(t, manager)},
			}}}},
		}},
		Clusters: []*clusterv3.Cluster{{
			Name: "up", PerConnectionBufferLimitBytes: wrapperspb.UInt32(32 << 10),
			ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
			LoadAssignment: &endpointv3.ClusterLoadAssignment{ClusterName: "up", Endpoints: []*endpointv3.LocalityLbEndpoints{{
				LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{
					Address: address(upstream.Listener.Addr().String()),
				}}}},
			}}},
		}},
	}}
	text, err := protojson.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	e.Envoy = testenv.StartEnvoy(t, testenv.EnvoyOptions{Bootstrap: text})
	e.url = "http://" + e.Listener(t, "edge")
	transport := &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	e.client = &http.Client{Transport: transport, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	return e
}

func (e *engine) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	e.mu.Lock()
	e.seen[r.Host] = &seen{r.Method, r.RequestURI, string(body), r.Header}
	answer := e.answers[r.Host]
	e.mu.Unlock()
	if answer == nil {
		answer = func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("content-type", "application/json") }
	}
	answer(w, r)
}

// answer sets how the upstream answers calls of a program.
func (e *engine) answer(i int, f http.HandlerFunc) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answers[fmt.Sprintf("c%d.test", i)] = f
}

// upstream is what came last to the upstream from a program; nil for nothing.
func (e *engine) upstream(i int) *seen {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.seen[fmt.Sprintf("c%d.test", i)]
}

// reply is a response, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

func (e *engine) do(t testing.TB, i int, method, target, body string, headers ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, e.url, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Opaque = target
	r.Host = fmt.Sprintf("c%d.test", i)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	resp, err := e.client.Do(r)
	if err != nil {
		t.Fatalf("program %d: %s %s: %v", i, method, target, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("program %d: %s %s: %v", i, method, target, err)
	}
	return reply{resp.StatusCode, resp.Header, string(b)}
}
