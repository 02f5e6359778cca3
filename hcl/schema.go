package hcl

import (
	"fmt"
	"reflect"
	"sort"

	"github.com/sluice-gateway/sluice/gateway"
)

// FeatureType is one feature as the language has to know it.
type FeatureType struct {
	gateway.FeatureRule
	New func() gateway.Feature // pointer to a zero struct with tags
}

// SourceType is one kind of source block of an upstream.
type SourceType struct {
	Name string                    // the block type
	New  func() gateway.SourceSpec // pointer to a zero struct with tags
}

// Schema is the set of blocks that documents may hold. It is immutable and safe for concurrent use.
type Schema struct {
	features map[string]*featureEntry
	sources  map[string]*sourceEntry
	tops     map[string]*topEntry
	topNames []string
}

type featureEntry struct {
	FeatureType
	plan *plan
}

type sourceEntry struct {
	SourceType
	plan *plan
}

// topEntry is a block that may stand at the top of a document.
type topEntry struct {
	kind    string
	forEach bool
	typ     reflect.Type
	plan    *plan
}

var sourcePlan = planOf(reflect.TypeFor[gateway.Source]())

// NewSchema makes the schema of the built-in blocks with these features and sources. Mistakes in tags, and names that
// are given twice, panic: they are the programmer's.
func NewSchema(features []FeatureType, sources []SourceType) *Schema {
	s := &Schema{features: map[string]*featureEntry{}, sources: map[string]*sourceEntry{}, tops: map[string]*topEntry{}}
	for _, f := range features {
		if s.features[f.Type] != nil || f.Type == "" || f.Levels == 0 {
			panic(fmt.Sprintf("hcl: feature %q: no type, no level, or given twice", f.Type))
		}
		s.features[f.Type] = &featureEntry{f, planOf(elem(f.New()))}
	}
	for _, src := range sources {
		if s.sources[src.Name] != nil || s.features[src.Name] != nil || src.Name == "" {
			panic(fmt.Sprintf("hcl: source %q: no name, or given twice", src.Name))
		}
		p := planOf(elem(src.New()))
		for name := range p.attrs {
			if sourcePlan.attrs[name] != nil {
				panic(fmt.Sprintf("hcl: source %q: every source has the attribute %q already", src.Name, name))
			}
		}
		s.sources[src.Name] = &sourceEntry{src, p}
	}
	s.top(gateway.KindGateway, false, reflect.TypeFor[gateway.Gateway]())
	s.top(gateway.KindUpstream, true, reflect.TypeFor[gateway.Upstream]())
	s.top(gateway.KindRoute, true, reflect.TypeFor[gateway.Route]())
	s.top(gateway.KindPolicy, false, reflect.TypeFor[gateway.Policy]())
	s.top(gateway.KindFunction, true, reflect.TypeFor[gateway.FunctionBlock]())
	s.top(gateway.KindSecret, false, reflect.TypeFor[gateway.Secret]())
	s.top(gateway.KindTeam, false, reflect.TypeFor[gateway.Team]())
	s.topNames = append(s.topNames, "locals")
	sort.Strings(s.topNames)
	return s
}

func (s *Schema) top(kind string, forEach bool, t reflect.Type) {
	s.tops[kind] = &topEntry{kind: kind, forEach: forEach, typ: t, plan: planOf(t)}
	s.topNames = append(s.topNames, kind)
}

func elem(v any) reflect.Type {
	t := reflect.TypeOf(v)
	if t == nil || t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("hcl: %v is not a pointer to a struct", t))
	}
	return t.Elem()
}

// levelOf is the level at which features of a block of this type stand.
func levelOf(blockType string) gateway.Level {
	for l := gateway.LevelGateway; l <= gateway.LevelTo; l <<= 1 {
		if l.String() == blockType {
			return l
		}
	}
	return 0
}
