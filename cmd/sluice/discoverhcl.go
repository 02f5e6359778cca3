package main

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/hcl"
)

// covered says of a block of a document whether it lists what was found.
func covered(f discovery.Found) func(gateway.SourceSpec) bool {
	if f.Covered != nil {
		return f.Covered
	}
	key := f.Spec.SourceKey()
	return func(s gateway.SourceSpec) bool { return s.SourceKey() == key }
}

// proposed makes upstreams of what was found, under names that no document has.
func proposed(found []seen, w *gateway.World) []discovered {
	taken := map[string]bool{}
	for _, u := range w.Upstreams() {
		base, _, _ := strings.Cut(u.Name, "[")
		taken[base] = true
	}
	list := make([]discovered, 0, len(found))
	for _, f := range found {
		name := freeName(blockName(f.Name), f.kind, taken)
		taken[name] = true
		note := oneLine(f.Note)
		list = append(list, discovered{
			Source: f.kind, Name: name, Endpoints: f.Count, Note: note, HCL: upstreamText(f.kind, name, f.Count, note, f.Spec),
		})
	}
	return list
}

// freeName is name, or what it and the kind of its source make.
func freeName(name, kind string, taken map[string]bool) string {
	if !taken[name] {
		return name
	}
	name += "-" + kind
	free := name
	for i := 2; taken[free]; i++ {
		free = name + "-" + strconv.Itoa(i)
	}
	return free
}

// blockName makes a block's name of what a platform calls something.
func blockName(text string) string {
	name := strings.Map(func(r rune) rune {
		if r = unicode.ToLower(r); r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '-'
	}, text)
	for strings.Contains(name, "--") {
		name = strings.ReplaceAll(name, "--", "-")
	}
	name = strings.Trim(name, "-_")
	if name == "" || name[0] < 'a' {
		name = strings.TrimSuffix("u-"+name, "-")
	}
	return name
}

// oneLine is a text that can stand in a comment.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) }), " ")
}

// upstreamText is an upstream of one source block, formatted.
func upstreamText(kind, name string, count int, note string, spec gateway.SourceSpec) string {
	f := hclwrite.NewEmptyFile()
	body := f.Body().AppendNewBlock("upstream", []string{name}).Body()
	writeBlock(body.AppendNewBlock(kind, nil).Body(), reflect.ValueOf(spec).Elem())
	comment := fmt.Sprintf("# %s: %s", kind, plural(count, "endpoint"))
	if note != "" {
		comment += "; " + note
	}
	text, _ := hcl.Format(name, []byte(oneArgument(string(f.Bytes())))) // what hclwrite makes can be parsed
	return comment + "\n" + string(text)
}

// oneArgument writes a block that holds one short argument and nothing else in one line, as people do.
func oneArgument(text string) string {
	lines := strings.Split(text, "\n")
	for i := 0; i+2 < len(lines); i++ {
		open, argument, end := lines[i], strings.TrimSpace(lines[i+1]), strings.TrimSpace(lines[i+2])
		if i > 0 && strings.HasSuffix(open, "{") && end == "}" && !strings.HasSuffix(argument, "{") && len(argument) < 80 {
			lines = slices.Replace(lines, i, i+3, open+" "+argument+" }")
		}
	}
	return strings.Join(lines, "\n")
}

// writeBlock writes the fields of a tagged struct that say something: neither zero values nor defaults.
func writeBlock(body *hclwrite.Body, v reflect.Value) {
	for i := range v.NumField() {
		sf, field := v.Type().Field(i), v.Field(i)
		if sf.Anonymous && sf.Type.Kind() == reflect.Struct {
			writeBlock(body, field)
			continue
		}
		name, kind, _ := strings.Cut(sf.Tag.Get("hcl"), ",")
		switch {
		case name == "" || kind == "label":
		case kind == "block":
			for _, b := range blocksOf(field) {
				body.AppendNewline()
				writeBlock(body.AppendNewBlock(name, labelsOf(b)).Body(), b)
			}
		case kind == "optional" && (field.IsZero() || isDefault(field, sf.Tag.Get("default"))):
		default:
			writeAttribute(body, name, field)
		}
	}
}

// blocksOf are the structs of a field of type *T or []*T.
func blocksOf(v reflect.Value) (out []reflect.Value) {
	if v.Kind() != reflect.Slice {
		if !v.IsNil() {
			out = append(out, v.Elem())
		}
		return out
	}
	for i := range v.Len() {
		out = append(out, v.Index(i).Elem())
	}
	return out
}

func labelsOf(v reflect.Value) (out []string) {
	for i := range v.NumField() {
		if _, kind, _ := strings.Cut(v.Type().Field(i).Tag.Get("hcl"), ","); kind == "label" {
			out = append(out, v.Field(i).String())
		}
	}
	return out
}

// isDefault says whether a value is the one that is meant where none is written.
func isDefault(v reflect.Value, written string) bool {
	if written == "" {
		return false
	}
	if d, ok := reflect.TypeAssert[time.Duration](v); ok {
		def, err := time.ParseDuration(written)
		return err == nil && d == def
	}
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	return fmt.Sprint(v.Interface()) == written
}

func writeAttribute(body *hclwrite.Body, name string, v reflect.Value) {
	if ref, ok := reflect.TypeAssert[gateway.Ref](v); ok {
		body.SetAttributeRaw(name, hclwrite.TokensForIdentifier(ref.Kind+"."+ref.Name))
		return
	}
	body.SetAttributeValue(name, valueOf(v))
}

// valueOf is a field as a value of the language; an attribute that is left open is null.
func valueOf(v reflect.Value) cty.Value {
	if d, ok := reflect.TypeAssert[time.Duration](v); ok {
		return cty.StringVal(shortDuration(d))
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return valueOf(v.Elem())
		}
	case reflect.String:
		return cty.StringVal(v.String())
	case reflect.Bool:
		return cty.BoolVal(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return cty.NumberIntVal(v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return cty.NumberUIntVal(v.Uint())
	case reflect.Float32, reflect.Float64:
		return cty.NumberFloatVal(v.Float())
	case reflect.Slice:
		list := make([]cty.Value, v.Len())
		for i := range list {
			list[i] = valueOf(v.Index(i))
		}
		return cty.TupleVal(list)
	case reflect.Map:
		entries := map[string]cty.Value{}
		for _, k := range v.MapKeys() {
			entries[k.String()] = valueOf(v.MapIndex(k))
		}
		return cty.ObjectVal(entries)
	}
	return cty.NullVal(cty.DynamicPseudoType)
}

// shortDuration is 1m rather than 1m0s.
func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
