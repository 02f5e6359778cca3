package openapi

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-gateway/sluice/gateway"
)

// Whatever the document is: no panic, no endless work, and a listing that everyone can rely on.
func FuzzList(f *testing.F) {
	files, err := filepath.Glob("testdata/list/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		ar, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(ar.Files[0].Data, "/docs/openapi.json")
	}
	f.Fuzz(func(t *testing.T, document []byte, at string) {
		l, err := List(document, at)
		if err != nil {
			if l.Functions != nil {
				t.Error("functions beside an error")
			}
			return
		}
		seen := map[string]bool{}
		last := ""
		for _, fn := range l.Functions {
			if fn.Name == "" || seen[fn.Name] || fn.Name < last {
				t.Errorf("the name %q is empty, there twice or out of order", fn.Name)
			}
			seen[fn.Name], last = true, fn.Name
			if len(fn.Summary) > maxSummary {
				t.Errorf("%s: a summary of %d bytes", fn.Name, len(fn.Summary))
			}
			template, variables, err := cleanPath(fn.REST.Path)
			if err != nil || template != fn.REST.Path {
				t.Errorf("%s: the path %q is not clean: %q, %v", fn.Name, fn.REST.Path, template, err)
			}
			checkArguments(t, fn, variables)
		}
		again, err := List(document, at)
		if d := cmp.Diff(l, again); d != "" || err != nil {
			t.Errorf("%v (-first +second):\n%s", err, d)
		}
	})
}

func checkArguments(t *testing.T, fn *gateway.Function, variables []string) {
	names, inPath := map[string]bool{}, 0
	last := ""
	for _, a := range fn.Signature.Args {
		if a.Name == "" || names[a.Name] || a.Name < last {
			t.Errorf("%s: the argument %q is empty, there twice or out of order", fn.Name, a.Name)
		}
		names[a.Name], last = true, a.Name
		if a.In == gateway.InPath {
			inPath++
		}
	}
	for _, v := range variables {
		if !names[v] {
			t.Errorf("%s: no argument for the variable %q", fn.Name, v)
		}
	}
	if inPath != len(variables) {
		t.Errorf("%s: %d arguments for %d variables", fn.Name, inPath, len(variables))
	}
}
