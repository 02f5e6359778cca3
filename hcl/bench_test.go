package hcl

import (
	"fmt"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

const oneRoute = `route "r%d" {
  hosts    = ["h%d.example.com"]
  policies = [policy.standard]
  match { path = "/api/v1/things/{id}" }
  to {
    upstream = upstream.shop
    weight   = local.share
  }
  retry {
    attempts = 2
    on       = ["5xx"]
  }
}
`

// BenchmarkParseEval parses and evaluates 100 documents of one route.
func BenchmarkParseEval(b *testing.B) {
	var docs [][]byte
	for i := range 100 {
		docs = append(docs, fmt.Appendf(nil, oneRoute, i, i))
	}
	locals := parseGood(b, "locals {\n  share = 10\n}\n")
	scope := scopeOf(locals)
	share, _ := scope.get(gateway.ID{Kind: gateway.KindLocal, Name: "share"})
	fixed := fixedScope{share}
	b.ReportAllocs()
	for b.Loop() {
		for i, src := range docs {
			doc := Parse(Origin{Name: "consul:r", Index: uint64(i)}, src, testSchema)
			if _, diags := doc.Blocks[0].Eval(fixed); len(diags) > 0 {
				b.Fatal(diags)
			}
		}
	}
}

type fixedScope struct{ v any }

func (s fixedScope) Get(gateway.ID) (any, bool) { return s.v, true }
func (s fixedScope) Names(string) []string      { return nil }
