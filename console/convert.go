package console

import (
	"cmp"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
)

// RangeOf makes JSON of a range.
func RangeOf(r hcl.Range) Range { return rangeOf(r) }

func rangeOf(r hcl.Range) Range {
	return Range{Document: r.Filename, Start: positionOf(r.Start), End: positionOf(r.End)}
}

func positionOf(p hcl.Pos) Position { return Position{Line: p.Line, Column: p.Column, Byte: p.Byte} }

// NewDiagnostics makes JSON of diagnostics. b, which may be nil, is the block that they are about: its text gives the
// snippets.
func NewDiagnostics(diags hcl.Diagnostics, b gateway.Written) []Diagnostic {
	out := make([]Diagnostic, 0, len(diags))
	for _, d := range diags {
		j := Diagnostic{Severity: "error", Summary: d.Summary, Detail: d.Detail}
		if d.Severity == hcl.DiagWarning {
			j.Severity = "warning"
		}
		j.Waits = gateway.Waits(d)
		if d.Subject != nil {
			at := rangeOf(*d.Subject)
			j.Range, j.Snippet = &at, snippet(b, *d.Subject)
		}
		out = append(out, j)
	}
	return out
}

// snippet is the first line of a range within a block.
func snippet(b gateway.Written, at hcl.Range) string {
	if b == nil || b.Document() != at.Filename {
		return ""
	}
	lines := strings.Split(b.Text(), "\n")
	if i := at.Start.Line - b.Range().Start.Line; i >= 0 && i < len(lines) {
		return lines[i]
	}
	return ""
}

func blockOf(b *gateway.Block) Block {
	j := Block{Kind: b.Kind, Name: b.Name, State: string(b.State), InForce: b.InForce != nil}
	shown := cmp.Or(b.Newest, b.InForce)
	if shown == nil {
		j.Diagnostics = NewDiagnostics(b.Diags, nil)
		return j
	}
	at := rangeOf(shown.Written.Range())
	j.Range, j.Text = &at, shown.Written.Text()
	j.Diagnostics = NewDiagnostics(b.Diags, shown.Written)
	if b.InForce != nil {
		j.Hash, j.Newest = b.InForce.Hash, b.InForce == b.Newest || b.Newest != nil && b.Newest.Hash == b.InForce.Hash
		if text := b.InForce.Written.Text(); text != j.Text {
			j.Effective = text
		}
	}
	j.Degraded = b.Degraded
	for _, id := range b.HeldBy {
		j.HeldBy = append(j.HeldBy, id.String())
	}
	return j
}

// ageOf is the seconds since t; -1 for the zero time.
func ageOf(t, now time.Time) float64 {
	if t.IsZero() {
		return -1
	}
	return max(0, now.Sub(t).Seconds())
}

// Contact makes the two fields that tell when something last answered.
func Contact(t, now time.Time) (contact *time.Time, age float64) {
	if t.IsZero() {
		return nil, -1
	}
	return &t, ageOf(t, now)
}
