// Package stack puts sluice's rooms together for a measurement, as the command does for a server: a Consul or values
// from memory on one side, delta ADS on loopback on the other.
package stack

import (
	"context"
	"fmt"
	"net"
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
func start(ctx context.Context, cfg control.Config, kinds []discovery.Kind) (*Plane, error) {
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
		[]discovery.Kind{catalog.Kind(), static.Kind()})
}

// Document reads a document as one of Consul's KV.
func (p *Plane) Document(key string, index uint64, text []byte) *gateway.Document {
	return hcl.Parse(hcl.Origin{Name: catalog.DocumentName(key), Index: index, Modify: index}, text, p.Schema)
}

// sources hands the loop the manager that is made before it.
type sources struct{ *discovery.Manager }

// WithConsul starts a plane on a Consul, with TLS when ca names the file of an authority. It returns at once; Envoys
// are let in when everything has answered.
func WithConsul(ctx context.Context, address, ca string) (*Plane, error) {
	cfg := catalog.Config{Addresses: []string{address}}
	if ca != "" {
		cfg.Scheme, cfg.CAFile = "https", ca
	}
	client, err := catalog.New(cfg)
	if err != nil {
		return nil, err
	}
	kinds := []discovery.Kind{catalog.Kind(client), static.Kind()}
	var loop *control.Loop
	manager := discovery.New(discovery.Options{Kinds: kinds, Publish: func(m map[gateway.SourceKey][]gateway.Endpoint) { loop.Endpoints(m) }})
	writer := client.NewWriter("bench")
	p, err := start(ctx, control.Config{
		Sources: sources{manager}, Recorder: recorder{writer, client},
		Expect: []string{control.InputLedger, control.InputDocuments, control.InputValues, control.InputEndpoints},
	}, kinds)
	if err != nil {
		return nil, err
	}
	loop = p.Loop
	go func() { _ = writer.Run(ctx) }()
	go func() { _ = manager.Run(ctx) }()
	p.watch(ctx, client)
	go func() {
		if manager.WaitAnswered(ctx) == nil {
			loop.Answered(control.InputEndpoints)
		}
	}()
	return p, nil
}

type recorder struct {
	*catalog.Writer
	client *catalog.Client
}

// PutQuarantine implements control.Recorder.
func (r recorder) PutQuarantine(ctx context.Context, ref gateway.FormRef, reason string) error {
	return r.client.PutQuarantine(ctx, ref, reason)
}

// watch feeds the loop what lies below the prefix.
func (p *Plane) watch(ctx context.Context, c *catalog.Client) {
	go func() {
		_ = c.Accepted(ctx, func(ch catalog.Change) {
			forms := map[gateway.ID]*gateway.Form{}
			for _, pair := range ch.Set {
				if e, err := catalog.DecodeEntry(pair); err == nil {
					if f, err := control.DecodeForm(e, p.Schema); err == nil {
						forms[e.ID] = f
					}
				}
			}
			p.Loop.Ledger(forms)
			p.Loop.Answered(control.InputLedger)
		}, nil)
	}()
	go func() {
		_ = c.Documents(ctx, func(ch catalog.DocChange) {
			docs := map[string]*gateway.Document{}
			for _, pair := range ch.Set {
				docs[catalog.DocumentName(pair.Key)] = hcl.Parse(hcl.Origin{
					Name: catalog.DocumentName(pair.Key), Index: pair.CreateIndex, Modify: pair.ModifyIndex,
				}, pair.Value, p.Schema)
			}
			for _, key := range ch.Deleted {
				docs[catalog.DocumentName(key)] = nil
			}
			p.Loop.Documents(docs)
			p.Loop.Answered(control.InputDocuments)
		}, nil)
	}()
	go func() {
		_ = c.Values(ctx, func(ch catalog.Change) {
			values := map[gateway.ID]*string{}
			for _, pair := range ch.Set {
				text := string(pair.Value)
				values[gateway.ID{Kind: gateway.KindValue, Name: pair.Key}] = &text
			}
			for _, key := range ch.Deleted {
				values[gateway.ID{Kind: gateway.KindValue, Name: key}] = nil
			}
			p.Loop.Leaves(values)
			p.Loop.Answered(control.InputValues)
		}, nil)
	}()
}
