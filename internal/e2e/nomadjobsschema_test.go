package e2e

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// checkJob says what of a job file Nomad does not know, by the tags of its API's types. Nomad's own parser is no library
// that a module can have; the types are what it decodes into.
func checkJob(job *jobBlock) []string {
	return checkBlock("job", job, reflect.TypeFor[api.Job]())
}

var durations = []reflect.Type{reflect.TypeFor[time.Duration](), reflect.TypeFor[*time.Duration]()}

// driverConfig is what the config block of a driver may hold; Nomad does not say it in its types.
var driverConfig = map[string][]string{"exec": {"command", "args"}, "raw_exec": {"command", "args"}, "docker": {"image", "args", "network_mode", "volumes"}}

func checkBlock(path string, b *jobBlock, t reflect.Type) (wrong []string) {
	fields, labels := schemaOf(t)
	if path == "job" {
		labels = 1
	}
	if len(b.labels) != labels {
		wrong = append(wrong, fmt.Sprintf("%s: %s has %d labels, not %d", b.at, path, len(b.labels), labels))
	}
	for _, name := range slices.Sorted(maps.Keys(b.attrs)) {
		f, ok := fields[name]
		if !ok || f.block {
			wrong = append(wrong, fmt.Sprintf("%s: %s has no attribute %q", b.at, path, name))
			continue
		}
		if err := checkValue(b.attrs[name], f.kind); err != nil {
			wrong = append(wrong, fmt.Sprintf("%s: %s.%s: %v", b.at, path, name, err))
		}
	}
	seen := map[string]bool{}
	for _, one := range b.blocks {
		f, ok := fields[one.kind]
		if !ok || !f.block {
			wrong = append(wrong, fmt.Sprintf("%s: %s has no block %q", one.at, path, one.kind))
			continue
		}
		if seen[one.kind] && f.kind.Kind() != reflect.Slice {
			wrong = append(wrong, fmt.Sprintf("%s: %s has two blocks %q", one.at, path, one.kind))
		}
		seen[one.kind] = true
		wrong = append(wrong, checkInner(path+"."+one.kind, b, one, f.kind)...)
	}
	return wrong
}

// checkInner checks a block by the type of the field that holds it.
func checkInner(path string, parent, b *jobBlock, t reflect.Type) (wrong []string) {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Struct {
		return checkBlock(path, b, t)
	}
	if len(b.labels)+len(b.blocks) > 0 {
		wrong = append(wrong, fmt.Sprintf("%s: %s holds names and values alone", b.at, path))
	}
	known := driverConfig[parent.text("driver")]
	for name := range b.attrs {
		if path == "job.group.task.config" && !slices.Contains(known, name) {
			wrong = append(wrong, fmt.Sprintf("%s: the driver %s has no %q", b.at, parent.text("driver"), name))
		}
	}
	return wrong
}

func checkValue(v cty.Value, t reflect.Type) error {
	if slices.Contains(durations, t) {
		s, err := convert.Convert(v, cty.String)
		if err == nil {
			_, err = time.ParseDuration(s.AsString())
		}
		return err
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	want := cty.DynamicPseudoType
	switch t.Kind() {
	case reflect.Bool:
		want = cty.Bool
	case reflect.String:
		want = cty.String
	case reflect.Slice:
		want = cty.List(cty.String)
	case reflect.Int, reflect.Int8, reflect.Uint8, reflect.Uint64:
		want = cty.Number
	}
	_, err := convert.Convert(v, want)
	return err
}

type schemaField struct {
	kind  reflect.Type
	block bool
}

// schemaOf reads the tags `hcl:"name,optional"`, `hcl:"name,block"` and `hcl:",label"`.
func schemaOf(t reflect.Type) (fields map[string]schemaField, labels int) {
	fields = map[string]schemaField{}
	for f := range t.Fields() {
		tag, ok := f.Tag.Lookup("hcl")
		if !ok {
			continue
		}
		switch name, kind, _ := strings.Cut(tag, ","); kind {
		case "label":
			labels++
		default:
			fields[name] = schemaField{f.Type, kind == "block"}
		}
	}
	return fields, labels
}
