package featuretest

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	hclv2 "github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/hcl"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// Static is the source of these tests: static { addresses = ["127.0.0.1:8080"] }.
type Static struct {
	Addresses []string `hcl:"addresses"`
	Tags      []string `hcl:"tags,optional"`
}

// SourceKey names the addresses.
func (s *Static) SourceKey() gateway.SourceKey {
	return gateway.SourceKey{Kind: "static", Query: strings.Join(s.Addresses, ",") + ";" + strings.Join(s.Tags, ",")}
}

func (s *Static) endpoints() ([]gateway.Endpoint, error) {
	var out []gateway.Endpoint
	for _, a := range s.Addresses {
		ap, err := netip.ParseAddrPort(a)
		if err != nil {
			return nil, fmt.Errorf("read address %q: %w", a, err)
		}
		out = append(out, gateway.Endpoint{ID: a, Address: ap.Addr().String(), Port: ap.Port(), Tags: s.Tags})
	}
	return out, nil
}

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
	w, _ := gateway.Apply(gateway.New(&gateway.Rules{Features: tr.Rules()}), in)
	feed := gateway.Input{Endpoints: map[gateway.SourceKey][]gateway.Endpoint{}, Settled: true}
	for key, source := range w.Sources() {
		list, err := source.Spec.(*Static).endpoints()
		if err != nil {
			t.Fatal(err)
		}
		feed.Endpoints[key] = list
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
		Name: "static", New: func() gateway.SourceSpec { return &Static{} },
	}})
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
