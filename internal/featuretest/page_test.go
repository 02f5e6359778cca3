package featuretest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const (
	module = "github.com/sluice-gateway/sluice"
	folder = "feature/body_limit"
)

// TestThePageBuildsAFeature takes the files out of docs/adding-a-feature.md, makes a module of them that stands where
// their folder would stand, and runs their tests: once with -update, as the page says, and once more.
func TestThePageBuildsAFeature(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs/adding-a-feature.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := filesOf(string(page))
	if len(files) != 5 {
		t.Fatalf("the page has %d files, want code, README, golden, errors and test", len(files))
	}
	for name, text := range files {
		relative, ok := strings.CutPrefix(name, folder+"/")
		if !ok {
			t.Fatalf("%s is not in the feature's folder", name)
		}
		write(t, filepath.Join(dir, relative), text)
	}
	asModule(t, root, dir)
	for _, arguments := range [][]string{{"test", "./...", "-update"}, {"test", "-count=1", "./..."}} {
		cmd := exec.CommandContext(t.Context(), "go", arguments...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(arguments, " "), err, out)
		}
	}
	golden, err := os.ReadFile(filepath.Join(dir, "testdata/body_limit.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(golden), `"max_request_bytes": 524288`) {
		t.Errorf("the golden file does not show the route's limit:\n%s", golden)
	}
}

// filesOf finds the code blocks whose file name stands in a line of its own above them.
func filesOf(page string) map[string]string {
	name := regexp.MustCompile("^`([a-z_./A-Z]+)`$")
	files := map[string]string{}
	var current, fence string
	var text strings.Builder
	for _, line := range strings.Split(page, "\n") {
		m := name.FindStringSubmatch(line)
		switch {
		case fence != "" && line == fence:
			if current != "" {
				files[current] = text.String()
			}
			current, fence = "", ""
			text.Reset()
		case fence != "":
			text.WriteString(line + "\n")
		case strings.HasPrefix(line, "```"):
			fence = line[:len(line)-len(strings.TrimLeft(line, "`"))]
		case m != nil:
			current = m[1]
		}
	}
	return files
}

// asModule lets the folder stand beside the others of the module, with the same versions of everything.
func asModule(t *testing.T, root, dir string) {
	t.Helper()
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(mod), "module "+module+"\n", "module "+module+"/"+folder+"\n", 1)
	text += "\nrequire " + module + " v0.0.0\n\nreplace " + module + " => " + root + "\n"
	write(t, filepath.Join(dir, "go.mod"), text)
	write(t, filepath.Join(dir, "go.sum"), string(sum))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
