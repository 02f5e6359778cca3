package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/hcl"
)

// The tests on the page about tests pass, and are formatted.
func TestThePageAboutTestsHoldsTestsThatPass(t *testing.T) {
	const name = "../../docs/testing.md"
	page, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for suffix, block := range map[string]string{"page.hcl": "hcl", "page.test.hcl": "hcl-test"} {
		found := regexp.MustCompile("(?ms)^```"+block+"\n(.*?)^```$").FindAllSubmatch(page, -1)
		if len(found) != 1 {
			t.Fatalf("%d blocks of %s", len(found), block)
		}
		text := found[0][1]
		if out, diags := hcl.Format(suffix, text); diags.HasErrors() || !bytes.Equal(out, text) {
			t.Errorf("%s is not formatted: %v\n%s", suffix, diags, out)
		}
		if err := os.WriteFile(filepath.Join(dir, suffix), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out, errs bytes.Buffer
	a := &app{in: strings.NewReader(""), out: &out, errs: &errs, env: func(string) string { return "" }}
	c := a.command()
	c.SetArgs([]string{"test", "--verbose", dir})
	if err := c.Execute(); err != nil || !strings.Contains(out.String(), "4 passed, 0 failed") {
		t.Errorf("%v\n%s%s", err, out.String(), errs.String())
	}
	for name := range testFunctions(".") {
		if !bytes.Contains(page, []byte("`"+name)) {
			t.Errorf("the page does not name the function %s", name)
		}
	}
}
