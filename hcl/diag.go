package hcl

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	hclv2 "github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/sluice-gateway/sluice/gateway"
)

// Dedup keeps the first of diagnostics that say the same of the same place: what a dynamic block or a for_each repeats
// is one mistake.
func Dedup(diags hclv2.Diagnostics) hclv2.Diagnostics {
	if len(diags) < 2 {
		return diags
	}
	type key struct {
		severity hclv2.DiagnosticSeverity
		summary  string
		subject  hclv2.Range
	}
	seen := make(map[key]bool, len(diags))
	out := make(hclv2.Diagnostics, 0, len(diags))
	for _, d := range diags {
		k := key{severity: d.Severity, summary: d.Summary}
		if d.Subject != nil {
			k.subject = *d.Subject
		}
		if !seen[k] {
			seen[k] = true
			out = append(out, d)
		}
	}
	return out
}

// inOrder sorts diagnostics of one document by place.
func inOrder(diags hclv2.Diagnostics) hclv2.Diagnostics {
	slices.SortStableFunc(diags, func(a, b *hclv2.Diagnostic) int {
		if a.Subject == nil || b.Subject == nil {
			return 0
		}
		return cmp.Compare(a.Subject.Start.Byte, b.Subject.Start.Byte)
	})
	return diags
}

// Culprit is the leaf value that a diagnostic complains of: a kv value of a wrong type. ok is false for all others.
func Culprit(d *hclv2.Diagnostic) (id gateway.ID, ok bool) {
	if e, ok := d.Extra.(*valueError); ok {
		return e.id, true
	}
	return gateway.ID{}, false
}

// explainEval makes diagnostics of the evaluator fit for documents: values that do not fit get a summary of their own,
// and nothing keeps the evaluator's state alive.
func explainEval(diags hclv2.Diagnostics) hclv2.Diagnostics {
	out := make(hclv2.Diagnostics, 0, len(diags))
	for _, d := range diags {
		c := &hclv2.Diagnostic{Severity: d.Severity, Summary: d.Summary, Detail: d.Detail, Subject: d.Subject, Context: d.Context}
		call, isCall := d.Extra.(hclsyntax.FunctionCallDiagExtra)
		var bad *valueError
		switch {
		case isCall && errors.As(call.FunctionCallError(), &bad):
			c.Summary, c.Detail, c.Extra = "Invalid key-value entry", upperFirst(bad.text)+". Correct the value, or the default.", bad
		case d.Summary == "Call to unknown function":
			if parts := strings.SplitN(d.Detail, "\"", 3); len(parts) == 3 {
				c.Detail = fmt.Sprintf("There is no function named %q.%s", parts[1], didYouMean(parts[1], Functions()))
			}
		}
		out = append(out, c)
	}
	return out
}

func jsonOf(v cty.Value) (string, error) {
	b, err := ctyjson.Marshal(v, v.Type())
	return string(b), err
}
