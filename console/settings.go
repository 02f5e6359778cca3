package console

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

func featuresOf(list []gateway.Effective) []Feature {
	out := make([]Feature, 0, len(list))
	for _, e := range list {
		f := Feature{
			Type: e.Feature.FeatureType(), Level: e.Level.String(), From: e.From.String(),
			Settings: settings(reflect.ValueOf(e.Feature)), Range: rangeOf(e.Feature.SourceRange()), Over: []Origin{},
		}
		for _, o := range e.Over {
			f.Over = append(f.Over, Origin{Level: o.Level.String(), From: o.From.String(), Range: rangeOf(o.Feature.SourceRange())})
		}
		out = append(out, f)
	}
	return out
}

// settings is what a block's tagged struct says, by the names of its arguments; what was left out is left out.
func settings(v reflect.Value) map[string]any {
	out := map[string]any{}
	addSettings(v, out)
	return out
}

func addSettings(v reflect.Value, out map[string]any) {
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			addSettings(v.Field(i), out)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("hcl"), ",")
		if name == "" || !f.IsExported() || v.Field(i).IsZero() {
			continue
		}
		out[name] = setting(v.Field(i))
	}
}

// setting is one argument as JSON would have it: durations as written, references as addresses, request-time
// expressions as "…" with what they mention.
func setting(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case time.Duration:
		return x.String()
	case gateway.Ref:
		return x.ID.String()
	case gateway.Expr:
		return expression(x)
	case fmt.Stringer:
		if v.Kind() != reflect.Struct {
			return x.String()
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		return setting(v.Elem())
	case reflect.Struct:
		return settings(v)
	case reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = setting(v.Index(i))
		}
		return out
	case reflect.Map:
		out := map[string]any{}
		for it := v.MapRange(); it.Next(); {
			out[it.Key().String()] = setting(it.Value())
		}
		return out
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return v.Interface()
	}
	return nil
}

func expression(e gateway.Expr) any {
	if v, ok := e.Const(); ok {
		return v
	}
	var reads []string
	e.Walk(func(x gateway.Expr) {
		if x.Op == gateway.OpRequest || x.Op == gateway.OpResponse || x.Op == gateway.OpArg {
			reads = append(reads, "${"+string(x.Op)+"."+strings.Join(x.Path, ".")+"}")
		}
	})
	if len(reads) == 0 {
		return "(computed for each request)"
	}
	return "(from " + strings.Join(reads, ", ") + ")"
}
