package console_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the tables of docs/api.md")

const (
	apiDoc = "../docs/api.md"
	begin  = "<!-- Made from console/types*.go: go test ./console -update -->\n"
)

// The page about the API lists every field of every structure, with the words of its comment.
func TestDocumentedFieldsAreTheFieldsThatAreSent(t *testing.T) {
	raw, err := os.ReadFile(apiDoc)
	if err != nil {
		t.Fatal(err)
	}
	head, have, ok := strings.Cut(string(raw), begin)
	if !ok {
		t.Fatalf("%s lacks the line %q", apiDoc, begin)
	}
	want := "\n" + tables(t)
	if *update {
		if err := os.WriteFile(apiDoc, []byte(head+begin+want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("run go test ./console -update (-want +got):\n%s", diff)
	}
}

// tables is one section a structure, in the order of the files.
func tables(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, name := range []string{"types.go", "typesroute.go", "typesfunction.go", "typesplan.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			spec := g.Specs[0].(*ast.TypeSpec)
			fmt.Fprintf(&b, "### %s\n\n%s\n\n| field | type | meaning |\n|---|---|---|\n", spec.Name, strings.TrimSpace(strings.ReplaceAll(g.Doc.Text(), "\n", " ")))
			for _, field := range spec.Type.(*ast.StructType).Fields.List {
				b.WriteString(row(t, spec.Name.Name, field))
			}
			b.WriteByte('\n')
		}
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func row(t *testing.T, in string, f *ast.Field) string {
	t.Helper()
	meaning := strings.TrimSpace(f.Comment.Text())
	if meaning == "" {
		t.Errorf("%s.%s has no comment", in, f.Names[0])
	}
	tag := reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("json")
	name, more, _ := strings.Cut(tag, ",")
	if more == "omitempty" {
		meaning += " (may be missing)"
	}
	return fmt.Sprintf("| `%s` | %s | %s |\n", name, jsonType(f.Type), strings.ReplaceAll(meaning, "|", "\\|"))
}

// jsonType is what a Go type is in JSON, in words.
func jsonType(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return jsonType(e.X)
	case *ast.ArrayType:
		return "list of " + jsonType(e.Elt)
	case *ast.MapType:
		return "object of " + jsonType(e.Value)
	case *ast.SelectorExpr:
		if e.Sel.Name != "Time" {
			return "object"
		}
		return "time (RFC 3339)"
	case *ast.Ident:
		switch e.Name {
		case "string":
			return "string"
		case "bool":
			return "true or false"
		case "any":
			return "anything"
		case "int", "uint32", "uint64", "float64":
			return "number"
		}
		return "[" + e.Name + "](#" + strings.ToLower(e.Name) + ")"
	}
	return "?"
}
