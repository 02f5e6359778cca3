package reflection

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sluice-gateway/sluice/gateway"
)

// The bounds of a type: beyond them it is any value. Messages may refer to each other in so many ways that a type that
// is written out would not end.
const (
	typeDepth = 8
	typeNodes = 2000
)

// signature is what a method takes and gives. Arguments have the names of the fields as the .proto file has them; the
// fields of the result have their JSON names, since that is how an answer is written.
func signature(m protoreflect.MethodDescriptor) gateway.Signature {
	in, out := &typer{}, &typer{json: true}
	s := gateway.Signature{Known: true, Args: in.fields(m.Input())}
	if special, ok := wellKnown[m.Input().FullName()]; ok && special.Kind != gateway.TypeObject {
		s = gateway.Signature{} // the body is not an object with fields
	}
	for i := range s.Args {
		s.Args[i].In = gateway.InBody
	}
	result := out.message(m.Output())
	if m.IsStreamingServer() {
		one := result
		result = gateway.Type{Kind: gateway.TypeArray, Elem: &one}
	}
	s.Result = &result
	return s
}

// typer writes types out. Where the path from the top comes to a message again, it ends.
type typer struct {
	json  bool // names and numbers as answers have them
	path  []protoreflect.FullName
	nodes int
}

func (t *typer) fields(m protoreflect.MessageDescriptor) []gateway.Argument {
	t.path = append(t.path, m.FullName())
	defer func() { t.path = t.path[:len(t.path)-1] }()
	var out []gateway.Argument
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		name := string(f.Name())
		if t.json {
			name = f.JSONName()
		}
		out = append(out, gateway.Argument{Name: name, Type: t.field(f), Required: f.Cardinality() == protoreflect.Required})
	}
	slices.SortFunc(out, func(a, b gateway.Argument) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func (t *typer) field(f protoreflect.FieldDescriptor) gateway.Type {
	if t.nodes++; t.nodes > typeNodes {
		return gateway.Type{}
	}
	switch {
	case f.IsMap():
		elem := t.value(f.MapValue())
		return gateway.Type{Kind: gateway.TypeMap, Elem: &elem}
	case f.IsList():
		elem := t.value(f)
		return gateway.Type{Kind: gateway.TypeArray, Elem: &elem}
	}
	return t.value(f)
}

// value is the type of a field's single value.
func (t *typer) value(f protoreflect.FieldDescriptor) gateway.Type {
	switch f.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return t.message(f.Message())
	case protoreflect.EnumKind:
		return enum(f.Enum())
	}
	return t.written(scalars[f.Kind()])
}

// written is a type as answers have it: JSON has no integers of 64 bits.
func (t *typer) written(s gateway.Type) gateway.Type {
	if t.json && strings.HasSuffix(s.Format, "int64") {
		s.Kind = gateway.TypeString
	}
	return s
}

var scalars = map[protoreflect.Kind]gateway.Type{
	protoreflect.BoolKind:     {Kind: gateway.TypeBoolean},
	protoreflect.StringKind:   {Kind: gateway.TypeString},
	protoreflect.BytesKind:    {Kind: gateway.TypeString, Format: "byte"},
	protoreflect.DoubleKind:   {Kind: gateway.TypeNumber, Format: "double"},
	protoreflect.FloatKind:    {Kind: gateway.TypeNumber, Format: "float"},
	protoreflect.Int32Kind:    {Kind: gateway.TypeInteger, Format: "int32"},
	protoreflect.Sint32Kind:   {Kind: gateway.TypeInteger, Format: "int32"},
	protoreflect.Sfixed32Kind: {Kind: gateway.TypeInteger, Format: "int32"},
	protoreflect.Uint32Kind:   {Kind: gateway.TypeInteger, Format: "uint32"},
	protoreflect.Fixed32Kind:  {Kind: gateway.TypeInteger, Format: "uint32"},
	protoreflect.Int64Kind:    {Kind: gateway.TypeInteger, Format: "int64"},
	protoreflect.Sint64Kind:   {Kind: gateway.TypeInteger, Format: "int64"},
	protoreflect.Sfixed64Kind: {Kind: gateway.TypeInteger, Format: "int64"},
	protoreflect.Uint64Kind:   {Kind: gateway.TypeInteger, Format: "uint64"},
	protoreflect.Fixed64Kind:  {Kind: gateway.TypeInteger, Format: "uint64"},
}

func enum(e protoreflect.EnumDescriptor) gateway.Type {
	if e.FullName() == "google.protobuf.NullValue" {
		return gateway.Type{}
	}
	t := gateway.Type{Kind: gateway.TypeString}
	for i := range e.Values().Len() {
		t.Enum = append(t.Enum, string(e.Values().Get(i).Name()))
	}
	return t
}

// wellKnown are the messages that JSON writes in their own ways.
var wellKnown = map[protoreflect.FullName]gateway.Type{
	"google.protobuf.Timestamp":   {Kind: gateway.TypeString, Format: "date-time"},
	"google.protobuf.Duration":    {Kind: gateway.TypeString, Format: "duration"},
	"google.protobuf.FieldMask":   {Kind: gateway.TypeString, Format: "field-mask"},
	"google.protobuf.Struct":      {Kind: gateway.TypeMap, Elem: &gateway.Type{}},
	"google.protobuf.ListValue":   {Kind: gateway.TypeArray, Elem: &gateway.Type{}},
	"google.protobuf.Value":       {},
	"google.protobuf.Any":         {},
	"google.protobuf.Empty":       {Kind: gateway.TypeObject},
	"google.api.HttpBody":         {},
	"google.protobuf.BoolValue":   {Kind: gateway.TypeBoolean},
	"google.protobuf.StringValue": {Kind: gateway.TypeString},
	"google.protobuf.BytesValue":  {Kind: gateway.TypeString, Format: "byte"},
	"google.protobuf.DoubleValue": {Kind: gateway.TypeNumber, Format: "double"},
	"google.protobuf.FloatValue":  {Kind: gateway.TypeNumber, Format: "float"},
	"google.protobuf.Int32Value":  {Kind: gateway.TypeInteger, Format: "int32"},
	"google.protobuf.UInt32Value": {Kind: gateway.TypeInteger, Format: "uint32"},
	"google.protobuf.Int64Value":  {Kind: gateway.TypeInteger, Format: "int64"},
	"google.protobuf.UInt64Value": {Kind: gateway.TypeInteger, Format: "uint64"},
}

func (t *typer) message(m protoreflect.MessageDescriptor) gateway.Type {
	if special, ok := wellKnown[m.FullName()]; ok {
		return t.written(special)
	}
	if len(t.path) >= typeDepth || slices.Contains(t.path, m.FullName()) {
		return gateway.Type{}
	}
	return gateway.Type{Kind: gateway.TypeObject, Fields: t.fields(m)}
}
