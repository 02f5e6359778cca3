package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/xds/server"
	"github.com/sluice-gateway/sluice/xds/store"
)

// envoyBootstrap has room for the node's ID and the port of the control plane.
const envoyBootstrap = `
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}
node: {id: %s, cluster: edge}
dynamic_resources:
  ads_config:
    api_type: DELTA_GRPC
    transport_api_version: V3
    set_node_on_first_message_only: true
    grpc_services: [{envoy_grpc: {cluster_name: xds}}]
  cds_config: {ads: {}, resource_api_version: V3}
  lds_config: {ads: {}, resource_api_version: V3}
static_resources:
  clusters:
  - name: xds
    type: STATIC
    connect_timeout: 1s
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
    load_assignment: {cluster_name: xds, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %d}}}}]}]}
`

// plane is a control plane on a TCP port of its own.
type plane struct {
	*rig
	port int
	stop func()
}

func newPlane(t *testing.T, port int, o server.Options) *plane {
	t.Helper()
	st := store.New()
	srv, err := server.New(st, o)
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer()
	srv.Register(g)
	var l net.Listener
	eventually(t, "port to listen on", func() bool {
		l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		return err == nil
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = g.Serve(l)
	}()
	stop := func() {
		g.Stop()
		<-done
	}
	t.Cleanup(stop)
	srv.Open()
	return &plane{rig: &rig{t: t, store: st, server: srv}, port: l.Addr().(*net.TCPAddr).Port, stop: stop}
}

// proxy is a running Envoy.
type proxy struct {
	t     *testing.T
	admin string
	log   string
}

func startEnvoy(t *testing.T, id string, xdsPort int) *proxy {
	t.Helper()
	dir := t.TempDir()
	config, admin, log := filepath.Join(dir, "envoy.yaml"), filepath.Join(dir, "admin"), filepath.Join(dir, "log")
	if err := os.WriteFile(config, fmt.Appendf(nil, envoyBootstrap, id, xdsPort), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(testenv.EnvoyPath(t), "-c", config, "--disable-hot-restart", "--concurrency", "1",
		"--drain-time-s", "1", "--admin-address-path", admin, "--log-path", log, "-l", "info")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			b, _ := os.ReadFile(log)
			_, rest, _ := strings.Cut(string(b), "runtime: {}")
			t.Logf("envoy's log:\n%s", rest)
		}
	})
	p := &proxy{t: t, log: log}
	eventually(t, "admin address", func() bool {
		b, err := os.ReadFile(admin)
		p.admin = string(b)
		return err == nil && len(b) > 0
	})
	return p
}

// eventually polls: what it waits for is in another process.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("no %s in time", what)
		}
	}
}

func (p *proxy) get(path string) string {
	resp, err := http.Get("http://" + p.admin + path)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return string(b)
}

// stat is one counter or gauge of Envoy's; -1: there is none.
func (p *proxy) stat(name string) int {
	for line := range strings.Lines(p.get("/stats?filter=" + url.QueryEscape("^"+strings.ReplaceAll(name, ".", `\.`)+"$"))) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && k == name {
			n, _ := strconv.Atoi(v)
			return n
		}
	}
	return -1
}

// port is where a listener of Envoy's listens.
func (p *proxy) port(listener string) int {
	var port int
	eventually(p.t, "listener "+listener, func() bool {
		var out struct {
			Statuses []struct {
				Name  string `json:"name"`
				Local struct {
					Socket struct {
						Port int `json:"port_value"`
					} `json:"socket_address"`
				} `json:"local_address"`
			} `json:"listener_statuses"`
		}
		_ = json.Unmarshal([]byte(p.get("/listeners?format=json")), &out)
		for _, s := range out.Statuses {
			if s.Name == listener {
				port = s.Local.Socket.Port
			}
		}
		return port != 0
	})
	return port
}

var envoyClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// ask sends one request through Envoy and returns status and body.
func ask(port int, host string) (int, string) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/", port), nil)
	if err != nil {
		return 0, err.Error()
	}
	req.Host = host
	resp, err := envoyClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

func awaitBody(t testing.TB, port int, host, want string) {
	t.Helper()
	eventually(t, "answer "+want+" for "+host, func() bool {
		_, body := ask(port, host)
		return body == want
	})
}

// backend answers every request with its name and returns its port.
func backend(t *testing.T, name string) int {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) }))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, _ := strconv.Atoi(u.Port())
	return port
}

func ads() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ResourceApiVersion:    corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
	}
}

func packed(t testing.TB, m proto.Message) *anypb.Any {
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// envoyListener is a listener on a port of the kernel's choice with a table by RDS.
func envoyListener(t testing.TB, name string) *store.Resource {
	hcm := &hcmv3.HttpConnectionManager{
		StatPrefix:     name,
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{ConfigSource: ads(), RouteConfigName: name}},
		HttpFilters: []*hcmv3.HttpFilter{{
			Name: "envoy.filters.http.router", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed(t, &routerv3.Router{})},
		}},
	}
	return must(t, lds, name, &listenerv3.Listener{
		Name: name,
		Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
			Address: "127.0.0.1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 0},
		}}},
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name: "hcm", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(t, hcm)},
		}}}},
	}, nil)
}

func envoyTable(t testing.TB, name string) *store.Resource {
	return must(t, rds, name, &routev3.RouteConfiguration{Name: name, Vhds: &routev3.Vhds{ConfigSource: ads()}}, nil)
}

// envoyHost sends everything of one domain to one cluster.
func envoyHost(t testing.TB, table, domain, to string) *store.Resource {
	return must(t, vhds, table+"/"+domain, &routev3.VirtualHost{
		Name: table + "/" + domain, Domains: []string{domain},
		Routes: []*routev3.Route{{
			Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
			Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: to}}},
		}},
	}, []store.Key{key(cds, to)})
}

func envoyCluster(t testing.TB, name, revision string, timeout time.Duration) *store.Resource {
	return must(t, cds, name, &clusterv3.Cluster{
		Name: name, ConnectTimeout: durationpb.New(timeout),
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
		EdsClusterConfig:     &clusterv3.Cluster_EdsClusterConfig{ServiceName: name + "@" + revision, EdsConfig: ads()},
	}, nil)
}
