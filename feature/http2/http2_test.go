package http2

import (
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/xds/translate"
)

func TestFeature(t *testing.T) { featuretest.Run(t, Kind()) }

func TestTheUpstreamIsSpokenToInHTTP2(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	})}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	for block, want := range map[string]string{"": "HTTP/1.1", "http2 {}": "HTTP/2.0"} {
		edge := featuretest.Serve(t, []translate.Kind{Kind()}, featuretest.Documents{"a.hcl": `
		gateway "edge" {
		  listener "http" { port = 8080 }
		}
		route "shop" {
		  to { upstream = upstream.shop }
		}
		upstream "shop" {
		  static { endpoints = ["` + l.Addr().String() + `"] }
		  ` + block + `
		}`})
		if a := edge.Do(t, "GET", "shop.example.com", "/"); a.Body != want {
			t.Errorf("with %q the upstream sees %s, want %s", block, a.Body, want)
		}
	}
}
