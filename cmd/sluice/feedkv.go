package main

import (
	"context"

	hclv2 "github.com/hashicorp/hcl/v2"
	"github.com/oklog/run"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/control"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/hcl"
)

// addKV adds the watches of everything that Consul's KV has for the loop, and the writer.
func (p *plane) addKV(g *run.Group) {
	kv := p.cfg.kv
	actor(g, func(ctx context.Context) error { return kv.Documents(ctx, p.takeDocuments, nil) })
	actor(g, func(ctx context.Context) error { return kv.Values(ctx, p.takeValues, nil) })
	actor(g, p.readLedger)
	actor(g, func(ctx context.Context) error { return kv.AcceptedFunctions(ctx, p.takeReferences, nil) })
	actor(g, func(ctx context.Context) error { return kv.Quarantine(ctx, p.takeQuarantine, nil) })
	actor(g, func(ctx context.Context) error { return kv.Drain(ctx, p.takeDrain, nil) })
	actor(g, func(ctx context.Context) error {
		return kv.Freeze(ctx, func(frozen bool, reason string) {
			p.facts.setFrozen(frozen, reason)
			p.loop.Freeze(frozen)
		}, nil)
	})
	p.generations.add(g)
	actor(g, p.writer.Run)
}

// readLedger reads the ledger once: it is for the start. From then on this replica learns from its own Envoys what is
// accepted, and a watch of all blocks would cost every change what all of them cost.
func (p *plane) readLedger(ctx context.Context) error {
	once, enough := context.WithCancel(ctx)
	defer enough()
	_ = p.cfg.kv.Accepted(once, func(ch catalog.Change) {
		p.takeLedger(ch)
		if ch.Complete {
			enough()
		}
	}, nil) // it returns when once ends, and with its error alone
	<-ctx.Done()
	return ctx.Err()
}

func (p *plane) takeDocuments(ch catalog.DocChange) {
	docs := map[string]*gateway.Document{}
	for _, key := range ch.Held {
		if name := catalog.DocumentName(key); !p.told[name] {
			docs[name] = heldDocument(name)
		}
	}
	for _, pair := range ch.Set {
		name := catalog.DocumentName(pair.Key)
		docs[name] = p.document(hcl.Origin{Name: name, Index: pair.CreateIndex, Modify: pair.ModifyIndex}, pair.Value)
	}
	for _, key := range ch.Deleted {
		docs[catalog.DocumentName(key)] = nil
	}
	p.deliver(docs, ch.Complete)
}

// heldDocument stands for one that an apply under way keeps back and that this replica has never seen: what the ledger
// has of it is served until the apply has ended.
func heldDocument(name string) *gateway.Document {
	return &gateway.Document{Name: name, Broken: true, Diags: hclv2.Diagnostics{{
		Severity: hclv2.DiagWarning, Summary: "Apply under way", Subject: &hclv2.Range{Filename: name, Start: hclv2.InitialPos, End: hclv2.InitialPos},
		Detail: "The document is part of an apply that has not ended. What was accepted before stays in force until then.",
	}}}
}

// deliver hands documents to the loop; complete says that with them everything has been said once.
func (p *plane) deliver(docs map[string]*gateway.Document, complete bool) {
	for name := range docs {
		p.told[name] = true
	}
	p.facts.noteDocuments(docs)
	p.loop.Documents(docs)
	if complete {
		p.inputs.answered(control.InputDocuments)
	}
}

func (p *plane) takeValues(ch catalog.Change) {
	values := map[gateway.ID]*string{}
	for _, pair := range ch.Set {
		text := string(pair.Value)
		values[gateway.ID{Kind: gateway.KindValue, Name: pair.Key}] = &text
	}
	for _, key := range ch.Deleted {
		values[gateway.ID{Kind: gateway.KindValue, Name: key}] = nil
	}
	p.loop.Leaves(values)
	if ch.Complete {
		p.inputs.answered(control.InputValues)
	}
}

func (p *plane) takeLedger(ch catalog.Change) {
	forms := map[gateway.ID]*gateway.Form{}
	for _, pair := range ch.Set {
		e, err := catalog.DecodeEntry(pair)
		if err != nil {
			p.cfg.log.Warn("cannot read an accepted block of the ledger", "error", err)
			continue
		}
		f, err := control.DecodeForm(e, p.schema)
		if err != nil {
			p.cfg.log.Warn("cannot read an accepted block of the ledger", "error", err)
			continue
		}
		if p.cfg.loopback {
			f = formOnLoopback(f)
		}
		forms[e.ID] = f
	}
	for _, key := range ch.Deleted {
		if id, ok := ledgerID(key); ok {
			forms[id] = nil
		}
	}
	p.loop.Ledger(forms)
	if ch.Complete {
		p.inputs.answered(control.InputLedger)
	}
}

// takeReferences takes what references to functions led to. An entry that cannot be read says nothing: what was known of
// it stays.
func (p *plane) takeReferences(ch catalog.Change) {
	led := map[gateway.ID]*gateway.Led{}
	for _, pair := range ch.Set {
		id, l, err := catalog.DecodeFunction(pair)
		if err != nil {
			p.cfg.log.Warn("cannot read what a reference to a function led to", "error", err)
			continue
		}
		led[id] = l
	}
	for _, key := range ch.Deleted {
		if id, ok := catalog.ParseFunctionKey(key); ok {
			led[id] = nil
		}
	}
	p.loop.Led(led)
	if ch.Complete {
		p.inputs.answered(control.InputReferences)
	}
}

// ledgerID is the block of a ledger key, KIND/NAME.
func ledgerID(key string) (gateway.ID, bool) {
	for i := range key {
		if key[i] == '/' {
			return gateway.ID{Kind: key[:i], Name: key[i+1:]}, true
		}
	}
	return gateway.ID{}, false
}

func (p *plane) takeQuarantine(ch catalog.Change) {
	forms := map[gateway.FormRef]*string{}
	for _, pair := range ch.Set {
		if ref, ok := catalog.ParseQuarantineKey(pair.Key); ok {
			words := string(pair.Value)
			forms[ref] = &words
		}
	}
	for _, key := range ch.Deleted {
		if ref, ok := catalog.ParseQuarantineKey(key); ok {
			forms[ref] = nil
		}
	}
	p.loop.Quarantine(forms)
}

func (p *plane) takeDrain(ch catalog.Change) {
	for _, pair := range ch.Set {
		p.loop.Drain(pair.Key, true)
	}
	for _, key := range ch.Deleted {
		p.loop.Drain(key, false)
	}
}
