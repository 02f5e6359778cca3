package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pb33f/libopenapi"
	"github.com/pb33f/libopenapi/datamodel"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Every case of testdata/openapi is documents, what was found, and the API that clients see. The result is a document
// by the schema of OpenAPI 3.1 itself, and one that another program builds a model of.
func TestTheAPIThatClientsSeeIsAnOpenAPIDocument(t *testing.T) {
	cases, err := filepath.Glob("testdata/openapi/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	schema := openapiSchema(t)
	for _, name := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := apiOf(t, archive)
			valid(t, schema, got)
			modelled(t, got)
			const want = "want.json"
			if *update {
				setFile(archive, want, got)
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(fileOf(archive, want)), string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// apiOf runs the command on the files of an archive. Its comment holds more flags.
func apiOf(t *testing.T, archive *txtar.Archive) []byte {
	t.Helper()
	dir := t.TempDir()
	for _, f := range archive.Files {
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out, errs bytes.Buffer
	a := &app{in: strings.NewReader(""), out: &out, errs: &errs, env: func(string) string { return "" }}
	validate := []string{"validate", filepath.Join(dir, "docs")}
	args := []string{"openapi", "--gateway", "edge", "--documents", filepath.Join(dir, "docs")}
	if _, err := os.Stat(filepath.Join(dir, "world.json")); err == nil {
		validate = append(validate, "--world", filepath.Join(dir, "world.json"))
		args = append(args, "--world", filepath.Join(dir, "world.json"))
	}
	for _, list := range [][]string{validate, append(args, flagsOf(archive)...)} {
		out.Reset()
		c := a.command()
		c.SetArgs(list)
		if err := c.Execute(); err != nil {
			t.Fatalf("%v: %v\n%s", list, err, errs.String())
		}
	}
	return out.Bytes()
}

func fileOf(archive *txtar.Archive, name string) []byte {
	for _, f := range archive.Files {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

func setFile(archive *txtar.Archive, name string, data []byte) {
	for i, f := range archive.Files {
		if f.Name == name {
			archive.Files[i].Data = data
			return
		}
	}
	archive.Files = append(archive.Files, txtar.File{Name: name, Data: data})
}

func openapiSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	raw, err := jsonschema.UnmarshalJSON(strings.NewReader(datamodel.OpenAPI31SchemaData))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	const name = "https://spec.openapis.org/oas/3.1/schema/2022-10-07"
	if err := c.AddResource(name, raw); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func valid(t *testing.T, schema *jsonschema.Schema, document []byte) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(v); err != nil {
		t.Errorf("%v\n%s", err, document)
	}
}

// modelled lets libopenapi read a document, and compiles every schema in it.
func modelled(t *testing.T, document []byte) {
	t.Helper()
	d, err := libopenapi.NewDocument(document)
	if err != nil {
		t.Fatal(err)
	}
	model, err := d.BuildV3Model()
	if err != nil {
		t.Fatalf("%v\n%s", err, document)
	}
	ids := map[string]bool{}
	for path, item := range model.Model.Paths.PathItems.FromOldest() {
		for method, op := range item.GetOperations().FromOldest() {
			if op.OperationId == "" || ids[op.OperationId] {
				t.Errorf("%s %s: operation id %q is empty, or not unique", method, path, op.OperationId)
			}
			ids[op.OperationId] = true
			for _, p := range op.Parameters {
				if s := p.Schema; s == nil || s.Schema() == nil {
					t.Errorf("%s %s: parameter %s has no schema", method, path, p.Name)
				}
				if p.In == "path" && !strings.Contains(path, "{"+p.Name+"}") {
					t.Errorf("%s %s has no variable %s", method, path, p.Name)
				}
			}
			if n := strings.Count(path, "{"); n != countPath(op.Parameters) {
				t.Errorf("%s %s: not every variable is described", method, path)
			}
		}
	}
	if len(ids) == 0 {
		t.Error("there is no operation")
	}
}

func countPath(list []*v3.Parameter) (n int) {
	for _, p := range list {
		if p.In == "path" {
			n++
		}
	}
	return n
}

// flagsOf are the words of the comment that are flags.
func flagsOf(archive *txtar.Archive) (out []string) {
	for _, w := range strings.Fields(string(archive.Comment)) {
		if strings.HasPrefix(w, "-") {
			out = append(out, "-"+w)
		}
	}
	return out
}
