package sluice_test

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// buildSluice compiles the command as it stands, for what only the whole can prove.
func buildSluice(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "sluice")
	// The parsed sources stand in for the build's inputs, so that a cached result is not taken for a newer program's.
	_ = sources(t)
	if out, err := exec.Command("go", "build", "-o", binary, "./cmd/sluice").CombinedOutput(); err != nil {
		t.Fatalf("build sluice: %v\n%s", err, out)
	}
	return binary
}

func sluice(t *testing.T, binary string, args ...string) {
	t.Helper()
	if out, err := exec.Command(binary, args...).CombinedOutput(); err != nil {
		t.Errorf("sluice %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

var hclBlock = regexp.MustCompile("(?ms)^```hcl\n(.*?)^```$")

// Every HCL block of every page is formatted, and a document that stands for itself and is valid. Those of features'
// READMEs, and of the page that makes a feature, are validated and loaded into an Envoy by the features' own tests.
func TestPagesHoldValidDocuments(t *testing.T) {
	binary := buildSluice(t)
	for _, p := range files(t, ".md") {
		ofFeature := strings.HasPrefix(p, "feature/") || p == "docs/adding-a-feature.md"
		text := read(t, p)
		for _, m := range hclBlock.FindAllStringSubmatchIndex(text, -1) {
			line := strings.Count(text[:m[2]], "\n")
			document := filepath.Join(t.TempDir(), strings.ReplaceAll(p, "/", "_")+".hcl")
			t.Run(path.Join(p, text[m[2]:m[2]+strings.IndexByte(text[m[2]:], '\n')]), func(t *testing.T) {
				if err := os.WriteFile(document, []byte(text[m[2]:m[3]]), 0o600); err != nil {
					t.Fatal(err)
				}
				sluice(t, binary, "fmt", "-check", "-diff", document)
				if !ofFeature {
					sluice(t, binary, "validate", document)
				}
				if t.Failed() {
					t.Logf("%s: the block begins in line %d", p, line+1)
				}
			})
		}
	}
}

// Every example is a world of its own that is formatted and valid. Serving it is tested beside the command.
func TestExamplesAreValid(t *testing.T) {
	binary := buildSluice(t)
	folders := map[string]bool{}
	for _, p := range files(t, ".hcl") {
		if name, ok := strings.CutPrefix(p, "examples/"); ok {
			folder := "examples/" + strings.Split(name, "/")[0]
			if strings.HasPrefix(p, folder+"/documents/") { // where there is more than documents, they have a folder
				folder += "/documents"
			} else if strings.HasPrefix(p, folder+"/agent/") {
				continue
			}
			folders[folder] = true
			_ = read(t, p)
		}
	}
	if len(folders) == 0 {
		t.Fatal("there is no example")
	}
	for folder := range folders {
		t.Run(folder, func(t *testing.T) {
			sluice(t, binary, "fmt", "-check", "-diff", "-recursive", folder)
			sluice(t, binary, "validate", folder)
		})
	}
}
