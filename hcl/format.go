package hcl

import (
	hclv2 "github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Format returns src in the canonical layout, which is Terraform's: two spaces, aligned equals signs, one final newline.
// A document with syntax errors is not touched; the diagnostics say why. Formatting twice changes nothing.
func Format(name string, src []byte) ([]byte, hclv2.Diagnostics) {
	if _, diags := parseBody(name, src, hclv2.InitialPos); diags.HasErrors() {
		return nil, Dedup(diags)
	}
	out := hclwrite.Format(src)
	if n := len(out); n > 0 && out[n-1] != '\n' {
		out = append(out, '\n')
	}
	return out, nil
}
