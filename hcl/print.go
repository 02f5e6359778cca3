package hcl

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	hclv2 "github.com/hashicorp/hcl/v2"
)

// WriteDiagnostics writes diagnostics as Terraform does: a bar on the left, the place, the line with what is meant
// underlined, and the explanation wrapped to width (0: not wrapped). sources are the documents by name; without its
// source a diagnostic shows its place alone. An error is one of w.
func WriteDiagnostics(w io.Writer, diags hclv2.Diagnostics, sources map[string][]byte, width int, color bool) error {
	out := bufio.NewWriter(w)
	for _, d := range diags {
		writeDiagnostic(out, d, sources, width, color)
	}
	return out.Flush()
}

// paint holds the escape sequences of one diagnostic.
type paint struct{ bar, bold, reset, mark string }

func paintFor(s hclv2.DiagnosticSeverity, color bool) paint {
	switch {
	case !color:
		return paint{}
	case s == hclv2.DiagWarning:
		return paint{"\x1b[33m", "\x1b[1m", "\x1b[0m", "\x1b[4m"}
	}
	return paint{"\x1b[31m", "\x1b[1m", "\x1b[0m", "\x1b[4m"}
}

func writeDiagnostic(w *bufio.Writer, d *hclv2.Diagnostic, sources map[string][]byte, width int, color bool) {
	p := paintFor(d.Severity, color)
	bar := func(sign string) string { return p.bar + sign + p.reset }
	line := func(text string) {
		fmt.Fprintln(w, strings.TrimRight(bar("│")+" "+text, " "))
	}
	fmt.Fprintln(w, bar("╷"))
	line(p.bar + p.bold + severity(d.Severity) + ": " + p.reset + p.bold + d.Summary + p.reset)
	line("")
	if d.Subject != nil {
		snippet(line, d, sources[d.Subject.Filename], p)
		line("")
	}
	for _, paragraph := range strings.Split(strings.TrimSpace(d.Detail), "\n") {
		for _, l := range wrap(paragraph, width-2) {
			line(l)
		}
	}
	fmt.Fprintln(w, bar("╵"))
}

func severity(s hclv2.DiagnosticSeverity) string {
	if s == hclv2.DiagWarning {
		return "Warning"
	}
	return "Error"
}

// snippet shows the first line of the subject, underlined.
func snippet(line func(string), d *hclv2.Diagnostic, src []byte, p paint) {
	r := *d.Subject
	text := strings.TrimRight(lineOf(src, r.Start.Line), "\r")
	if src == nil || text == "" {
		line(fmt.Sprintf("  on %s line %d", r.Filename, r.Start.Line))
		return
	}
	line(fmt.Sprintf("  on %s line %d:", r.Filename, r.Start.Line))
	from := columnByte(text, r.Start.Column)
	to := len(text)
	if r.End.Line == r.Start.Line {
		to = max(from, columnByte(text, r.End.Column))
	}
	number := fmt.Sprintf("%4d: ", r.Start.Line)
	line(number + text[:from] + p.mark + text[from:to] + p.reset + text[to:])
	if p.mark == "" {
		blank := strings.Map(func(c rune) rune {
			if c == '\t' {
				return c
			}
			return ' '
		}, text[:from])
		line(strings.Repeat(" ", len(number)) + blank + strings.Repeat("^", max(1, utf8.RuneCountInString(text[from:to]))))
	}
}

// columnByte is the offset of a column, which counts characters from 1.
func columnByte(text string, column int) int {
	for i := range text {
		if column--; column <= 0 {
			return i
		}
	}
	return len(text)
}

// wrap breaks a paragraph at spaces. Lines that begin with a space are kept as they are.
func wrap(text string, width int) []string {
	if width <= 0 || strings.HasPrefix(text, " ") {
		return []string{text}
	}
	var lines []string
	current := ""
	for _, word := range strings.Fields(text) {
		if current != "" && utf8.RuneCountInString(current)+1+utf8.RuneCountInString(word) > width {
			lines, current = append(lines, current), ""
		}
		if current != "" {
			current += " "
		}
		current += word
	}
	return append(lines, current)
}
