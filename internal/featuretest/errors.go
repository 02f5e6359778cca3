package featuretest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/xds/translate"
)

// Errors checks the documents of a folder: each gives exactly the errors that it announces, as `# ERROR: SUMMARY` on the
// line where the error is. What a document leaves out it gets, as a README's blocks do.
func Errors(t *testing.T, dir string, kinds []translate.Kind) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatalf("%s has no document", dir)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var want, got []string
		for i, line := range strings.Split(string(text), "\n") {
			if _, summary, ok := strings.Cut(line, "# ERROR: "); ok {
				want = append(want, fmt.Sprintf("%d: %s", i+1, strings.TrimSpace(summary)))
			}
		}
		result := Translate(t, kinds, Documents{"error.hcl": string(text), "setting.hcl": setting(string(text))})
		for _, d := range result.Diags {
			if d.Subject == nil || d.Subject.Filename != "error.hcl" {
				t.Errorf("%s: %v", path, d)
				continue
			}
			got = append(got, fmt.Sprintf("%d: %s", d.Subject.Start.Line, d.Summary))
			if d.Detail == "" {
				t.Errorf("%s:%d: %q says nothing about the remedy", path, d.Subject.Start.Line, d.Summary)
			}
		}
		if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
			t.Errorf("%s (-announced +found):\n%s", path, diff)
		}
	}
}
