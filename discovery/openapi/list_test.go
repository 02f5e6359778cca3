package openapi

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-gateway/sluice/gateway"
)

var update = flag.Bool("update", false, "write the golden files again")

// Each file of testdata/list holds one document, whatever its name, and `functions`: what is found in it. A line of the
// archive's comment "at: PATH" says where the document was found.
func TestList(t *testing.T) {
	files, err := filepath.Glob("testdata/list/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			ar, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			_, at, _ := strings.Cut(string(ar.Comment), "at: ")
			at, _, _ = strings.Cut(at, "\n")
			got := describe(List(ar.Files[0].Data, at))
			if *update {
				ar.Files = append(ar.Files[:1], txtar.File{Name: "functions", Data: []byte(got)})
				if err := os.WriteFile(name, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if len(ar.Files) != 2 {
				t.Fatal("a case is a document and its functions")
			}
			if d := cmp.Diff(string(ar.Files[1].Data), got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// describe writes a listing as a person reads it.
func describe(l Listing, err error) string {
	var b strings.Builder
	if err != nil {
		fmt.Fprintf(&b, "error: %v\n", err)
	}
	for _, f := range l.Functions {
		fmt.Fprintf(&b, "%s: %s %s", f.Name, f.REST.Method, f.REST.Path)
		if f.REST.Body != "" {
			fmt.Fprintf(&b, " with %s", f.REST.Body)
		}
		b.WriteString("\n")
		if f.Summary != "" {
			fmt.Fprintf(&b, "  # %s\n", f.Summary)
		}
		for _, a := range f.Signature.Args {
			fmt.Fprintf(&b, "  %s", a.In)
			describeField(&b, a)
			b.WriteString("\n")
		}
		if !f.Signature.Known {
			b.WriteString("  and more that is not known\n")
		}
		if f.Signature.Result != nil {
			fmt.Fprintf(&b, "  gives %s\n", describeType(*f.Signature.Result))
		}
	}
	for _, p := range l.Problems {
		fmt.Fprintf(&b, "problem: %s\n", p)
	}
	return b.String()
}

func describeField(b *strings.Builder, a gateway.Argument) {
	fmt.Fprintf(b, " %s", a.Name)
	if a.Field != "" {
		fmt.Fprintf(b, "→%s", a.Field)
	}
	if !a.Required {
		b.WriteString("?")
	}
	fmt.Fprintf(b, " %s", describeType(a.Type))
}

func describeType(t gateway.Type) string {
	var b strings.Builder
	switch b.WriteString(string(t.Kind)); t.Kind {
	case gateway.TypeAny:
		b.WriteString("any")
	case gateway.TypeObject:
		b.WriteString("{")
		for i, f := range t.Fields {
			if i > 0 {
				b.WriteString(",")
			}
			describeField(&b, f)
		}
		b.WriteString(" }")
	case gateway.TypeArray, gateway.TypeMap:
		if t.Elem != nil {
			b.WriteString(" of " + describeType(*t.Elem))
		}
	}
	if t.Format != "" {
		b.WriteString("/" + t.Format)
	}
	if t.Enum != nil {
		b.WriteString("(" + strings.Join(t.Enum, "|") + ")")
	}
	return b.String()
}
