package hcl

import (
	"encoding/json"
	"strings"

	hclv2 "github.com/hashicorp/hcl/v2"
)

// Report is the JSON form of diagnostics: what validate -json prints and the API answers. Fields are only ever added.
type Report struct {
	FormatVersion string       `json:"format_version"` // "1.0"
	Valid         bool         `json:"valid"`          // no errors
	ErrorCount    int          `json:"error_count"`
	WarningCount  int          `json:"warning_count"`
	Diagnostics   []Diagnostic `json:"diagnostics"` // never null
}

// Diagnostic is one diagnostic in JSON. Field names are those of Terraform's validate -json.
type Diagnostic struct {
	Severity string   `json:"severity"` // "error" or "warning"
	Summary  string   `json:"summary"`
	Detail   string   `json:"detail"`
	Range    *Range   `json:"range,omitempty"`   // absent where there is no place
	Snippet  *Snippet `json:"snippet,omitempty"` // absent where the source is not known
}

// Range is a part of a document. The end is the first position after it.
type Range struct {
	Filename string `json:"filename"`
	Start    Pos    `json:"start"`
	End      Pos    `json:"end"`
}

// Pos is a position: line and column count from 1, columns in characters; byte counts from 0.
type Pos struct {
	Line   int `json:"line"`
	Column int `json:"column"`
	Byte   int `json:"byte"`
}

// Snippet is the first line of a range.
type Snippet struct {
	Code      string `json:"code"`                   // the line
	StartLine int    `json:"start_line"`             // its number
	Start     int    `json:"highlight_start_offset"` // bytes within code
	End       int    `json:"highlight_end_offset"`
}

// NewReport makes the report of diagnostics; sources are the documents by name, for the snippets.
func NewReport(diags hclv2.Diagnostics, sources map[string][]byte) Report {
	out := Report{FormatVersion: "1.0", Valid: true, Diagnostics: []Diagnostic{}}
	for _, d := range diags {
		j := Diagnostic{Severity: strings.ToLower(severity(d.Severity)), Summary: d.Summary, Detail: d.Detail}
		if d.Severity == hclv2.DiagWarning {
			out.WarningCount++
		} else {
			out.ErrorCount++
			out.Valid = false
		}
		if r := d.Subject; r != nil {
			j.Range = &Range{r.Filename, Pos(r.Start), Pos(r.End)}
			j.Snippet = snippetOf(*r, sources[r.Filename])
		}
		out.Diagnostics = append(out.Diagnostics, j)
	}
	return out
}

func snippetOf(r hclv2.Range, src []byte) *Snippet {
	text := lineOf(src, r.Start.Line)
	if src == nil || text == "" {
		return nil
	}
	text = strings.TrimRight(text, "\r")
	s := &Snippet{Code: text, StartLine: r.Start.Line, Start: columnByte(text, r.Start.Column), End: len(text)}
	if r.End.Line == r.Start.Line {
		s.End = max(s.Start, columnByte(text, r.End.Column))
	}
	return s
}

// DiagnosticsJSON is the report of diagnostics as indented JSON with a final newline.
func DiagnosticsJSON(diags hclv2.Diagnostics, sources map[string][]byte) ([]byte, error) {
	b, err := json.MarshalIndent(NewReport(diags, sources), "", "  ")
	return append(b, '\n'), err
}
