package hcl

import (
	"fmt"
	"slices"
	"strings"

	hclv2 "github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/sluice-gateway/sluice/gateway"
)

// levels lists the blocks at which a feature may stand.
func levels(set gateway.Level) string {
	var names []string
	for l := gateway.LevelGateway; l <= gateway.LevelTo; l <<= 1 {
		if set&l != 0 {
			names = append(names, l.String())
		}
	}
	return strings.Join(names, ", ")
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// labelDiag says what is wrong with the labels of a block; nil if nothing is.
func labelDiag(b *hclsyntax.Block, p *plan) *hclv2.Diagnostic {
	if len(b.Labels) > len(p.labels) {
		detail := fmt.Sprintf("No labels are expected for %s blocks.", b.Type)
		if len(p.labels) > 0 {
			detail = fmt.Sprintf("Only %d labels (%s) are expected for %s blocks.", len(p.labels), labelNames(p), b.Type)
		}
		return &hclv2.Diagnostic{Severity: hclv2.DiagError, Summary: "Extraneous label for " + b.Type, Detail: detail,
			Subject: b.LabelRanges[len(p.labels)].Ptr()}
	}
	if len(b.Labels) < len(p.labels) {
		missing := p.labels[len(b.Labels)].name
		return &hclv2.Diagnostic{Severity: hclv2.DiagError, Summary: fmt.Sprintf("Missing %s for %s", missing, b.Type),
			Detail:  fmt.Sprintf("All %s blocks must have %d labels (%s).", b.Type, len(p.labels), labelNames(p)),
			Subject: b.OpenBraceRange.Ptr()}
	}
	return nil
}

func labelNames(p *plan) string {
	names := make([]string, len(p.labels))
	for i, f := range p.labels {
		names[i] = f.name
	}
	return strings.Join(names, ", ")
}

// orList is a, b or c.
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
