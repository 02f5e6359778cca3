package openapi

import (
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	maxDepth = 5   // levels of a type
	maxSize  = 128 // values of one type, but for the fields of its first level
	maxParts = 200 // that one object is composed of
	maxEnum  = 200 // values of an enumeration
)

// direction says which way a value goes: what is read-only is in no request, what is write-only in no answer.
type direction string

const (
	request direction = "readOnly" // the mark of what it lacks
	answer  direction = "writeOnly"
)

// schemaKey is a schema behind a reference, as deep as it is read.
type schemaKey struct {
	ref   string
	depth int
	way   direction
}

// typed is a type, and how many values it names.
type typed struct {
	t    gateway.Type
	size int
}

// typeOf is the type of a schema, cut where it is too large: as deep as it fits, and no deeper.
func (l *lister) typeOf(schema value, way direction) gateway.Type {
	if !l.afford(schema) {
		return gateway.Type{}
	}
	for depth := maxDepth; ; depth-- {
		if t := l.schema(schema, way, depth, 0); t.size <= maxSize || depth == 1 {
			return t.t
		}
	}
}

// schema is the type of a schema, depth levels of it. hops counts the steps that lead no level down.
func (l *lister) schema(schema value, way direction, depth, hops int) typed {
	if schema.kind() != '{' || hops > maxHops {
		return typed{size: 1}
	}
	if ref := schema.get("$ref"); ref.kind() == '"' {
		key := schemaKey{ref.text(), depth, way}
		t, known := l.schemas[key]
		if known {
			return t
		}
		l.schemas[key] = typed{size: 1} // of a schema that contains nothing but itself
		if target, err := l.lookup(key.ref); err != nil {
			l.problem("%v", err)
			t = typed{size: 1}
		} else {
			t = l.schema(target, way, depth, hops+1)
		}
		l.schemas[key] = t
		return t
	}
	s := schema.byName()
	for _, name := range []string{"oneOf", "anyOf"} {
		if s[name] != "" && s["properties"] == "" && s["allOf"] == "" {
			return l.choice(s[name], way, depth, hops)
		}
	}
	switch kind := kindOf(s); {
	case kind == gateway.TypeObject:
		return l.object(s, way, depth, hops)
	case kind == gateway.TypeArray && depth == 0:
		return typed{size: 1}
	case kind == gateway.TypeArray:
		elem := l.schema(s["items"], way, depth-1, 0)
		return typed{gateway.Type{Kind: kind, Elem: &elem.t}, 1 + elem.size}
	case kind == gateway.TypeAny && s["allOf"] != "":
		var only []value
		for part := range s["allOf"].items() {
			only = append(only, part)
		}
		if len(only) == 1 {
			return l.schema(only[0], way, depth, hops+1)
		}
		return l.object(s, way, depth, hops)
	default:
		return typed{l.scalar(s, kind), 1}
	}
}

// kindOf is the kind that a schema states, or that its other words imply.
func kindOf(s map[string]value) gateway.TypeKind {
	stated := []string{s["type"].text()}
	if s["type"].kind() == '[' { // 3.1: ["string", "null"]
		stated = nil
		for t := range s["type"].items() {
			if name := t.text(); name != "null" {
				stated = append(stated, name)
			}
		}
	}
	if len(stated) > 1 {
		return gateway.TypeAny
	}
	if len(stated) == 1 {
		switch k := gateway.TypeKind(stated[0]); k {
		case gateway.TypeString, gateway.TypeNumber, gateway.TypeInteger, gateway.TypeBoolean, gateway.TypeArray, gateway.TypeObject:
			return keepKind(k)
		}
		if stated[0] == "file" { // 2.0
			return gateway.TypeString
		}
	}
	switch {
	case s["properties"] != "" || s["additionalProperties"].kind() == '{':
		return gateway.TypeObject
	case s["items"] != "":
		return gateway.TypeArray
	case len(texts(s["enum"])) > 0:
		return gateway.TypeString
	}
	return gateway.TypeAny
}

// keepKind is k as its constant, which does not share the document's memory.
func keepKind(k gateway.TypeKind) gateway.TypeKind { return gateway.TypeKind(strings.Clone(string(k))) }

func (l *lister) scalar(s map[string]value, kind gateway.TypeKind) gateway.Type {
	t := gateway.Type{Kind: kind}
	if format := s["format"].text(); kind != gateway.TypeAny && len(format) <= maxName {
		t.Format = keep(format)
	}
	if s["type"].text() == "file" {
		t.Format = "binary"
	}
	if kind == gateway.TypeString {
		t.Enum = texts(s["enum"])
		if only := s["const"].text(); only != "" {
			t.Enum = []string{keep(only)}
		}
	}
	return t
}

// texts are the values of an enumeration of strings, null aside; nil if it is none.
func texts(enum value) []string {
	var out []string
	for v := range enum.items() {
		switch {
		case v.kind() == 'n':
		case v.kind() != '"' || len(out) == maxEnum:
			return nil
		default:
			out = append(out, keep(v.text()))
		}
	}
	return out
}

// choice is the type of several: the only one that is not null, or a scalar that they share; else any value.
func (l *lister) choice(of value, way direction, depth, hops int) typed {
	var kinds []typed
	for s := range of.items() {
		if s.get("type").text() == "null" {
			continue
		}
		if len(kinds) == maxEnum {
			return typed{size: 1}
		}
		kinds = append(kinds, l.schema(s, way, depth, hops+1))
	}
	if len(kinds) == 1 {
		return kinds[0]
	}
	shared := typed{size: 1}
	for i, k := range kinds {
		switch k.t.Kind {
		case gateway.TypeArray, gateway.TypeObject, gateway.TypeMap:
			return typed{size: 1}
		}
		if i > 0 && k.t.Kind != shared.t.Kind {
			return typed{size: 1}
		}
		shared.t.Kind = k.t.Kind
	}
	return shared
}

// object is the type of an object, with the fields of all that it is composed of.
func (l *lister) object(s map[string]value, way direction, depth, hops int) typed {
	if depth == 0 {
		return typed{size: 1}
	}
	parts := fieldsOf{fields: make(map[string]gateway.Argument)}
	l.gather(&parts, s, way, depth, hops)
	if len(parts.fields) == 0 {
		t := typed{gateway.Type{Kind: gateway.TypeMap}, 1 + parts.size}
		if extra := s["additionalProperties"]; extra.kind() == '{' && extra != "{}" {
			elem := l.schema(extra, way, depth-1, 0)
			t.t.Elem, t.size = &elem.t, 1+elem.size
		}
		if parts.unknown {
			t.t = gateway.Type{}
		}
		return t
	}
	out := gateway.Type{Kind: gateway.TypeObject, Fields: make([]gateway.Argument, 0, len(parts.fields))}
	for _, f := range parts.fields {
		f.Required = slices.Contains(parts.required, f.Name)
		out.Fields = append(out.Fields, f)
	}
	slices.SortFunc(out.Fields, func(a, b gateway.Argument) int { return strings.Compare(a.Name, b.Name) })
	return typed{out, 1 + parts.size}
}

// fieldsOf gathers the fields of an object.
type fieldsOf struct {
	fields   map[string]gateway.Argument
	required []string
	size     int
	parts    int
	unknown  bool // a part of it is no object
}

// gather adds the properties of a schema and of all that it is composed of.
func (l *lister) gather(into *fieldsOf, s map[string]value, way direction, depth, hops int) {
	for name := range s["required"].items() {
		if len(into.required) < maxArguments {
			into.required = append(into.required, name.text())
		}
	}
	for name, schema := range s["properties"].fields() {
		if name == "" || len(into.fields) == maxArguments || schema.get(string(way)).isTrue() {
			continue
		}
		t := l.schema(schema, way, depth-1, 0)
		into.size = min(into.size+t.size, 1<<30)
		name = keep(name)
		into.fields[name] = gateway.Argument{Name: name, Type: t.t}
	}
	for part := range s["allOf"].items() {
		if into.parts++; hops > maxHops || into.parts > maxParts {
			into.unknown = true
			return
		}
		target, err := l.resolve(part)
		if err != nil {
			l.problem("%v", err)
			into.unknown = true
			continue
		}
		l.gather(into, target.byName(), way, depth, hops+1)
	}
}
