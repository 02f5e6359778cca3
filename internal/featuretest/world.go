package featuretest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	hclv2 "github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/discovery/static"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/hcl"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// Documents are documents by name.
type Documents map[string]string

// Result is what documents become.
type Result struct {
	World     *gateway.World
	Resources []*translate.Resource // of all units, in their order
	Diags     hclv2.Diagnostics     // in the order of the documents
}

// Translate takes documents all the way to resources. User errors are in the result; anything else fails the test.
func Translate(t testing.TB, kinds []translate.Kind, docs Documents) *Result {
	t.Helper()
	tr, err := translate.New(kinds)
	if err != nil {
		t.Fatal(err)
	}
	schema := schemaOf(kinds)
	in := gateway.Input{Documents: map[string]*gateway.Document{}, Settled: true}
	out := &Result{}
	for _, name := range slices.Sorted(maps.Keys(docs)) {
		d := hcl.Parse(hcl.Origin{Name: name, File: true}, []byte(docs[name]), schema)
		in.Documents[name] = d
		out.Diags = append(out.Diags, d.Diags...)
	}
	tr = tr.WithReveal(reveal)
	w, _ := gateway.Apply(gateway.New(&gateway.Rules{Features: tr.Rules()}), in)
	feed := gateway.Input{Endpoints: map[gateway.SourceKey][]gateway.Endpoint{}, Secrets: map[gateway.ID]string{}, Settled: true}
	for id := range w.Secrets() {
		feed.Secrets[id] = "1"
	}
	for key, source := range w.Sources() {
		feed.Endpoints[key] = endpoints(t, source.Spec)
	}
	out.World, _ = gateway.Apply(w, feed)
	for _, b := range out.World.Blocks() {
		out.Diags = append(out.Diags, b.Diags...)
	}
	slices.SortStableFunc(out.Diags, compareDiag)
	for _, u := range out.World.AllUnits() {
		r, err := tr.Build(out.World.Inputs(u))
		if err != nil {
			t.Fatal(err)
		}
		if r != nil {
			out.Resources = append(out.Resources, r)
		}
	}
	return out
}

// Must fails the test on any diagnostic.
func (r *Result) Must(t testing.TB) *Result {
	t.Helper()
	for _, d := range r.Diags {
		if d.Severity != hclv2.DiagError {
			continue
		}
		t.Errorf("%v", d)
	}
	if t.Failed() {
		t.FailNow()
	}
	return r
}

func schemaOf(kinds []translate.Kind) *hcl.Schema {
	features := make([]hcl.FeatureType, len(kinds))
	for i, k := range kinds {
		features[i] = hcl.FeatureType{FeatureRule: k.FeatureRule, New: k.New}
	}
	return hcl.NewSchema(features, []hcl.SourceType{{
		Name: static.Kind().Name, New: static.Kind().New,
	}})
}

// reveal gives every secret fields whose values say where they are from, and a certificate.
func reveal(secret gateway.ID) (gateway.Material, bool) {
	fields := map[string][]byte{}
	for _, name := range []string{"value", "key", "token", "access_key", "secret_key"} {
		fields[name] = []byte(name + "-of-" + secret.Name)
	}
	c := TheCertificates()
	fields["ca"], fields["certificate"], fields["private_key"] = c.Authority, c.Chain, c.Key
	return gateway.NewMaterial(fields), true
}

// endpoints is what a static source lists.
func endpoints(t testing.TB, spec gateway.SourceSpec) (list []gateway.Endpoint) {
	t.Helper()
	source, err := static.Kind().Open(spec)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	err = source.Run(ctx, func(all []gateway.Endpoint) {
		list = all
		stop()
	}, func() {})
	if ctx.Err() == nil {
		t.Fatalf("a static source ended: %v", err)
	}
	return list
}

func compareDiag(a, b *hclv2.Diagnostic) int {
	switch {
	case a.Subject == nil || b.Subject == nil:
		return 0
	case a.Subject.Filename != b.Subject.Filename:
		return strings.Compare(a.Subject.Filename, b.Subject.Filename)
	}
	return a.Subject.Start.Byte - b.Subject.Start.Byte
}
