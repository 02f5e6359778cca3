package ec2

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
)

// gate is the way to a service, which can be shut. Signatures hold: the host stays as it was asked for.
type gate struct {
	*httptest.Server
	mu     sync.Mutex
	mode   string // "", "fail" or "hang"
	mended chan struct{}
}

func startGate(t testing.TB, to string) *gate {
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = u.Scheme, u.Host }, Transport: transport}
	g := &gate{mended: make(chan struct{})}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		mode, mended := g.mode, g.mended
		g.mu.Unlock()
		switch mode {
		case "fail":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "hang":
			select {
			case <-mended:
			case <-r.Context().Done():
			}
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() {
		g.set("")
		g.Close()
		transport.CloseIdleConnections()
	})
	return g
}

func (g *gate) set(mode string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mode = mode
	close(g.mended)
	g.mended = make(chan struct{})
}
