package hcl

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const misspelt = "route \"a\" {\n\thosts = [\"ärger.example.com\", reqest.host]\n  respnd {}\n}\n"

func TestWriteDiagnostics(t *testing.T) {
	doc := Parse(Origin{Name: "a.hcl", File: true}, []byte(misspelt), testSchema)
	got := printed(allDiags(doc, nil), "a.hcl", []byte(misspelt))
	want := `╷
│ Error: Unknown name
│
│   on a.hcl line 2:
│    2: 	hosts = ["ärger.example.com", reqest.host]
│       	                              ^^^^^^^^^^^
│
│ There is nothing named "reqest" here. Did you mean "request"?
╵
╷
│ Error: Unsupported block type
│
│   on a.hcl line 3:
│    3:   respnd {}
│         ^^^^^^
│
│ Blocks of type "respnd" are not expected here. Did you mean "respond"?
╵
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWriteDiagnosticsWrapsAndColours(t *testing.T) {
	doc := Parse(Origin{Name: "a.hcl", File: true}, []byte(misspelt), testSchema)
	var b strings.Builder
	if err := WriteDiagnostics(&b, allDiags(doc, nil), map[string][]byte{"a.hcl": []byte(misspelt)}, 40, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\x1b[31m", "\x1b[4mreqest.host\x1b[0m", "There is nothing named \"reqest\" here.\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestDiagnosticsJSON(t *testing.T) {
	doc := Parse(Origin{Name: "a.hcl", File: true}, []byte(misspelt), testSchema)
	b, err := DiagnosticsJSON(allDiags(doc, nil), map[string][]byte{"a.hcl": []byte(misspelt)})
	if err != nil {
		t.Fatal(err)
	}
	var got Report
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if got.Valid || got.ErrorCount != 2 || len(got.Diagnostics) != 2 {
		t.Fatalf("%s", b)
	}
	s := got.Diagnostics[0].Snippet
	if s == nil || s.Code[s.Start:s.End] != "reqest.host" || got.Diagnostics[0].Range.Start.Line != 2 {
		t.Errorf("%s", b)
	}
	if b, err = DiagnosticsJSON(nil, nil); err != nil || !strings.Contains(string(b), `"diagnostics": []`) {
		t.Errorf("%s, %v", b, err)
	}
}

func TestFormat(t *testing.T) {
	for src, want := range map[string]string{
		"route \"a\" {\nhosts=[\"x\"]\npriority=1\n}": "route \"a\" {\n  hosts    = [\"x\"]\n  priority = 1\n}\n",
		"a {\n}  ": "a {\n}\n",
		"":         "",
		"locals {\n  a = <<EOT\n  as it is\nEOT\n}\n\n": "locals {\n  a = <<EOT\n  as it is\nEOT\n}\n",
	} {
		got, diags := Format("a.hcl", []byte(src))
		if diags.HasErrors() || string(got) != want {
			t.Errorf("%q: %q, %v", src, got, diags)
		}
	}
	if _, diags := Format("a.hcl", []byte("route {")); !diags.HasErrors() {
		t.Error("a broken document was formatted")
	}
}

// A nearest name is few edits away, and none is better than a wild guess.
func TestNearest(t *testing.T) {
	names := []string{"hosts", "match", "policies", "priority", "to"}
	for given, want := range map[string]string{"host": "hosts", "mtach": "match", "polices": "policies", "from": "", "xy": "", "to": ""} {
		if got := nearest(given, names); got != want {
			t.Errorf("%s: %q, want %q", given, got, want)
		}
	}
}
