package featuretest

import (
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/xds/bootstrap"
	"github.com/sluice-gateway/sluice/xds/server"
	"github.com/sluice-gateway/sluice/xds/store"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// Plane is a control plane with one gateway, whose resources a test may change while an Envoy serves.
type Plane struct {
	store   *store.Store
	address string
	gateway string
}

// ServeADS takes resources to a real Envoy of the gateway "edge" the way production does: over delta ADS, to an Envoy that
// knows nothing but its bootstrap. Its listener is "http", on a port that the documents choose.
func ServeADS(t testing.TB, resources []*translate.Resource) (*Edge, *Plane) {
	t.Helper()
	p := newPlane(t, "edge", server.Options{}, resources)
	return p.edge(t, nil), p
}

// Set publishes resources, in place of those of the same name.
func (p *Plane) Set(t testing.TB, resources ...*translate.Resource) {
	t.Helper()
	var tx store.Change
	for _, r := range resources {
		needs := make([]store.Key, len(r.Needs))
		for i, n := range r.Needs {
			needs[i] = store.Key{Type: n.TypeURL, Name: n.Name}
		}
		stored, err := store.NewResource(store.Key{Type: r.TypeURL, Name: r.Name}, r.Message, needs, []string{p.gateway})
		if err != nil {
			t.Fatal(err)
		}
		tx.Set = append(tx.Set, stored)
	}
	p.store.Publish(tx)
}

// Remove takes resources back.
func (p *Plane) Remove(keys ...translate.Key) {
	var tx store.Change
	for _, k := range keys {
		tx.Remove = append(tx.Remove, store.Key{Type: k.TypeURL, Name: k.Name})
	}
	p.store.Publish(tx)
}

// newPlane serves the resources to the Envoys of a gateway until the end of the test.
func newPlane(t testing.TB, gateway string, o server.Options, resources []*translate.Resource) *Plane {
	t.Helper()
	p := &Plane{store: store.New(), gateway: gateway}
	p.Set(t, resources...)
	srv, err := server.New(p.store, o)
	if err != nil {
		t.Fatal(err)
	}
	g, err := server.NewGRPC(o)
	if err != nil {
		t.Fatal(err)
	}
	srv.Register(g)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = g.Serve(l)
	}()
	t.Cleanup(func() {
		g.Stop()
		<-done
	})
	srv.Open()
	p.address = l.Addr().String()
	return p
}

// serve starts a control plane with the resources, and an Envoy of the gateway.
func serve(t testing.TB, gateway string, o server.Options, files *bootstrap.TLS, resources []*translate.Resource) *Edge {
	t.Helper()
	return newPlane(t, gateway, o, resources).edge(t, files)
}

// edge starts an Envoy of the plane's gateway.
func (p *Plane) edge(t testing.TB, files *bootstrap.TLS) *Edge {
	t.Helper()
	ready := fmt.Sprintf("127.0.0.1:%d", testenv.FreePort(t))
	text, err := bootstrap.JSON(bootstrap.Options{
		NodeID: p.gateway + "-1", Gateway: p.gateway, ControlPlanes: []string{p.address}, Ready: ready, TLS: files,
	})
	if err != nil {
		t.Fatal(err)
	}
	e := &Edge{Envoy: testenv.StartEnvoy(t, testenv.EnvoyOptions{Bootstrap: text})}
	e.url = "http://" + e.Listener(t, p.gateway+".http")
	e.client = client(t)
	testenv.Eventually(t, 10*time.Second, func() error {
		resp, err := e.client.Get("http://" + ready + "/ready")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("readiness is %s", resp.Status)
		}
		return nil
	})
	return e
}
