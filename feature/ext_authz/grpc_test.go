package extauthz

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/sluice-gateway/sluice/feature/http2"
	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/internal/testgrpc"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// service decides by the path of the request.
type service struct {
	authv3.UnimplementedAuthorizationServer
	mu   sync.Mutex
	last *authv3.CheckRequest
}

func (s *service) seen() *authv3.AttributeContext {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.GetAttributes()
}

func (s *service) Check(ctx context.Context, r *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	s.mu.Lock()
	s.last = r
	s.mu.Unlock()
	ok := &authv3.OkHttpResponse{Headers: set("x-user", "ann")}
	switch path := r.Attributes.Request.Http.Path; {
	case strings.Contains(path, "/hang"):
		<-ctx.Done()
		return nil, ctx.Err()
	case strings.Contains(path, "/fail"):
		return nil, grpcstatus.Error(codes.Internal, "out of order")
	case strings.Contains(path, "/empty"): // which is the status OK
		return &authv3.CheckResponse{}, nil
	case strings.Contains(path, "/deny"):
		return &authv3.CheckResponse{
			Status: &status.Status{Code: int32(codes.PermissionDenied)},
			HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
				Status: &typev3.HttpStatus{Code: typev3.StatusCode_Unauthorized}, Body: "who are you?", Headers: set("www-authenticate", "Bearer"),
			}},
		}, nil
	case strings.Contains(path, "/bare"): // it refuses and says nothing else
		return &authv3.CheckResponse{Status: &status.Status{Code: int32(codes.PermissionDenied)}}, nil
	case strings.Contains(path, "/inject"):
		ok.Headers = append(ok.Headers, set("x-user", "ann\r\nx-admin: yes")...)
	case strings.Contains(path, "/greedy"):
		for _, name := range []string{":path", ":authority", "host", "x-envoy-original-path", "x-sluice-client", "x-admin", "authorization"} {
			ok.Headers = append(ok.Headers, set(name, "/forged")...)
		}
		ok.HeadersToRemove = []string{"x-keep"}
	case strings.Contains(path, "/silent"):
		ok = &authv3.OkHttpResponse{}
	}
	return &authv3.CheckResponse{Status: &status.Status{}, HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: ok}}, nil
}

func set(name, value string) []*corev3.HeaderValueOption {
	return []*corev3.HeaderValueOption{{
		Header: &corev3.HeaderValue{Key: name, Value: value}, AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}}
}

// shop tells what reaches it.
func shop(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "path=%s host=%s", r.URL.Path, r.Host)
	for _, name := range []string{"x-user", "x-admin", "x-keep", "authorization", "x-sluice-client", "x-envoy-original-path", "x-envoy-auth-failure-mode-allowed"} {
		if all := r.Header.Values(name); len(all) > 0 {
			fmt.Fprintf(w, " %s=%s", name, strings.Join(all, ","))
		}
	}
}

var kinds = []translate.Kind{http2.Kind(), Kind()}

// documents has one route with a block for the service, and one for a service that is away.
func documents(address, backend, block string) featuretest.Documents {
	return featuretest.Documents{"a.hcl": fmt.Sprintf(`
		gateway "edge" {
		  listener "http" { port = 8080 }
		}
		upstream "authz" {
		  static { endpoints = [%q] }
		  http2 {}
		}
		upstream "away" {
		  static { endpoints = ["127.0.0.1:1"] }
		  http2 {}
		}
		upstream "shop" {
		  static { endpoints = [%q] }
		}
		route "shop" {
		  ext_authz {
		    upstream    = upstream.authz
		    to_upstream = ["x-user"]
		    context     = { tier = "gold" }
		    %s
		  }
		  to { upstream = upstream.shop }
		}
		route "shop-open" {
		  match { prefix = "/open" }
		  ext_authz {
		    upstream = upstream.away
		    on_error = "allow"
		  }
		  to { upstream = upstream.shop }
		}
		route "shop-closed" {
		  match { prefix = "/closed" }
		  ext_authz { upstream = upstream.away }
		  to { upstream = upstream.shop }
		}
		route "plain" {
		  match { prefix = "/plain" }
		  to { upstream = upstream.shop }
		}
		route "both" {
		  match { prefix = "/both" }
		  ext_authz { upstream = upstream.authz }
		  ext_authz { upstream = upstream.away }
		  to { upstream = upstream.shop }
		}`, address, backend, block)}
}

func serve(t *testing.T, block string) (*service, *featuretest.Edge) {
	t.Helper()
	s, server := &service{}, grpc.NewServer()
	authv3.RegisterAuthorizationServer(server, s)
	address := testgrpc.Serve(t, server)
	return s, featuretest.Serve(t, kinds, documents(address, featuretest.Backend(t, shop), block))
}

const unavailable = `{"error":"the authorization service has not decided about the request","reason":"authorization_unavailable"}`

func TestAServiceOverGRPCDecides(t *testing.T) {
	s, edge := serve(t, `timeout = "500ms"`)
	for _, c := range []struct {
		path   string
		status int
		body   string
	}{
		{"/", 200, "path=/ host=shop.test x-user=ann x-keep=1 authorization=mine"},
		{"/plain", 200, "path=/plain host=shop.test x-user=forged x-keep=1 authorization=mine"},
		{"/deny", 401, "who are you?"},
		{"/bare", 403, ""},
		{"/greedy", 200, "path=/greedy host=shop.test x-user=ann x-keep=1 authorization=mine"},
		{"/silent", 200, "path=/silent host=shop.test x-keep=1 authorization=mine"}, // not what the client says it is
		{"/inject", 500, `{"error":"the answer of the authorization service cannot be used","reason":"authorization_invalid"}`},
		{"/fail", 503, unavailable},
		{"/empty", 200, "path=/empty host=shop.test x-keep=1 authorization=mine"},
		{"/hang", 503, unavailable},
		{"/closed", 503, unavailable},
		{"/both", 503, unavailable},
		{"/both/deny", 401, "who are you?"},
		{"/open", 200, "path=/open host=shop.test x-user=forged x-keep=1 authorization=mine x-envoy-auth-failure-mode-allowed=true"},
	} {
		a := edge.Do(t, "GET", "shop.test", c.path, "x-user: forged", "x-keep: 1", "authorization: mine", "x-sluice-client: forged")
		if a.Status != c.status || a.Body != c.body {
			t.Errorf("%s is answered with %d %s", c.path, a.Status, a.Body)
		}
		if c.path == "/deny" && a.Header.Get("www-authenticate") != "Bearer" {
			t.Errorf("the header of the refusal is lost: %v", a.Header)
		}
	}
	edge.Do(t, "POST", "shop.test", "/x?y=1", "x-user: forged", "cookie: a=b")
	seen := s.seen()
	told := seen.ContextExtensions
	if told["route"] != "shop" || told["upstream"] != "shop" || told["tier"] != "gold" || len(told) != 3 {
		t.Errorf("the service is told %v", told)
	}
	if h := seen.Request.Http.Headers; h["x-user"] != "" || seen.Request.Http.Path != "/x?y=1" || seen.Request.Http.Method != "POST" {
		t.Errorf("the service sees %v", seen.Request.Http)
	}
}

func TestABodyIsSentAlong(t *testing.T) {
	s, edge := serve(t, "headers = [\"x-tenant-*\"]\ninclude_body { max = \"64KiB\" }")
	body := strings.Repeat("\xff!", 30<<10)
	if a := edge.Send(t, "POST", "shop.test", "/", body, "x-tenant-a: 1", "cookie: a=b"); a.Status != 200 {
		t.Fatalf("the answer is %d %s", a.Status, a.Body)
	}
	got := s.seen().Request.Http
	if string(got.RawBody) != body || got.Headers["x-tenant-a"] != "1" || got.Headers["cookie"] != "" {
		t.Errorf("the service gets %d bytes and %v", len(got.RawBody), got.Headers)
	}
	if a := edge.Send(t, "POST", "shop.test", "/", strings.Repeat("x", 80<<10)); a.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body that is too large is answered with %d", a.Status)
	}
	s, edge = serve(t, "include_body {\n max = \"40KiB\"\n partial = true\n }")
	if a := edge.Send(t, "POST", "shop.test", "/", strings.Repeat("x", 200<<10)); a.Status != 200 {
		t.Errorf("the answer is %d %s", a.Status, a.Body)
	}
	if n := len(s.seen().Request.Http.RawBody); n < 40<<10 || n > 200<<10 {
		t.Errorf("the service gets %d bytes", n)
	}
}

// TestAServiceThatSpeaksNoGRPCIsNone points the block at a web server: of HTTP/1.1, which its upstream's http2 belies, and
// of one that says 200 to everything, gRPC or not.
func TestAServiceThatSpeaksNoGRPCIsNone(t *testing.T) {
	web := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("welcome")) })
	plain := httptest.NewServer(web)
	defer plain.Close()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	newer := httptest.NewUnstartedServer(web)
	newer.Config.Protocols = protocols
	newer.Start()
	defer newer.Close()
	for _, server := range []*httptest.Server{plain, newer} {
		address := server.Listener.Addr().String()
		edge := featuretest.Serve(t, kinds, documents(address, featuretest.Backend(t, shop), ""))
		if a := edge.Do(t, "GET", "shop.test", "/"); a.Status != 503 || a.Body != unavailable {
			t.Errorf("the answer is %d %s", a.Status, a.Body)
		}
	}
}
