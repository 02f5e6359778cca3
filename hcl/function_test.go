package hcl

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

func TestWhatIsReadFromTheMachineIsForFilesAlone(t *testing.T) {
	src := "secret \"a\" {\n  file {\n    path = \"/etc/shadow\"\n  }\n}\nsecret \"b\" {\n  env { name = \"KEY\" }\n}\n" +
		"upstream \"u\" {\n  static { addresses = [\"10.0.0.1:80\"] }\n  openapi { file = \"x.json\" }\n}\n"
	for _, file := range []bool{true, false} {
		diags := allDiags(Parse(Origin{Name: "consul:x", File: file}, []byte(src), testSchema), nil)
		want := 3
		if file {
			want = 0
		}
		if len(diags) != want {
			t.Errorf("file %v: %v", file, diags)
		}
	}
}

// TestWhatIsWrongWithAHeaderIsSaidWithoutItsValue: it may come from the environment.
func TestWhatIsWrongWithAHeaderIsSaidWithoutItsValue(t *testing.T) {
	src := "upstream \"u\" {\n  static { addresses = [\"10.0.0.1:80\"] }\n  openapi {\n    headers = { authorization = \"canary\\n\" }\n  }\n}\n"
	diags := allDiags(Parse(Origin{Name: "x", File: true}, []byte(src), testSchema), nil)
	if len(diags) != 1 || diags[0].Summary != "Invalid header" || strings.Contains(diags[0].Detail, "canary") {
		t.Errorf("it says %v", diags)
	}
}

// refOf is the first reference to a function of a route that calls what src says.
func functionRefOf(src string) (gateway.Ref, bool) {
	doc := Parse(Origin{Name: "x"}, fmt.Appendf(nil, "route \"r\" {\n  to {\n    function = %s\n  }\n}\n", src), testSchema)
	if doc.Broken || len(doc.Blocks) != 1 {
		return gateway.Ref{}, false
	}
	v, diags := doc.Blocks[0].Eval(scopeOf(doc))
	for _, ref := range v.Refs {
		if ref.Kind == gateway.KindFunction && !diags.HasErrors() {
			return ref, true
		}
	}
	return gateway.Ref{}, false
}

// FuzzFunctionReference reads references as documents write them. What is read can be written, and read again.
func FuzzFunctionReference(f *testing.F) {
	for _, s := range []string{
		`function.shop.get`, `function.shop["GET /pets/{id}"]`, `function.math["fn:live"]`, `function.svc["eu"].get`,
		`function.svc["eu"]["a b"]["k"]`, `function.shop.op["k"]`, `function.shop`, `function["a"].b`, `function.a[0]`, `function.a.b[each.key]`, `(function.a.b)`,
		`function.a["b\"]"]`, `function.a["x[\"k\"]"]`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		if strings.ContainsAny(src, "\n{}") {
			return
		}
		ref, ok := functionRefOf(src)
		if !ok {
			return
		}
		again, ok := functionRefOf(refText(ref))
		if !ok || again.ID != ref.ID {
			t.Errorf("%s is %v, written %s, which is %v", src, ref.ID, refText(ref), again.ID)
		}
	})
}

func TestAFunctionsTextGivesItsBlockAgain(t *testing.T) {
	src := "locals {\n  seven = 7\n}\n\nfunction \"shop\" \"GET /x/{id}\" {\n  method = \"POST\"\n  path   = \"/x/{id}\"\n  body   = { n = local.seven, id = arg.id }\n}\n\n" +
		"secret \"aws\" {\n  vault_aws { role = \"x\" }\n}\n"
	origin := Origin{Name: "test.hcl", File: true}
	for _, w := range parseGood(t, src).Blocks {
		scope := scopeOf(parseGood(t, src))
		v, _ := w.Eval(scope)
		again, diags := ParseBlock(origin, w.Text(), w.Range().Start, testSchema)
		if diags.HasErrors() || again.ID() != w.ID() {
			t.Fatalf("%v: %v", w.ID(), diags)
		}
		scope.reads = map[gateway.ID]any{}
		if same, _ := again.Eval(scope); !reflect.DeepEqual(same, v) {
			t.Errorf("%v: %+v, was %+v", w.ID(), same, v)
		}
		enc, err := EncodeReads(scope.reads)
		if err != nil {
			t.Error(err)
		}
		if _, err := DecodeReads(enc); err != nil {
			t.Error(err)
		}
	}
}
