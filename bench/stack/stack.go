// Package stack puts sluice's rooms together for what is measured without a Consul: values from memory on one side, delta
// ADS on loopback on the other. With a Consul, the command itself is measured.
package stack

import (
	"context"
	"fmt"
	"net"
	"runtime/debug"
	"time"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/control"
	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/discovery/static"
	"github.com/sluice-gateway/sluice/feature"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/hcl"
	"github.com/sluice-gateway/sluice/xds/server"
	"github.com/sluice-gateway/sluice/xds/store"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// Plane is a control plane that runs until its context ends.
type Plane struct {
	Port   int // of delta ADS on 127.0.0.1
	Loop   *control.Loop
	Schema *hcl.Schema
}

// gate hands the loop the server that is made after it.
type gate struct{ *server.Server }

// start makes everything but the sources.
func start(ctx context.Context, cfg control.Config, kinds []discovery.Kind, reveal gateway.Reveal) (*Plane, error) {
	debug.SetGCPercent(30) // as sluice server does
	var features []hcl.FeatureType
	for _, k := range feature.All() {
		features = append(features, hcl.FeatureType{FeatureRule: k.FeatureRule, New: k.New})
	}
	var sources []hcl.SourceType
	for _, k := range kinds {
		sources = append(sources, hcl.SourceType{Name: k.Name, New: k.New})
	}
	t, err := translate.New(feature.All())
	if err != nil {
		return nil, err
	}
	t = t.WithReveal(reveal)
	g := &gate{}
	cfg.Schema, cfg.Translator, cfg.Store, cfg.Gate = hcl.NewSchema(features, sources), t, store.New(), g
	loop, err := control.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("make the loop: %w", err)
	}
	o := server.Options{Observer: loop}
	if g.Server, err = server.New(cfg.Store, o); err != nil {
		return nil, fmt.Errorf("make the xDS server: %w", err)
	}
	rpc, err := server.NewGRPC(o)
	if err != nil {
		return nil, err
	}
	g.Register(rpc)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() { _ = rpc.Serve(l) }()
	go func() {
		<-ctx.Done()
		rpc.Stop()
	}()
	go func() { _ = loop.Run(ctx) }()
	return &Plane{Port: l.Addr().(*net.TCPAddr).Port, Loop: loop, Schema: cfg.Schema}, nil
}

// InMemory starts a plane whose inputs come from the caller, who says Answered for documents and endpoints.
func InMemory(ctx context.Context) (*Plane, error) {
	return start(ctx, control.Config{Expect: []string{control.InputDocuments, control.InputEndpoints}, Grace: time.Minute},
		[]discovery.Kind{catalog.Kind(), static.Kind()}, nil)
}

// Document reads a document as one of Consul's KV.
func (p *Plane) Document(key string, index uint64, text []byte) *gateway.Document {
	return hcl.Parse(hcl.Origin{Name: catalog.DocumentName(key), Index: index, Modify: index}, text, p.Schema)
}
