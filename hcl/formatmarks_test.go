package hcl_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/hcl"
)

func TestFormatLeavesTheEdgesOfDirectives(t *testing.T) {
	for _, text := range []string{
		"a = <<-EOT\n  %{ for x in y ~}\n  <li>${x}</li>\n  %{ endfor ~}\nEOT\n",
		"a = <<-EOT\n  %{for x in y~}\n  %{ if x == 1 }a%{ else }b%{ endif }\n  %{endfor~}\nEOT\n",
		"a = \"%{ if b }${upper(\"${c}\")}%{ endif }\"\n",
		"a = \"%%{ if b }\"\n",
	} {
		out, diags := hcl.Format("a.hcl", []byte(text))
		if diags.HasErrors() || string(out) != text {
			t.Errorf("%q became %q, %v", text, out, diags)
		}
	}
	out, _ := hcl.Format("a.hcl", []byte("a   = \"${ b }%{  if  c   }x%{ endif }\"\n"))
	if want := "a = \"${b}%{ if c }x%{ endif }\"\n"; string(out) != want {
		t.Errorf("%q, want %q", out, want)
	}
}
