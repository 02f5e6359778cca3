package hcl

import (
	"slices"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// testRetry, testHeaders and testMirror stand for features: one that the nearest wins, one with expressions, one with
// references.
type testRetry struct {
	gateway.FeatureBase
	Attempts int           `hcl:"attempts,optional" default:"1" min:"0" max:"10"`
	On       []string      `hcl:"on,optional" oneof:"5xx connect-failure"`
	Backoff  time.Duration `hcl:"backoff,optional" min:"1ms" max:"10s"`
}

func (*testRetry) FeatureType() string { return "retry" }

type testHeaders struct {
	gateway.FeatureBase
	Set    map[string]gateway.Expr `hcl:"set,optional"`
	Answer map[string]gateway.Expr `hcl:"answer,optional" names:"request response"`
	Value  gateway.Expr            `hcl:"value,optional"`
}

func (*testHeaders) FeatureType() string { return "headers" }

type testMirror struct {
	gateway.FeatureBase
	Name     string      `hcl:"name,label"`
	Upstream gateway.Ref `hcl:"upstream" ref:"upstream"`
}

func (*testMirror) FeatureType() string   { return "mirror" }
func (m *testMirror) Refs() []gateway.Ref { return []gateway.Ref{m.Upstream} }

type testStatic struct {
	Addresses []string `hcl:"addresses"`
	Port      int      `hcl:"port,optional" min:"1" max:"65535"`
}

func (s *testStatic) SourceKey() gateway.SourceKey { return gateway.SourceKey{Kind: "static"} }

type testConsul struct {
	Service string   `hcl:"service"`
	Tags    []string `hcl:"tags,optional"`
}

func (s *testConsul) SourceKey() gateway.SourceKey {
	return gateway.SourceKey{Kind: "consul", Query: s.Service}
}

var testSchema = NewSchema([]FeatureType{
	{gateway.FeatureRule{Type: "retry", Combine: gateway.Nearest, Levels: gateway.AllLevels}, func() gateway.Feature { return new(testRetry) }},
	{gateway.FeatureRule{Type: "headers", Combine: gateway.Compose, Levels: gateway.AllLevels &^ gateway.LevelUpstream}, func() gateway.Feature { return new(testHeaders) }},
	{gateway.FeatureRule{Type: "mirror", Combine: gateway.Compose, Levels: gateway.LevelRoute | gateway.LevelPolicy}, func() gateway.Feature { return new(testMirror) }},
}, []SourceType{
	{"static", func() gateway.SourceSpec { return new(testStatic) }},
	{"consul", func() gateway.SourceSpec { return new(testConsul) }},
})

// testScope evaluates the locals of documents when they are read, and has leaves.
type testScope struct {
	written map[gateway.ID]gateway.Written
	leaves  map[gateway.ID]string
	reads   map[gateway.ID]any
}

func scopeOf(docs ...*gateway.Document) *testScope {
	s := &testScope{written: map[gateway.ID]gateway.Written{}, leaves: map[gateway.ID]string{}, reads: map[gateway.ID]any{}}
	for _, d := range docs {
		for _, w := range d.Blocks {
			s.written[w.ID()] = w
		}
	}
	return s
}

func (s *testScope) Get(id gateway.ID) (any, bool) {
	v, ok := s.get(id)
	s.reads[id] = v
	return v, ok
}

func (s *testScope) get(id gateway.ID) (any, bool) {
	if id.Kind != gateway.KindLocal {
		v, ok := s.leaves[id]
		if !ok {
			return nil, false
		}
		return v, true
	}
	w := s.written[id]
	if w == nil {
		return nil, false
	}
	delete(s.written, id) // a cycle ends as an undeclared local
	v, _ := w.Eval(s)
	s.written[id] = w
	inst, ok := v.Instances[id.Name]
	return inst, ok
}

func (s *testScope) Names(kind string) []string {
	var names []string
	for id := range s.written {
		if id.Kind == kind {
			names = append(names, id.Name)
		}
	}
	slices.Sort(names)
	return names
}

func parseGood(t testing.TB, src string) *gateway.Document {
	t.Helper()
	doc := Parse(Origin{Name: "test.hcl", File: true}, []byte(src), testSchema)
	if len(doc.Diags) > 0 {
		t.Fatalf("parse: %s", doc.Diags.Error())
	}
	return doc
}
