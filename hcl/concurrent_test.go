package hcl

import (
	"fmt"
	"regexp"
	"runtime"
	"sync"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// Blocks are evaluated by several goroutines at once, splats and locals of the request included.
func TestEvalIsConcurrent(t *testing.T) {
	doc := parseGood(t, `locals {
  a = request.body.x[*].y
  b = [{ x = 1 }, { x = 2 }][*].x
}
route "r" {
  respond {}
  headers {
    value = "${join(",", local.a)}${local.b[0]}${request.id}"
  }
}
`)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				for _, w := range doc.Blocks {
					if _, diags := w.Eval(scopeOf(doc)); len(diags) > 0 {
						t.Error(diags)
					}
				}
			}
		})
	}
	wg.Wait()
}

// A block says the same after its syntax tree was collected.
func TestEvalAfterCollection(t *testing.T) {
	doc := parseGood(t, fmt.Sprintf("# a comment\n\n"+oneRoute, 1, 1)+"locals {\n  share = 7\n  text = <<EOT\nx\nEOT\n}\n")
	show := func() (out string) {
		for _, w := range doc.Blocks {
			v, diags := w.Eval(scopeOf(doc))
			out += fmt.Sprintf("%v %v", v.Refs, diags)
			for _, x := range v.Instances {
				if r, ok := x.(*gateway.Route); ok {
					out += fmt.Sprintf("%+v %+v", r.To[0], r.Range)
				}
			}
		}
		return out
	}
	before := show()
	runtime.GC()
	runtime.GC()
	for _, w := range doc.Blocks {
		if w.(*written).ast.Value() != nil {
			t.Error("the syntax tree is still held")
		}
	}
	if after := show(); stripPointers(before) != stripPointers(after) {
		t.Errorf("%s\n%s", before, after)
	}
}

var pointers = regexp.MustCompile(`0x[0-9a-f]+`)

func stripPointers(s string) string { return pointers.ReplaceAllString(s, "PTR") }
