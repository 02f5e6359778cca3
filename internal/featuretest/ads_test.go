package featuretest

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/envoy"
	"github.com/sluice-gateway/sluice/feature/headers"
	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/xds/bootstrap"
	"github.com/sluice-gateway/sluice/xds/server"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// TestServedOverADS takes documents to a real Envoy the way production does: translated, stored, sent over delta ADS to an
// Envoy that knows nothing but its bootstrap. It has a table large enough for a trie.
func TestServedOverADS(t *testing.T) {
	backend := Backend(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s", r.Host, r.URL.Path, r.Header.Get("x-route"))
	})
	docs := fmt.Sprintf("gateway \"edge\" {\n  listener \"http\" {\n    port = %d\n  }\n}\nupstream \"shop\" {\n  static {\n    endpoints = [%q]\n  }\n}\n",
		testenv.FreePort(t), backend)
	for i := range 100 {
		docs += fmt.Sprintf(`
route "r%d" {
  hosts = ["shop.test"]
  match { path = "/r%d/{rest=**}" }
  headers {
    request {
      set = { x-route = "r%d" }
    }
  }
  to {
    upstream = upstream.shop
    path     = "/{rest}"
  }
}
`, i, i, i)
	}
	for name, host := range map[string]string{"any": "*", "wild": "*.wild.test"} {
		docs += fmt.Sprintf("route %q {\n  hosts = [%q]\n  match { path = \"/who\" }\n  respond { body = %q }\n}\n", name, host, name)
	}
	e := serve(t, "edge", server.Options{}, nil, Translate(t, []translate.Kind{headers.Kind()}, Documents{"a.hcl": docs}).Must(t).Resources)
	for _, host := range []string{"shop.test", "shop.test:8080", "SHOP.test."} {
		if a, want := e.Do(t, "GET", host, "/r77/a/b?c"), "/a/b r77"; a.Status != 200 || !strings.HasSuffix(a.Body, want) {
			t.Errorf("host %s is answered with %d %q, want %q", host, a.Status, a.Body, want)
		}
	}
	for _, miss := range [][2]string{{"other.test", "/r7/x"}, {"shop.test", "/none"}} {
		if a := e.Do(t, "GET", miss[0], miss[1]); a.Status != http.StatusNotFound {
			t.Errorf("%s%s is answered with %d", miss[0], miss[1], a.Status)
		}
	}
	for host, want := range map[string]string{"a.wild.test": "wild", "wild.test": "any", "other.test": "any", "192.0.2.1:80": "any"} {
		if a := e.Do(t, "GET", host, "/who"); a.Body != want {
			t.Errorf("host %s is answered with %d %q, want %q", host, a.Status, a.Body, want)
		}
	}
	for _, kind := range []string{"listener_manager.lds", "cluster_manager.cds", "http.edge_http.rds.edge_http"} {
		if n, _ := e.Stat(t, kind+".update_rejected"); n != 0 {
			t.Errorf("%s: %d updates were refused", kind, n)
		}
	}
}

// TestServedOverMutualTLS does the same with certificates on both sides, which Envoy reads from the files that the
// bootstrap's secrets name. The certificate of the Envoy names its gateway.
func TestServedOverMutualTLS(t *testing.T) {
	dir := t.TempDir()
	ca := testenv.WriteCertificates(t, dir)
	file := func(name string) string { return filepath.Join(dir, name) }
	files := &bootstrap.TLS{
		CAFile: ca, CertFile: file("client.pem"), KeyFile: file("client-key.pem"),
		ServerName: "localhost", SecretsFile: file("secrets.json"),
	}
	secrets, err := bootstrap.Secrets(files)
	if err != nil {
		t.Fatal(err)
	}
	write(t, files.SecretsFile, string(secrets))
	docs := fmt.Sprintf(`
gateway "localhost" {
  listener "http" {
    port = %d
  }
}
upstream "shop" {
  static {
    endpoints = [%q]
  }
}
route "shop" {
  to { upstream = upstream.shop }
}
`, testenv.FreePort(t), Backend(t, func(http.ResponseWriter, *http.Request) {}))
	e := serve(t, "localhost", server.Options{
		Identity: server.Certificate(""),
		TLS:      &server.TLS{Cert: file("server.pem"), Key: file("server-key.pem"), ClientCA: ca},
	}, files, Translate(t, nil, Documents{"a.hcl": docs}).Must(t).Resources)
	if a := e.Do(t, "GET", "shop.test", "/"); a.Status != http.StatusOK {
		t.Errorf("the answer is %d", a.Status)
	}
}

// TestReadinessPort asks the port that load balancers and scrapers see, of an Envoy with its admin on a Unix socket: it
// says that Envoy is ready and how it does, and nothing else of the admin can be reached.
func TestReadinessPort(t *testing.T) {
	docs := fmt.Sprintf("gateway \"edge\" {\n  listener \"http\" {\n    port = %d\n  }\n}\n", testenv.FreePort(t))
	plane := newPlane(t, "edge", server.Options{}, Translate(t, nil, Documents{"a.hcl": docs}).Must(t).Resources).address
	at := fmt.Sprintf("127.0.0.1:%d", testenv.FreePort(t))
	text, err := bootstrap.JSON(bootstrap.Options{
		NodeID: "edge-1", Gateway: "edge", ControlPlanes: []string{plane}, Ready: at,
		Admin: "unix:" + filepath.Join(t.TempDir(), "admin.sock"),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	ready := make(chan struct{})
	go func() {
		ended <- envoy.Run(ctx, envoy.Options{
			Path: testenv.EnvoyPath(t), BootstrapJSON: text, Concurrency: 1, Ready: func() { close(ready) },
		})
	}()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-ready:
	case <-time.After(20 * time.Second):
		t.Fatal("envoy is not ready")
	}
	c := client(t)
	for path, want := range map[string]int{
		"/ready": 200, "/stats/prometheus?usedonly": 200, "/": 404, "/stats": 404, "/config_dump": 404,
		"/ready/../quitquitquit": 404, "/stats/prometheus%2F..%2Fconfig_dump": 400,
	} {
		resp, err := c.Get("http://" + at + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s is answered with %d, want %d", path, resp.StatusCode, want)
		}
	}
}
