package tls

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sluice-gateway/sluice/feature/http2"
	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/xds/translate"
)

func TestFeature(t *testing.T) { featuretest.Run(t, Kind()) }

func TestTheUpstreamIsKnownByItsCertificate(t *testing.T) {
	certificates := featuretest.TheCertificates()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("x-asked", r.TLS.ServerName)
		w.Header().Set("x-proto", r.Proto)
		if len(r.TLS.PeerCertificates) > 0 {
			w.Header().Set("x-client", r.TLS.PeerCertificates[0].Subject.CommonName)
		}
	}))
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{
		Certificates: []tls.Certificate{certificates.Pair()}, ClientCAs: certificates.Pool(), ClientAuth: tls.VerifyClientCertIfGiven, MinVersion: tls.VersionTLS12,
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	for name, c := range map[string]struct {
		block                string
		status               int
		asked, proto, client string
	}{
		"its name":            {`sni = "shop.internal"`, 200, "shop.internal", "HTTP/1.1", ""},
		"its address":         {`names = ["127.0.0.1"]`, 200, "", "HTTP/1.1", ""},
		"its URI":             {`names = ["spiffe://example.com/shop"]`, 200, "", "HTTP/1.1", ""},
		"one of several":      {`names = ["other.internal", "shop.internal"]`, 200, "other.internal", "HTTP/1.1", ""},
		"another name":        {`sni = "other.internal"`, 503, "", "", ""},
		"another URI":         {`names = ["spiffe://example.com/shop/2"]`, 503, "", "", ""},
		"asked by one, known": {"sni = \"front.internal\"\nnames = [\"shop.internal\"]", 200, "front.internal", "HTTP/1.1", ""},
		"in HTTP/2":           {"sni = \"shop.internal\"\n}\nhttp2 {", 200, "shop.internal", "HTTP/2.0", ""},
		"with a certificate":  {"sni = \"shop.internal\"\ncertificate = secret.pki", 200, "shop.internal", "HTTP/1.1", "shop.internal"},
	} {
		t.Run(name, func(t *testing.T) {
			edge := featuretest.Serve(t, []translate.Kind{http2.Kind(), Kind()}, featuretest.Documents{"a.hcl": `
		gateway "edge" {
		  listener "http" { port = 8080 }
		}
		secret "pki" {
		  vault_kv { path = "pki" }
		}
		route "shop" {
		  to { upstream = upstream.shop }
		}
		upstream "shop" {
		  static { endpoints = ["` + server.Listener.Addr().String() + `"] }
		  tls {
		    ca = secret.pki
		    ` + c.block + `
		  }
		}`})
			a := edge.Do(t, "GET", "shop.example.com", "/")
			got := []string{a.Header.Get("x-asked"), a.Header.Get("x-proto"), a.Header.Get("x-client")}
			if a.Status != c.status || got[0] != c.asked || got[1] != c.proto || got[2] != c.client {
				t.Errorf("answered with %d, %q, want %d, %q", a.Status, got, c.status, []string{c.asked, c.proto, c.client})
			}
		})
	}
}
