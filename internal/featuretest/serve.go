package featuretest

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// Edge is a real Envoy that serves documents.
type Edge struct {
	*testenv.Envoy
	client *http.Client
	url    string
}

// Answer is a response, read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Serve starts an Envoy with what the documents become, until the end of the test. Its only listener is bound to a free
// port of loopback, whatever the documents say.
func Serve(t testing.TB, kinds []translate.Kind, docs Documents) *Edge {
	t.Helper()
	return ServeResources(t, Translate(t, kinds, docs).Must(t).Resources)
}

// ServeResources is Serve for resources, with a bootstrap that changes may change.
func ServeResources(t testing.TB, resources []*translate.Resource, changes ...func(*bootstrapv3.Bootstrap)) *Edge {
	t.Helper()
	b, err := translate.StaticBootstrap(resources)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range b.StaticResources.Listeners {
		at := l.Address.GetSocketAddress()
		at.Address, at.PortSpecifier = "127.0.0.1", &corev3.SocketAddress_PortValue{}
	}
	for _, change := range changes {
		change(b)
	}
	e := &Edge{Envoy: testenv.StartEnvoy(t, testenv.EnvoyOptions{Bootstrap: JSON(t, b)})}
	e.url = "http://" + e.Listener(t, b.StaticResources.Listeners[0].Name)
	e.client = client(t)
	return e
}

// client follows no redirects.
func client(t testing.TB) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport: transport, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Do sends a request without a body; headers are "name: value".
func (e *Edge) Do(t testing.TB, method, host, target string, headers ...string) Answer {
	t.Helper()
	return e.Send(t, method, host, target, "", headers...)
}

// Send sends a request with a body.
func (e *Edge) Send(t testing.TB, method, host, target, body string, headers ...string) Answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, e.url+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	resp, err := e.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: string(answer)}
}

// Backend starts an HTTP server of the test and returns its address.
func Backend(t testing.TB, handler http.HandlerFunc) (address string) {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.Listener.Addr().(*net.TCPAddr).String()
}
