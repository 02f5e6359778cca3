package console

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
)

// kvScheme begins the names of documents that come from Consul's KV.
const kvScheme = "consul:"

// Parser makes a document of its text. It is pure.
type Parser func(name, text string) *gateway.Document

// MakePlan says what documents would change in a world. Nothing is changed. An error is a request that makes no sense.
func MakePlan(w *gateway.World, req PlanRequest, parse Parser) (Plan, error) {
	out := Plan{Blocks: []BlockChange{}, Routes: []RouteChange{}, Diagnostics: []Diagnostic{}, Base: map[string]uint64{}, Documents: []string{}, Removed: []string{}}
	docs, err := parseAll(w, req, parse, &out)
	if err != nil {
		return out, err
	}
	next, change := gateway.Apply(w, gateway.Input{Documents: docs})
	for _, name := range slices.Sorted(maps.Keys(docs)) {
		if d := docs[name]; d != nil {
			out.diagnose(d.Diags, nil)
		}
	}
	for _, id := range change.Blocks {
		out.block(w.Block(id), next.Block(id), docs)
	}
	slices.Sort(out.Documents)
	out.Routes = append(out.Routes, DiffRoutes(w, next, change.Units)...)
	out.Changes = len(out.Blocks) > 0 || len(out.Routes) > 0 || len(out.Documents) > 0 || len(out.Removed) > 0
	return out, nil
}

// parseAll parses the documents that are given, and lists those that go.
func parseAll(w *gateway.World, req PlanRequest, parse Parser, out *Plan) (map[string]*gateway.Document, error) {
	live := w.Documents()
	docs := map[string]*gateway.Document{}
	kv := false
	for _, d := range req.Documents {
		if _, twice := docs[d.Name]; twice || d.Name == "" {
			return nil, fmt.Errorf("document %q is listed twice, or has no name", d.Name)
		}
		kv = kv || strings.HasPrefix(d.Name, kvScheme)
		docs[d.Name] = nil
		out.Base[d.Name] = 0
		was := live[d.Name]
		if was != nil {
			out.Base[d.Name] = was.Modify
		}
		if d.Text == nil {
			if was != nil {
				out.Documents = append(out.Documents, d.Name)
			}
			continue
		}
		if was == nil || was.Text != *d.Text {
			out.Documents = append(out.Documents, d.Name)
		}
		doc := parse(d.Name, *d.Text)
		if was != nil {
			doc.Index, doc.Modify = was.Index, was.Modify
		} else {
			doc.Index = ^uint64(0) // newer than all that is there
		}
		docs[d.Name] = doc
	}
	if !req.Prune {
		return docs, nil
	}
	if len(req.Documents) == 0 {
		return nil, errors.New("pruning without any document would remove everything: list at least one")
	}
	for _, name := range slices.Sorted(maps.Keys(live)) {
		if _, given := docs[name]; !given && strings.HasPrefix(name, kvScheme) == kv {
			docs[name] = nil
			out.Base[name] = live[name].Modify
			out.Removed = append(out.Removed, name)
		}
	}
	return docs, nil
}

// diagnose adds diagnostics. What a function is awaited for is no error of a plan: the finder is asked when the block is
// there.
func (p *Plan) diagnose(diags hcl.Diagnostics, b gateway.Written) {
	list := NewDiagnostics(diags, b)
	for i, d := range list {
		if d.Waits {
			list[i].Severity = "warning"
		}
		p.Errors = p.Errors || list[i].Severity == "error"
	}
	p.Diagnostics = append(p.Diagnostics, list...)
}

// block notes what becomes of one block.
func (p *Plan) block(before, after *gateway.Block, docs map[string]*gateway.Document) {
	was, is := newest(before), newest(after)
	c := BlockChange{}
	switch {
	case was == nil && is == nil:
		return
	case was == nil:
		c.Action = "add"
	case is == nil:
		c.Action = "remove"
	case was.Text() != is.Text() || was.Document() != is.Document():
		c.Action = "change"
	default:
		if before.State == after.State && sameForm(before.InForce, after.InForce) {
			p.given(after, docs)
			return
		}
		c.Action = "affect"
	}
	shown := cmp.Or(after, before)
	c.Kind, c.Name = shown.Kind, shown.Name
	if was != nil {
		c.Before = was.Text()
		at := rangeOf(was.Range())
		c.Range = &at
	}
	if is != nil {
		c.After = is.Text()
		at := rangeOf(is.Range())
		c.Range = &at
	}
	if after != nil {
		c.State, c.Degraded = string(after.State), after.Degraded
		p.diagnose(after.Diags, is)
	}
	p.Blocks = append(p.Blocks, c)
}

// given repeats what is wrong in the documents that are asked about, of a block that is in force as before.
func (p *Plan) given(b *gateway.Block, docs map[string]*gateway.Document) {
	for _, d := range b.Diags {
		if d.Subject != nil && docs[d.Subject.Filename] != nil {
			p.diagnose(hcl.Diagnostics{d}, b.Newest.Written)
		}
	}
}

func newest(b *gateway.Block) gateway.Written {
	if b == nil || b.Newest == nil {
		return nil
	}
	return b.Newest.Written
}

func sameForm(a, b *gateway.Form) bool {
	return a == b || a != nil && b != nil && a.Hash == b.Hash
}
