package hcl

import (
	"bytes"
	"strings"

	hclv2 "github.com/hashicorp/hcl/v2"
)

// explainTraps adds the cure to the diagnostics of HCL's own traps.
func explainTraps(diags hclv2.Diagnostics, src []byte) hclv2.Diagnostics {
	out := make(hclv2.Diagnostics, 0, len(diags))
	for _, d := range diags {
		c := *d
		if cure := trapCure(d, src); cure != "" {
			c.Detail = strings.TrimRight(d.Detail, " ") + " " + cure
		}
		out = append(out, &c)
	}
	return out
}

func trapCure(d *hclv2.Diagnostic, src []byte) string {
	line := ""
	if d.Subject != nil {
		line = lineOf(src, d.Subject.Start.Line)
	}
	switch {
	case d.Summary == "Invalid escape sequence":
		return `A backslash is written twice in quotes: "\\d" is the regular expression \d.`
	case d.Summary == "Unterminated template string" && bytes.Contains(src, []byte("<<")):
		return "The word that ends a heredoc stands alone on its line, and a newline follows it, also at the end of the document."
	case strings.Contains(line, "%{") || strings.Contains(d.Detail, "template control"):
		return `To mean the characters %{ themselves, write %%{.`
	case strings.Contains(line, "${"):
		return `To mean the characters ${ themselves, write $${.`
	}
	return ""
}

func lineOf(src []byte, n int) string {
	lines := bytes.SplitN(src, []byte("\n"), n+1)
	if n < 1 || n > len(lines) {
		return ""
	}
	return string(lines[n-1])
}
