package hcl

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	hclv2 "github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
)

// plan is what the tags of one struct say. It is made once a type and never changes.
type plan struct {
	typ      reflect.Type
	labels   []*field
	attrs    map[string]*field
	order    []*field // attributes in the order of the struct: diagnostics come in this order
	blocks   map[string]*field
	blockSeq []*field
	features []int // index of the field, nil for none
	sources  []int
	defRange []int
	names    []string // of attributes and blocks, for suggestions
	checked  bool     // implements gateway.Checker
}

// field is one tagged field.
type field struct {
	name     string
	index    []int
	typ      reflect.Type
	required bool
	decode   attrDecoder
	def      reflect.Value // invalid: none
	min, max string        // as written in the tag
	bounds   bounds
	oneof    []string
	ref      []string // kinds of block that a reference may name
	scope    []string // request-time names that an expression may use
	plan     *plan    // of a nested block or object
	many     bool     // []*T
}

var (
	planMu    sync.Mutex
	planCache = map[reflect.Type]*plan{}

	typDuration = reflect.TypeFor[time.Duration]()
	typRange    = reflect.TypeFor[hclv2.Range]()
	typRef      = reflect.TypeFor[gateway.Ref]()
	typExpr     = reflect.TypeFor[gateway.Expr]()
	typChecker  = reflect.TypeFor[gateway.Checker]()
)

// planOf reads the tags of t, a struct. It panics on tags that make no sense.
func planOf(t reflect.Type) *plan {
	planMu.Lock()
	defer planMu.Unlock()
	return planLocked(t)
}

func planLocked(t reflect.Type) *plan {
	if p := planCache[t]; p != nil {
		return p
	}
	p := &plan{typ: t, attrs: map[string]*field{}, blocks: map[string]*field{},
		checked: reflect.PointerTo(t).Implements(typChecker)}
	planCache[t] = p
	p.fields(t, nil)
	return p
}

func (p *plan) fields(t reflect.Type, prefix []int) {
	for i := range t.NumField() {
		sf := t.Field(i)
		index := append(append([]int(nil), prefix...), i)
		tag, tagged := sf.Tag.Lookup("hcl")
		if !tagged {
			if sf.Anonymous && sf.Type.Kind() == reflect.Struct {
				p.fields(sf.Type, index)
			}
			continue
		}
		if !sf.IsExported() {
			panic(fmt.Sprintf("hcl: %s.%s has a tag and is not exported", t, sf.Name))
		}
		name, kind, _ := strings.Cut(tag, ",")
		p.field(t, sf, index, name, kind)
	}
}

func (p *plan) field(t reflect.Type, sf reflect.StructField, index []int, name, kind string) {
	fail := func(why string) { panic(fmt.Sprintf("hcl: %s.%s: %s", t, sf.Name, why)) }
	if name == "" {
		p.special(sf, index, kind, fail)
		return
	}
	if p.attrs[name] != nil || p.blocks[name] != nil {
		fail("the name " + name + " is used twice")
	}
	f := &field{name: name, index: index, typ: sf.Type}
	switch kind {
	case "label":
		if sf.Type.Kind() != reflect.String {
			fail("a label is a string")
		}
		p.labels = append(p.labels, f)
		return
	case "block":
		bt := sf.Type
		if f.many = bt.Kind() == reflect.Slice; f.many {
			bt = bt.Elem()
		}
		if bt.Kind() != reflect.Pointer || bt.Elem().Kind() != reflect.Struct {
			fail("a block is *T or []*T")
		}
		f.plan = planLocked(bt.Elem())
		p.blocks[name] = f
		p.blockSeq = append(p.blockSeq, f)
	case "", "optional":
		f.required = kind == ""
		f.attribute(sf, fail)
		p.attrs[name] = f
		p.order = append(p.order, f)
	default:
		fail("unknown kind " + kind)
	}
	p.names = append(p.names, name)
}

func (p *plan) special(sf reflect.StructField, index []int, kind string, fail func(string)) {
	want := map[string]reflect.Type{
		"features": reflect.TypeFor[[]gateway.Feature](), "sources": reflect.TypeFor[[]*gateway.Source](), "def_range": typRange,
	}
	if want[kind] != sf.Type {
		fail("tag ," + kind + " does not fit its type")
	}
	switch kind {
	case "features":
		p.features = index
	case "sources":
		p.sources = index
	case "def_range":
		p.defRange = index
	}
}

// attribute reads the tags of an attribute.
func (f *field) attribute(sf reflect.StructField, fail func(string)) {
	tag := sf.Tag
	f.min, f.max = tag.Get("min"), tag.Get("max")
	f.oneof = strings.Fields(tag.Get("oneof"))
	if r := tag.Get("ref"); r != "" {
		f.ref = strings.Split(r, "|")
	}
	f.scope = []string{"request"}
	if n := tag.Get("names"); n != "" {
		f.scope = strings.Fields(n)
	}
	var err error
	if f.bounds, err = parseBounds(f.typ, f.min, f.max); err != nil {
		fail(err.Error())
	}
	if f.decode = decoderFor(f.typ, f); f.decode == nil {
		fail("type " + f.typ.String() + " cannot be read from HCL")
	}
	if (f.typ == typRef || f.typ == reflect.SliceOf(typRef)) != (f.ref != nil) {
		fail("the tag ref belongs to references, and they need it")
	}
	if d, ok := tag.Lookup("default"); ok {
		if f.def, err = parseDefault(f.typ, d); err != nil {
			fail("default: " + err.Error())
		}
	}
}

func parseDefault(t reflect.Type, text string) (reflect.Value, error) {
	v := reflect.New(t).Elem()
	if t.Kind() == reflect.Pointer {
		inner, err := parseDefault(t.Elem(), text)
		if err != nil {
			return v, err
		}
		v.Set(reflect.New(t.Elem()))
		v.Elem().Set(inner)
		return v, nil
	}
	switch {
	case t == typDuration:
		d, err := time.ParseDuration(text)
		v.SetInt(int64(d))
		return v, err
	case t.Kind() == reflect.String:
		v.SetString(text)
		return v, nil
	case t.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		v.SetBool(b)
		return v, err
	case v.CanInt():
		n, err := strconv.ParseInt(text, 10, 64)
		v.SetInt(n)
		return v, err
	case v.CanUint():
		n, err := strconv.ParseUint(text, 10, 64)
		v.SetUint(n)
		return v, err
	case v.CanFloat():
		n, err := strconv.ParseFloat(text, 64)
		v.SetFloat(n)
		return v, err
	case t == reflect.TypeFor[[]string]():
		v.Set(reflect.ValueOf(strings.Fields(text)))
		return v, nil
	}
	return v, fmt.Errorf("%s cannot have one", t)
}
