package sluice_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/sluice-gateway/sluice"

// rooms is the direction of imports: who may import what of ours. The first pattern that matches a package's folder
// decides; a folder that matches none is a new room, which needs a line here and one in docs/architecture.md.
// A trailing "/..." stands for everything below a folder, "." for the folder itself.
var rooms = []struct {
	folder string
	may    []string
	theirs []string // further restriction: the modules of others that it may import; nil: any but those of `only`
}{
	{"gateway", nil, []string{"github.com/hashicorp/hcl/v2"}},
	{"hcl", []string{"gateway"}, []string{"github.com/hashicorp/hcl/v2", "github.com/hashicorp/hcl/v2/...", "github.com/zclconf/..."}},
	{"catalog", []string{"gateway", "discovery", "catalog/policies", "tlsfiles"}, nil},
	{"catalog/policies", nil, nil},
	{"nomad", []string{"gateway", "discovery", "tlsfiles"}, nil},
	{"nomad/policies", nil, nil},
	{"secrets", []string{"gateway", "discovery", "secrets/policies", "tlsfiles"}, nil},
	{"secrets/policies", nil, nil},
	{"tlsfiles", nil, []string{}}, // a leaf for all who talk to a system
	{"discovery", []string{"gateway"}, nil},
	{"discovery/...", []string{"gateway", "discovery", "tlsfiles"}, nil},
	{"feature", []string{"feature/...", "xds/translate"}, nil},
	{"feature/rate_limit", []string{"gateway", "xds/translate", "ratelimit"}, nil},
	{"feature/...", []string{"gateway", "xds/translate"}, nil},
	{"xds/translate", []string{"gateway", "xds/script"}, nil},
	{"xds/script", []string{"gateway"}, nil},
	{"xds/store", nil, nil},
	{"xds/server", []string{"xds/store"}, nil},
	{"xds/bootstrap", []string{"gateway"}, nil},
	{"ratelimit", nil, nil},
	{"envoy", nil, []string{}},
	{"control", []string{"gateway", "hcl", "discovery", "catalog", "secrets", "xds/..."}, nil},
	{"console", []string{"gateway"}, nil},
	{"packaging", nil, []string{}},
	{"internal/fault", nil, nil},
	{"internal/...", []string{"..."}, nil},
	{"bench", []string{"..."}, nil},
	{"bench/...", []string{"..."}, nil},
	{"cmd/...", []string{"..."}, nil},
	{"examples/migration/statistics", []string{"examples/migration/statistics/statisticsv1"}, nil},
	{"examples/migration/statistics/statisticsv1", nil, nil},         // generated
	{"examples/hybrid/platforms", []string{"internal/testenv"}, nil}, // the simulators of the tests
	{"examples/...", nil, []string{}},
}

// only says which folders may import what others have written, where that is not everyone's. Tests are free of it.
var only = []struct {
	theirs  string
	folders []string
	why     string
}{
	{
		"github.com/envoyproxy/go-control-plane/...",
		[]string{"xds/...", "feature/...", "ratelimit", "internal/...", "bench", "bench/..."},
		"Envoy's protos appear in xds, feature and ratelimit only",
	},
	{
		"github.com/hashicorp/consul/api",
		[]string{"catalog", "internal/...", "bench", "bench/...", "cmd/..."},
		"catalog is the one client of Consul",
	},
	{
		"github.com/hashicorp/nomad/api",
		[]string{"nomad", "internal/...", "bench", "bench/...", "cmd/..."},
		"nomad is the one client of Nomad",
	},
	{
		"github.com/hashicorp/vault/api",
		[]string{"secrets", "internal/...", "bench", "bench/...", "cmd/..."},
		"secrets is the one client of Vault",
	},
	{
		"github.com/hashicorp/hcl/v2/...",
		[]string{"hcl", "internal/...", "cmd/...", "bench", "bench/..."},
		"the language belongs to package hcl; others use the root package, for ranges and diagnostics",
	},
	{
		"github.com/vmware/govmomi/...",
		[]string{"discovery/vsphere", "internal/...", "bench", "bench/..."},
		"discovery/vsphere is the one client of vSphere",
	},
	{
		"github.com/spf13/cobra",
		[]string{"cmd/...", "internal/..."},
		"things are constructed and wired in cmd",
	},
}

// source is one parsed Go file.
type source struct {
	path    string // from the root, with slashes
	folder  string
	test    bool // *_test.go
	file    *ast.File
	fset    *token.FileSet
	content string
}

func (s source) line(pos token.Pos) int { return s.fset.Position(pos).Line }

// sources parses every Go file of the module, those of other modules below it left out.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	for _, p := range files(t, ".go") {
		fset := token.NewFileSet()
		text := read(t, p)
		f, err := parser.ParseFile(fset, p, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, source{
			path: p, folder: path.Dir(p), test: strings.HasSuffix(p, "_test.go"), file: f, fset: fset, content: text,
		})
	}
	return all
}

// files lists the files of the project with an extension, from the root, with slashes.
func files(t *testing.T, ext string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && p != "." && (strings.HasPrefix(name, ".") || name == "bin" || name == "dist" || p == "tools") {
			return filepath.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(name, ext) {
			found = append(found, filepath.ToSlash(p))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func matches(pattern, name string) bool {
	if pattern == "..." {
		return true
	}
	if below, ok := strings.CutSuffix(pattern, "/..."); ok {
		return strings.HasPrefix(name, below+"/")
	}
	return pattern == name
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, name) })
}

func TestImportsGoOneWay(t *testing.T) {
	for _, s := range sources(t) {
		if s.folder == "." {
			continue // these tests
		}
		i := slices.IndexFunc(rooms, func(r struct {
			folder string
			may    []string
			theirs []string
		}) bool {
			return matches(r.folder, s.folder)
		})
		if i < 0 {
			t.Errorf("%s: no room is known for this folder: give it a line in imports_test.go", s.path)
			continue
		}
		room := rooms[i]
		for _, spec := range s.file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			switch ours, isOurs := strings.CutPrefix(name, module+"/"); {
			case isOurs:
				// A test may be outside of its package, start servers, run Envoy, use the shipped policies and all features.
				fromTest := s.test && (ours == s.folder || ours == "envoy" || strings.HasPrefix(ours, "internal/") ||
					strings.HasPrefix(ours, "feature/") || path.Base(ours) == "policies")
				if !matchesAny(room.may, ours) && !fromTest {
					t.Errorf("%s:%d: %s may not import %s", s.path, s.line(spec.Pos()), s.folder, ours)
				}
			case s.test || !strings.Contains(strings.Split(name, "/")[0], "."):
				// Tests may use what they need, and everyone the standard library.
			case room.theirs != nil:
				if !matchesAny(room.theirs, name) {
					t.Errorf("%s:%d: %s may not import %s", s.path, s.line(spec.Pos()), s.folder, name)
				}
			default:
				for _, o := range only {
					if matches(o.theirs, name) && !matchesAny(o.folders, s.folder) {
						t.Errorf("%s:%d: %s may not import %s: %s", s.path, s.line(spec.Pos()), s.folder, name, o.why)
					}
				}
			}
		}
	}
}

// The library and our own package of the same name are told apart wherever both are in sight.
func TestTheHCLLibraryHasItsOwnName(t *testing.T) {
	for _, s := range sources(t) {
		names := map[string]string{}
		for _, spec := range s.file.Imports {
			name, _ := strconv.Unquote(spec.Path.Value) // it has parsed
			names[name] = ""
			if spec.Name != nil {
				names[name] = spec.Name.Name
			}
		}
		_, ours := names[module+"/hcl"]
		alias, theirs := names["github.com/hashicorp/hcl/v2"]
		if theirs && alias != "hclv2" && (ours || s.folder == "hcl") {
			t.Errorf("%s: import github.com/hashicorp/hcl/v2 as hclv2 where package hcl is in sight", s.path)
		}
	}
}
