package control

import (
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/hcl"
)

// encodeForm writes an accepted form as the ledger keeps it; a value's form holds its raw text.
func encodeForm(id gateway.ID, f *gateway.Form, origin *gateway.Document) (catalog.LedgerEntry, error) {
	e := catalog.LedgerEntry{ID: id, Hash: f.Hash, Detached: f.Detached}
	if f.Written == nil {
		e.Text, _ = f.Value.Instances[""].(string)
		return e, nil
	}
	reads, err := hcl.EncodeReads(f.Reads)
	if err != nil {
		return e, fmt.Errorf("encode %s: %w", id, err)
	}
	e.Document, e.Range, e.Text, e.Reads = f.Written.Document(), f.Written.Range(), f.Written.Text(), reads
	if origin != nil {
		e.CreateIndex, e.ModifyIndex = origin.Index, origin.Modify
	}
	return e, nil
}

// DecodeForm makes an accepted form again from the ledger: the text evaluated with the values that it read then.
func DecodeForm(e catalog.LedgerEntry, schema *hcl.Schema) (*gateway.Form, error) {
	if e.ID.Kind == gateway.KindValue {
		return &gateway.Form{Value: gateway.Value{Instances: map[string]any{"": e.Text}}, Hash: e.Hash}, nil
	}
	origin := hcl.Origin{Name: e.Document, Index: e.CreateIndex, Modify: e.ModifyIndex, File: !strings.HasPrefix(e.Document, catalog.DocumentPrefix)}
	block, diags := hcl.ParseBlock(origin, e.Text, e.Range.Start, schema)
	if diags.HasErrors() {
		return nil, fmt.Errorf("read ledger entry %s: %w", e.ID, diags)
	}
	reads, err := hcl.DecodeReads(e.Reads)
	if err != nil {
		return nil, fmt.Errorf("read ledger entry %s: %w", e.ID, err)
	}
	value, diags := block.Eval(frozen(reads))
	if diags.HasErrors() {
		return nil, fmt.Errorf("read ledger entry %s: %w", e.ID, diags)
	}
	return &gateway.Form{Written: block, Value: value, Reads: reads, Hash: e.Hash, Detached: e.Detached}, nil
}

// frozen is a scope of values that were read once.
type frozen map[gateway.ID]any

// Get implements gateway.Scope.
func (f frozen) Get(id gateway.ID) (any, bool) {
	v := f[id]
	return v, v != nil
}

// Names implements gateway.Scope.
func (frozen) Names(string) []string { return nil }

var _ gateway.Scope = frozen(nil)
