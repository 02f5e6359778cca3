package hcl

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-gateway/sluice/gateway"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files again")

// TestDecode evaluates the documents of testdata/decode/*.txtar: *.hcl are documents, kv/KEY values, and want.json what
// the blocks become, without their places. -rewrite writes want.json.
func TestDecode(t *testing.T) {
	files, err := filepath.Glob("testdata/decode/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			ar, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := decodeArchive(t, ar)
			want := -1
			for i, f := range ar.Files {
				if f.Name == "want.json" {
					want = i
				}
			}
			if *rewrite {
				if want < 0 {
					ar.Files, want = append(ar.Files, txtar.File{Name: "want.json"}), len(ar.Files)
				}
				ar.Files[want].Data = got
				if err := os.WriteFile(name, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want < 0 || !bytes.Equal(got, ar.Files[want].Data) {
				t.Errorf("got:\n%s", got)
			}
		})
	}
}

func decodeArchive(t *testing.T, ar *txtar.Archive) []byte {
	t.Helper()
	leaves := map[gateway.ID]string{}
	var docs []*gateway.Document
	for _, f := range ar.Files {
		if dir, key := filepath.Split(f.Name); dir == "kv/" {
			leaves[gateway.ID{Kind: gateway.KindValue, Name: key}] = string(f.Data)
		}
		if filepath.Ext(f.Name) == ".hcl" {
			docs = append(docs, Parse(Origin{Name: f.Name, File: true}, f.Data, testSchema))
		}
	}
	scope := scopeOf(docs...)
	scope.leaves = leaves
	scope.leaves[gateway.ID{Kind: gateway.KindEnv, Name: "PORT"}] = "9000"
	scope.leaves[gateway.ID{Kind: gateway.KindFile, Name: "docs/motd.txt"}] = "hello\n"
	blocks := map[string]any{}
	for _, d := range docs {
		if d.Broken || len(d.Diags) > 0 {
			t.Fatal(d.Diags)
		}
		for _, w := range d.Blocks {
			v, diags := w.Eval(scope)
			if len(diags) > 0 {
				t.Error(printed(diags, "", nil))
			}
			for _, name := range slices.Sorted(maps.Keys(v.Instances)) {
				if l, ok := v.Instances[name].(*local); ok {
					blocks["local."+name] = showLocal(l)
					continue
				}
				blocks[w.ID().Kind+"."+name] = v.Instances[name]
			}
			for _, r := range v.Refs {
				key := "refs of " + w.ID().String()
				list, _ := blocks[key].([]string)
				blocks[key] = append(list, refText(r))
			}
		}
	}
	b, err := json.Marshal(blocks)
	if err != nil {
		t.Fatal(err)
	}
	return bare(t, b)
}

func showLocal(l *local) any {
	if l.request {
		return l.expr
	}
	return plain(l.value)
}

// bare is JSON without places and without what is empty.
func bare(t *testing.T, b []byte) []byte {
	t.Helper()
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.MarshalIndent(strip(v), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(out, '\n')
}

func strip(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			e = strip(e)
			x[k] = e
			m, isMap := e.(map[string]any)
			if k == "Range" || e == nil || e == "" || isFalse(e) || isMap && len(m) == 0 {
				delete(x, k)
			}
		}
	case []any:
		for i := range x {
			x[i] = strip(x[i])
		}
	}
	return v
}

func TestWrittenAgain(t *testing.T) {
	src := "# first\nlocals {\n  a = <<-EOT\n    x ${request.host}\n  EOT\n  b = { n = 1, s = toset([\"x\"]), z = null }\n}\n\n" +
		"route \"r\" { # why\n  hosts = [local.b.n == 1 ? \"a.example.com\" : \"b.example.com\"]\n  respond {\n    body = kv(\"x\", \"d\")\n  }\n  headers {\n    value = local.a\n  }\n}\n"
	origin := Origin{Name: "test.hcl", File: true}
	doc := parseGood(t, src)
	for _, w := range doc.Blocks {
		scope := scopeOf(doc)
		v, diags := w.Eval(scope)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		enc, err := EncodeReads(scope.reads)
		if err != nil {
			t.Fatal(err)
		}
		reads, err := DecodeReads(enc)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := EncodeReads(reads); err != nil || !bytes.Equal(twice, enc) {
			t.Errorf("reads change: %s, %s, %v", enc, twice, err)
		}
		again, diags := ParseBlock(origin, w.Text(), w.Range().Start, testSchema)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		if again.ID() != w.ID() || again.Range() != w.Range() || again.Text() != w.Text() {
			t.Errorf("%s at %s, was %s at %s", again.ID(), again.Range(), w.ID(), w.Range())
		}
		v2, diags := again.Eval(readScope(reads))
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		a, _ := json.Marshal(v)
		b, _ := json.Marshal(v2)
		if !bytes.Equal(a, b) {
			t.Errorf("%s:\n%s\n%s", w.ID(), a, b)
		}
	}
}

type readScope map[gateway.ID]any

func (r readScope) Get(id gateway.ID) (any, bool) { v := r[id]; return v, v != nil }
func (r readScope) Names(string) []string         { return nil }

func isFalse(v any) bool {
	b, ok := v.(bool)
	return ok && !b
}
