package hcl

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDocs parses every HCL block of the reference, and finds every function in it.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/language.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```hcl\n(.*?)^```$").FindAllSubmatch(page, -1)
	if len(blocks) < 5 {
		t.Fatalf("%d blocks", len(blocks))
	}
	for _, b := range blocks {
		if doc := Parse(Origin{Name: "language.md", File: true}, b[1], testSchema); len(doc.Diags) > 0 {
			t.Error(printed(doc.Diags, "language.md", b[1]))
		}
		if out, _ := Format("language.md", b[1]); string(out) != string(b[1]) {
			t.Errorf("not formatted:\n%s", b[1])
		}
	}
	for _, name := range append(Functions(), RequestTimeFunctions()...) {
		if text := string(page); !strings.Contains(text, "`"+name+"`") && !strings.Contains(text, "`"+name+"(") {
			t.Errorf("the page does not name the function %s", name)
		}
	}
}
