package hcl

import (
	"fmt"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// bounds are the tags min and max of a number or duration.
type bounds struct{ min, max *float64 }

func parseBounds(t reflect.Type, lo, hi string) (bounds, error) {
	var b bounds
	for _, it := range []struct {
		text string
		to   **float64
	}{{lo, &b.min}, {hi, &b.max}} {
		if it.text == "" {
			continue
		}
		n, err := strconv.ParseFloat(it.text, 64)
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t == typDuration {
			var dur time.Duration
			dur, err = time.ParseDuration(it.text)
			n = float64(dur)
		}
		if err != nil {
			return b, err
		}
		*it.to = &n
	}
	return b, nil
}

// convertible says whether setValue can fill a t.
func convertible(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return convertible(t.Elem())
	case reflect.Map:
		return t.Key().Kind() == reflect.String && convertible(t.Elem())
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	case reflect.Interface:
		return t.NumMethod() == 0
	}
	return false
}

// setValue puts val, which is known and not null, into v. It returns what is required where val does not fit.
func setValue(v reflect.Value, val cty.Value) string {
	t := v.Type()
	switch {
	case t.Kind() == reflect.Pointer:
		ptr := reflect.New(t.Elem())
		why := setValue(ptr.Elem(), val)
		v.Set(ptr)
		return why
	case t == typDuration:
		return setDuration(v, val)
	case t.Kind() == reflect.Slice:
		return setSlice(v, val)
	case t.Kind() == reflect.Map:
		return setMap(v, val)
	case t.Kind() == reflect.Interface:
		if x := plain(val); x != nil {
			v.Set(reflect.ValueOf(x))
		}
		return ""
	}
	return setScalar(v, val)
}

func setScalar(v reflect.Value, val cty.Value) string {
	switch v.Kind() {
	case reflect.String:
		s, err := convert.Convert(val, cty.String)
		if err != nil {
			return "a string is required"
		}
		v.SetString(s.AsString())
		return ""
	case reflect.Bool:
		b, err := convert.Convert(val, cty.Bool)
		if err != nil {
			return "true or false is required"
		}
		v.SetBool(b.True())
		return ""
	}
	n, err := convert.Convert(val, cty.Number)
	if err != nil {
		return "a number is required"
	}
	bf := n.AsBigFloat()
	switch {
	case v.CanFloat():
		x, _ := bf.Float64()
		v.SetFloat(x)
	case v.CanInt():
		i, acc := bf.Int64()
		if acc != big.Exact || v.OverflowInt(i) {
			return "a whole number is required"
		}
		v.SetInt(i)
	default:
		u, acc := bf.Uint64()
		if acc != big.Exact || v.OverflowUint(u) {
			return "a whole number of 0 or more is required"
		}
		v.SetUint(u)
	}
	return ""
}

func setDuration(v reflect.Value, val cty.Value) string {
	const want = `a duration such as "3s", "250ms" or "1m30s" is required`
	if val.Type() != cty.String {
		return want
	}
	d, err := time.ParseDuration(val.AsString())
	if err != nil {
		return want
	}
	v.SetInt(int64(d))
	return ""
}

func setSlice(v reflect.Value, val cty.Value) string {
	t := val.Type()
	if !t.IsListType() && !t.IsSetType() && !t.IsTupleType() {
		return "a list is required"
	}
	out := reflect.MakeSlice(v.Type(), 0, val.LengthInt())
	for it := val.ElementIterator(); it.Next(); {
		_, e := it.Element()
		item := reflect.New(v.Type().Elem()).Elem()
		if e.IsNull() {
			return "a list without null elements is required"
		}
		if why := setValue(item, e); why != "" {
			return "in each element " + why
		}
		out = reflect.Append(out, item)
	}
	v.Set(out)
	return ""
}

func setMap(v reflect.Value, val cty.Value) string {
	t := val.Type()
	if !t.IsMapType() && !t.IsObjectType() {
		return "a map is required"
	}
	out := reflect.MakeMapWithSize(v.Type(), val.LengthInt())
	for it := val.ElementIterator(); it.Next(); {
		k, e := it.Element()
		item := reflect.New(v.Type().Elem()).Elem()
		if e.IsNull() {
			continue
		}
		if why := setValue(item, e); why != "" {
			return "in each element " + why
		}
		out.SetMapIndex(reflect.ValueOf(k.AsString()).Convert(v.Type().Key()), item)
	}
	v.Set(out)
	return ""
}

// check applies min, max and oneof; it returns what the value must be.
func (f *field) check(v reflect.Value) string {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() == reflect.Slice {
		for i := range v.Len() {
			if why := f.check(v.Index(i)); why != "" {
				return "has elements, each of which " + why
			}
		}
		return ""
	}
	if len(f.oneof) > 0 && !slices.Contains(f.oneof, fmt.Sprint(v.Interface())) {
		return "must be " + orList(f.oneof)
	}
	var n float64
	switch {
	case v.CanInt():
		n = float64(v.Int())
	case v.CanUint():
		n = float64(v.Uint())
	case v.CanFloat():
		n = v.Float()
	}
	low, high := f.bounds.min != nil && n < *f.bounds.min, f.bounds.max != nil && n > *f.bounds.max
	switch {
	case !low && !high:
		return ""
	case f.max == "":
		return "must be " + f.min + " or more"
	case f.min == "":
		return "must be " + f.max + " or less"
	}
	return "must be between " + f.min + " and " + f.max
}

// plain is a value as Go's JSON would have it: nil, bool, float64, string, []any, map[string]any.
func plain(v cty.Value) any {
	t := v.Type()
	switch {
	case v.IsNull() || !v.IsKnown():
		return nil
	case t == cty.String:
		return v.AsString()
	case t == cty.Bool:
		return v.True()
	case t == cty.Number:
		n, _ := v.AsBigFloat().Float64()
		if math.IsInf(n, 0) {
			return math.Copysign(math.MaxFloat64, n)
		}
		return n
	case t.IsObjectType() || t.IsMapType():
		out := make(map[string]any, v.LengthInt())
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			out[k.AsString()] = plain(e)
		}
		return out
	case t.IsTupleType() || t.IsListType() || t.IsSetType():
		out := make([]any, 0, v.LengthInt())
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			out = append(out, plain(e))
		}
		return out
	}
	return nil
}

// sizeOf estimates the bytes of a value, and stops at limit.
func sizeOf(v cty.Value, limit int) int {
	t := v.Type()
	switch {
	case v.IsNull() || !v.IsKnown():
		return 1
	case t == cty.String:
		return 16 + len(v.AsString())
	case t == cty.Number && v.AsBigFloat().MantExp(nil) > maxExponent:
		return limit + 1
	case t.IsPrimitiveType():
		return 16
	case !v.CanIterateElements():
		return 16
	}
	size := 16
	for it := v.ElementIterator(); it.Next() && size <= limit; {
		_, e := it.Element()
		size += sizeOf(e, limit-size)
	}
	return size
}

// friendly names a type as Terraform's users know it.
func friendly(t cty.Type) string { return t.FriendlyName() }

// friendlyValue shows a value in a message: short ones whole, others by their type.
func friendlyValue(v cty.Value) string {
	switch {
	case v.IsNull():
		return "null"
	case v.Type() == cty.String:
		s := v.AsString()
		if utf8.RuneCountInString(s) > 60 {
			s = string([]rune(s)[:57]) + "..."
		}
		return strconv.Quote(s)
	case v.Type() == cty.Number:
		return v.AsBigFloat().Text('g', 12)
	case v.Type() == cty.Bool:
		return strconv.FormatBool(v.True())
	}
	return friendly(v.Type())
}

func upperFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}
