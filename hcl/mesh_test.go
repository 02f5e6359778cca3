package hcl

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// meshConsul is a source that may stand for several, and may be in a mesh.
type meshConsul struct {
	Service  string   `hcl:"service"`
	Failover []string `hcl:"failover,optional"`
	Connect  bool     `hcl:"connect,optional"`
}

func (s *meshConsul) SourceKey() gateway.SourceKey {
	return gateway.SourceKey{Kind: "consul", Query: s.Service}
}

func (s *meshConsul) Further() (out []gateway.SourceSpec) {
	for _, dc := range s.Failover {
		out = append(out, &meshConsul{Service: s.Service + "@" + dc, Connect: s.Connect})
	}
	return out
}

func (s *meshConsul) Mesh() *gateway.Mesh {
	if !s.Connect {
		return nil
	}
	return &gateway.Mesh{Service: gateway.MeshService{Service: s.Service}}
}

// TestASourceBlockMayStandForSeveral has one block become sources of following priorities, and the blocks around it judge
// all of them.
func TestASourceBlockMayStandForSeveral(t *testing.T) {
	schema := NewSchema(nil, []SourceType{
		{"consul", func() gateway.SourceSpec { return new(meshConsul) }},
		{"static", func() gateway.SourceSpec { return new(testStatic) }},
	})
	doc := Parse(Origin{Name: "consul:x"}, []byte(`
upstream "shop" {
  consul {
    service  = "shop"
    priority = 1
    weight   = 2
    failover = ["dc2", "dc3"]
  }
  static {
    addresses = ["10.0.0.1:80"]
    weight    = 1
  }
}
upstream "mixed" {
  consul {
    service  = "shop"
    connect  = true
    failover = ["dc2"]
  }
  static {
    addresses = ["10.0.0.1:80"]
  }
}
`), schema)
	value, diags := doc.Blocks[0].Eval(scopeOf(doc))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	var got []string
	for _, s := range value.Instances["shop"].(*gateway.Upstream).Sources {
		if s.Kind == "consul" && (s.Priority != 1+strings.Count(strings.Join(got, " "), "shop") || *s.Weight != 2) {
			t.Errorf("%s has priority %d and weight %d", s.Spec.SourceKey(), s.Priority, *s.Weight)
		}
		got = append(got, s.Spec.SourceKey().Query)
	}
	if !slices.Equal(got, []string{"shop", "shop@dc2", "shop@dc3", ""}) {
		t.Errorf("the sources are %q", got)
	}
	_, diags = doc.Blocks[1].Eval(scopeOf(doc))
	if len(diags) != 1 || diags[0].Summary != "Invalid mesh upstream" || diags[0].Subject.Start.Line != 20 {
		t.Errorf("mixed sources: %v", diags)
	}
}
