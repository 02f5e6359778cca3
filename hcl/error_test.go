package hcl

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	hclv2 "github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
)

var (
	wantError = regexp.MustCompile(`# ERROR: (.+?)\s*$`)
	wantValue = regexp.MustCompile(`^# KV: (\S+) = (.*)$`)
)

// TestErrors reads testdata/error/*.hcl: every line that ends in "# ERROR: SUMMARY" gets that diagnostic, and no other
// line gets one. "# KV: KEY = VALUE" sets a value.
func TestErrors(t *testing.T) {
	files, err := filepath.Glob("testdata/error/*.hcl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			src, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			leaves := map[gateway.ID]string{}
			for i, line := range strings.Split(string(src), "\n") {
				if m := wantError.FindStringSubmatch(line); m != nil {
					want = append(want, fmt.Sprintf("%d: %s", i+1, m[1]))
				}
				if m := wantValue.FindStringSubmatch(line); m != nil {
					leaves[gateway.ID{Kind: gateway.KindValue, Name: m[1]}] = m[2]
				}
			}
			diags := allDiags(Parse(Origin{Name: name, File: true}, src, testSchema), leaves)
			var got []string
			for _, d := range diags {
				got = append(got, fmt.Sprintf("%d: %s", d.Subject.Start.Line, d.Summary))
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(slices.Compact(got), slices.Compact(want)) {
				t.Errorf("missing: %v\nunexpected: %v\n%s", minus(want, got), minus(got, want), printed(diags, name, src))
			}
			for _, d := range diags {
				if !strings.HasSuffix(d.Detail, ".") && !strings.HasSuffix(d.Detail, "?") {
					t.Errorf("line %d: %s: the detail is no sentence: %q", d.Subject.Start.Line, d.Summary, d.Detail)
				}
			}
		})
	}
}

// allDiags evaluates every block of a document.
func allDiags(doc *gateway.Document, leaves map[gateway.ID]string) hclv2.Diagnostics {
	diags := doc.Diags
	scope := scopeOf(doc)
	if leaves != nil {
		scope.leaves = leaves
	}
	for _, w := range doc.Blocks {
		_, d := w.Eval(scope)
		diags = append(diags, d...)
	}
	return Dedup(diags)
}

func printed(diags hclv2.Diagnostics, name string, src []byte) string {
	var b strings.Builder
	_ = WriteDiagnostics(&b, diags, map[string][]byte{name: src}, 100, false)
	return b.String()
}

func minus(a, b []string) (out []string) {
	for _, x := range a {
		if !slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}

func TestSyntaxErrors(t *testing.T) {
	for name, c := range map[string]struct{ src, summary, detail string }{
		"open":     {"route \"a\" {\n", "Unclosed configuration block", "closing brace"},
		"escape":   {"locals {\n  a = \"\\d\"\n}\n", "Invalid escape sequence", `"\\d"`},
		"control":  {"locals {\n  a = \"50%{x}\"\n}\n", "Invalid template control keyword", "%%{"},
		"interp":   {"locals {\n  a = \"${\"\n}\n", "", "$${"},
		"heredoc":  {"locals {\n  a = <<EOT\ntext\nEOT", "Unterminated template string", "newline"},
		"large":    {strings.Repeat("#", maxDocument+1), "Document too large", "Split"},
		"deep":     {"locals {\n a = " + strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000) + "\n}\n", "Expression too large", "locals"},
		"long":     {"locals {\n a = " + strings.Repeat("1+", 5000) + "1\n}\n", "Expression too large", "locals"},
		"negation": {"locals {\n a = " + strings.Repeat("!", 5000) + "true\n}\n", "Expression too large", "locals"},
		"blocks":   {strings.Repeat("policy \"a\" {\n}\n", maxBlocks+1), "Too many blocks", "Split"},
		"number":   {"locals {\n a = \"x${1e99999999}\"\n}\n", "Number out of range", "exponent"},
		"binary":   {"\xff\xfe\x00", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			doc := Parse(Origin{Name: "consul:x"}, []byte(c.src), testSchema)
			if !doc.Broken || !doc.Diags.HasErrors() || len(doc.Blocks) > 0 {
				t.Fatalf("not broken: %+v", doc)
			}
			said := doc.Diags[0]
			if c.summary != "" && said.Summary != c.summary || !strings.Contains(said.Detail, c.detail) {
				t.Errorf("got %q: %q", said.Summary, said.Detail)
			}
		})
	}
}
