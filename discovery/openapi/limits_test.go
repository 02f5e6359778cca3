package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

// monolith is a document as a large monolith has it: n operations on as many paths, and a schema for every five.
func monolith(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"openapi":"3.0.3","info":{"title":"monolith","version":"1"},"servers":[{"url":"/api"}],"paths":{`)
	for i := range n {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `"/things%d/{id}":{"put":{"operationId":"putThing%d","summary":"Change thing %d","description":"It changes the thing, all of it.",
			"parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"integer"}},{"$ref":"#/components/parameters/page"}],
			"requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Thing%d"}}}},
			"responses":{"200":{"description":"the thing","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Thing%d"}}}}}}}`, i, i, i, i/5, i/5)
	}
	b.WriteString(`},"components":{"parameters":{"page":{"name":"page","in":"query","schema":{"type":"integer"}}},"schemas":{"Base":{"type":"object","properties":{"created":{"type":"string","format":"date-time"}}}`)
	for i := range n/5 + 1 {
		fmt.Fprintf(&b, `,"Thing%d":{"type":"object","required":["name"],"properties":{"name":{"type":"string"},"kind":{"type":"string","enum":["a","b"]},"base":{"$ref":"#/components/schemas/Base"},"tags":{"type":"array","items":{"type":"string"}}}}`, i)
	}
	b.WriteString(`}}}`)
	return b.Bytes()
}

func BenchmarkList(b *testing.B) {
	for _, n := range []int{1500, 5000} {
		document := monolith(n)
		b.Run(fmt.Sprintf("JSON/%d", n), func(b *testing.B) { benchmark(b, document, n) })
	}
	var tree any
	if err := json.Unmarshal(monolith(1500), &tree); err != nil {
		b.Fatal(err)
	}
	var text strings.Builder
	toYAML(&text, tree, 0)
	b.Run("YAML/1500", func(b *testing.B) { benchmark(b, []byte(text.String()), 1500) })
}

// toYAML writes a tree in block style, with quoted scalars.
func toYAML(b *strings.Builder, v any, depth int) {
	pad := strings.Repeat("  ", depth)
	switch v := v.(type) {
	case map[string]any:
		for name, field := range v {
			fmt.Fprintf(b, "\n%s%q:", pad, name)
			toYAML(b, field, depth+1)
		}
	case []any:
		for _, item := range v {
			fmt.Fprintf(b, "\n%s-", pad)
			toYAML(b, item, depth+1)
		}
	case string:
		fmt.Fprintf(b, " %q", v)
	default:
		fmt.Fprintf(b, " %v", v)
	}
}

func benchmark(b *testing.B, document []byte, n int) {
	b.ReportAllocs()
	b.SetBytes(int64(len(document)))
	for b.Loop() {
		l, err := List(document, "")
		if err != nil || len(l.Functions) != n {
			b.Fatalf("%d functions, %v", len(l.Functions), err)
		}
	}
}

func TestListIsDeterministicAndReadsYAMLAlike(t *testing.T) {
	document := monolith(50)
	want, err := List(document, "")
	if err != nil || len(want.Functions) != 50 {
		t.Fatalf("%d functions, %v", len(want.Functions), err)
	}
	var tree any
	if err := json.Unmarshal(document, &tree); err != nil {
		t.Fatal(err)
	}
	for range 3 { // the order of the fields differs from run to run
		var text strings.Builder
		toYAML(&text, tree, 0)
		got, err := List([]byte(text.String()), "")
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("(-JSON +YAML):\n%s", d)
		}
	}
}

// Functions do not hold on to the document that they come from.
func TestFunctionsAreSmall(t *testing.T) {
	memory := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := memory()
	var kept []*gateway.Function
	for range 4 {
		document := append(bytes.TrimSuffix(monolith(10), []byte("}")), `,"x-filler":"`+strings.Repeat("x", 15<<20)+`"}`...)
		l, err := List(document, "")
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, l.Functions...)
	}
	if grown := int64(memory()) - int64(before); grown > 4<<20 {
		t.Errorf("%d functions hold %d MiB", len(kept), grown>>20)
	}
	runtime.KeepAlive(kept)
}

// What is hostile ends soon, whatever the answer is.
func TestHostileDocumentsEndSoon(t *testing.T) {
	operation := func(schema string) string {
		return `{"openapi":"3.0.0","paths":{"/a":{"post":{"operationId":"a","requestBody":{"content":{"application/json":{"schema":` + schema + `}}}}}}}`
	}
	lines := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(strings.ReplaceAll(strings.ReplaceAll(format, "$n", fmt.Sprint(i+1)), "$i", fmt.Sprint(i)))
		}
		return b.String()
	}
	many := strings.Repeat(`{"$ref":"#/x0"},`, 300) + "true"
	for name, c := range map[string]struct{ document, want string }{
		"nested schema": {operation(strings.Repeat(`{"allOf":[`, 9000/2) + `{}` + strings.Repeat(`]}`, 9000/2)), ""},
		"nested lists":  {operation(strings.Repeat(`{"items":`, 9000) + `{}` + strings.Repeat(`}`, 9000)), ""},
		"too nested":    {operation(strings.Repeat(`{"items":`, 20_000) + `{}` + strings.Repeat(`}`, 20_000)), "read JSON"},
		"fan of parts": {`{"openapi":"3.0.0","paths":{"/a":{"post":{"operationId":"a","requestBody":{"content":{"application/json":{"schema":{"$ref":"#/x0"}}}}}}}` +
			lines(40, `,"x$i":{"properties":{"p$i":{"$ref":"#/x$n"}},"allOf":[{"$ref":"#/x$n"},{"$ref":"#/x$n"},{"$ref":"#/x$n"}],"oneOf":[{"$ref":"#/x$n"},{"$ref":"#/x$n"}]}`) + `}`, ""},
		"fan of choices": {`{"openapi":"3.0.0","x0":{"anyOf":[` + many + `]},"paths":{"/a":{"post":{"operationId":"a","requestBody":{"content":{"application/json":{"schema":{"$ref":"#/x0"}}}}}}}}`, ""},
		"one for all": {`{"openapi":"3.0.0","x":{"name":"q","in":"query","schema":{"properties":{` + lines(100_000, `"p$i":{"type":"string"},`) + `"z":{}}}},"paths":{` +
			lines(5000, `"/p$i":{"get":{"parameters":[{"$ref":"#/x"}]}},`) + `"/z":{}}}`, ""},
		"deep pointer": {operation(`{"$ref":"#/` + strings.Repeat("a/", 5000) + `a"}`), ""},
		"many operations": {`{"openapi":"3.0.0","paths":{` + lines(20_001, `"/p$i":{"get":{}},`) + `"/z":{}}}`,
			"more than 20000 operations"},
		"many parameters": {`{"openapi":"3.0.0","paths":{"/a":{"get":{"parameters":[` + lines(2000, `{"name":"p$i","in":"query"},`) + `{}]}}}}`,
			"more than 1000 parameters"},
		"YAML bomb":        {"openapi: 3.0.0\na0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + lines(30, "a$n: &a$n [*a$i,*a$i,*a$i,*a$i,*a$i,*a$i,*a$i,*a$i,*a$i,*a$i]\n"), "aliases"},
		"YAML merge bomb":  {"openapi: 3.0.0\na0: &a0 {x: y}\n" + lines(40, "a$n: &a$n {<<: [*a$i, *a$i], p$i: q}\n"), "aliases"},
		"YAML cycle":       {"openapi: 3.0.0\npaths: &p\n  /a: *p\n", "read YAML"},
		"YAML merge cycle": {"openapi: 3.0.0\npaths: &p\n  <<: *p\n", "read YAML"},
		"YAML nested":      {"openapi: 3.0.0\npaths: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "read YAML"},
		"YAML too large":   {"openapi: 3.0.0\n" + strings.Repeat("# filler\n", 1<<20), "more than 8 MiB"},
		"YAML many values": {"openapi: 3.0.0\npaths: [" + strings.Repeat("1,", 1_000_001) + "]", "more than 600000 values"},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			l, err := List([]byte(c.document), "")
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
			if took := time.Since(start); took > time.Minute {
				t.Errorf("took %v", took)
			}
			for _, f := range l.Functions {
				if n := size(f); n > 3*(maxArguments+maxSize) {
					t.Errorf("%s names %d values", f.Name, n)
				}
			}
			t.Logf("%v", time.Since(start))
		})
	}
}

// size is how many values the signature of a function names.
func size(f *gateway.Function) int {
	n := 0
	var walk func(gateway.Type)
	walk = func(t gateway.Type) {
		n++
		if t.Elem != nil {
			walk(*t.Elem)
		}
		for _, f := range t.Fields {
			walk(f.Type)
		}
	}
	for _, a := range f.Signature.Args {
		walk(a.Type)
	}
	if f.Signature.Result != nil {
		walk(*f.Signature.Result)
	}
	return n
}
