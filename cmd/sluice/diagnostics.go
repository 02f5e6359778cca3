package main

import (
	"fmt"
	"io"
	"strings"

	hclv2 "github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/hcl"
)

// diagnosticWidth is where explanations are wrapped.
const diagnosticWidth = 78

// diagnose prints diagnostics for people, with the lines that they are about.
func (a *app) diagnose(diags hclv2.Diagnostics, texts map[string][]byte) {
	_ = hcl.WriteDiagnostics(a.errs, diags, texts, diagnosticWidth, a.colours())
}

// diagnoseRemote prints diagnostics that a server sent. texts, which may be nil, are documents that are at hand; of
// others the server's snippet is shown.
func (a *app) diagnoseRemote(list []console.Diagnostic, texts map[string][]byte) {
	a.showDiagnostics(a.errs, list, texts)
}

func (a *app) showDiagnostics(to io.Writer, list []console.Diagnostic, texts map[string][]byte) {
	for _, r := range list {
		d := &hclv2.Diagnostic{Severity: hclv2.DiagError, Summary: r.Summary, Detail: r.Detail}
		if r.Severity == "warning" {
			d.Severity = hclv2.DiagWarning
		}
		sources := texts
		if r.Range != nil {
			d.Subject = rangeFrom(r.Range)
			if texts[r.Range.Document] == nil && r.Snippet != "" {
				line := strings.Repeat("\n", r.Range.Start.Line-1) + r.Snippet
				sources = map[string][]byte{r.Range.Document: []byte(line)}
			}
		}
		_ = hcl.WriteDiagnostics(to, hclv2.Diagnostics{d}, sources, diagnosticWidth, a.colours())
	}
}

func rangeFrom(r *console.Range) *hclv2.Range {
	pos := func(p console.Position) hclv2.Pos { return hclv2.Pos{Line: p.Line, Column: p.Column, Byte: p.Byte} }
	return &hclv2.Range{Filename: r.Document, Start: pos(r.Start), End: pos(r.End)}
}

// tally is "2 errors, 1 warning".
func tally(errors, warnings int) string {
	return fmt.Sprintf("%s, %s", plural(errors, "error"), plural(warnings, "warning"))
}
