package hcl

import (
	"bytes"

	hclv2 "github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Format returns src in the canonical layout, which is Terraform's: two spaces, aligned equals signs, one final newline.
// A document with syntax errors is not touched; the diagnostics say why. Formatting twice changes nothing.
func Format(name string, src []byte) ([]byte, hclv2.Diagnostics) {
	if _, diags := parseBody(name, src, hclv2.InitialPos); diags.HasErrors() {
		return nil, Dedup(diags)
	}
	out := append(bytes.TrimRight(src, " \t\r\n"), '\n')
	if len(out) == 1 {
		return nil, nil
	}
	for range maxFormat {
		next := keepMarks(out, hclwrite.Format(out))
		if bytes.Equal(next, out) {
			break
		}
		out = next
	}
	return out, nil
}

// maxFormat bounds the rounds of the formatter: rare documents take two to come to rest.
const maxFormat = 4
