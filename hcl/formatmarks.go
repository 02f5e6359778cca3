package hcl

import (
	"bytes"

	hclv2 "github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// keepMarks gives the directives of templates the space at their edges back that the layout took: %{ for x in y ~} and
// %{for x in y~} are both as people write them. src and out are one document in two layouts.
func keepMarks(src, out []byte) []byte {
	if !bytes.Contains(src, []byte("%{")) {
		return out
	}
	was, _ := hclsyntax.LexConfig(src, "", hclv2.InitialPos)
	is, _ := hclsyntax.LexConfig(out, "", hclv2.InitialPos)
	if len(was) != len(is) {
		return out
	}
	var b bytes.Buffer
	end := 0
	var directive []bool // of the templates that are open: whether it is one
	for i, t := range is {
		if t.Type != was[i].Type {
			return out
		}
		edge := i > 0 && is[i-1].Type == hclsyntax.TokenTemplateControl
		switch t.Type {
		case hclsyntax.TokenTemplateControl, hclsyntax.TokenTemplateInterp:
			directive = append(directive, t.Type == hclsyntax.TokenTemplateControl)
		case hclsyntax.TokenTemplateSeqEnd:
			if n := len(directive); n > 0 {
				edge = edge || directive[n-1]
				directive = directive[:n-1]
			}
		}
		gap := out[end:t.Range.Start.Byte]
		if edge && len(gap) == 0 && was[i].Range.Start.Byte > was[i-1].Range.End.Byte {
			gap = []byte(" ")
		}
		b.Write(gap)
		b.Write(t.Bytes)
		end = t.Range.End.Byte
	}
	b.Write(out[end:])
	return b.Bytes()
}
