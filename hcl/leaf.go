package hcl

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/sluice-gateway/sluice/gateway"
)

// valueError is a kv value that does not fit. It finds its way into the Extra of a diagnostic.
type valueError struct {
	id   gateway.ID
	text string
}

// Error says which value is wrong, and why.
func (e *valueError) Error() string { return e.text }

// leafFunctions are the functions that read what is no block: kv, env and file.
func (d *decoder) leafFunctions() map[string]function.Function {
	return map[string]function.Function{"kv": d.kvFunc(), "env": d.envFunc(), "file": d.fileFunc()}
}

func (d *decoder) kvFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{
			{Name: "key", Type: cty.String},
			{Name: "default", Type: cty.DynamicPseudoType, AllowNull: true},
		},
		Type: func(args []cty.Value) (cty.Type, error) {
			if !args[0].IsKnown() {
				return cty.DynamicPseudoType, nil
			}
			v, err := d.kv(args[0].AsString(), args[1])
			return v.Type(), err
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return d.kv(args[0].AsString(), args[1])
		},
	})
}

// kv is the value of a key, typed as its default is.
func (d *decoder) kv(key string, def cty.Value) (cty.Value, error) {
	if def.IsNull() {
		return cty.DynamicVal, function.NewArgErrorf(1, "the default of kv() gives the value its type, so it cannot be null")
	}
	if key == "" || strings.HasPrefix(key, "/") || strings.HasSuffix(key, "/") {
		return cty.DynamicVal, function.NewArgErrorf(0, "%q is no key: give a path below values/, such as \"canary/shop\"", key)
	}
	id := gateway.ID{Kind: gateway.KindValue, Name: key}
	raw, ok := d.scope.Get(id)
	text, isText := raw.(string)
	if !ok || !isText {
		return def, nil
	}
	v, want := kvValue(text, def)
	if want != "" {
		return cty.DynamicVal, &valueError{id, fmt.Sprintf("the value at %q is %s, but its default %s asks for %s",
			key, friendlyValue(cty.StringVal(text)), friendlyValue(def), want)}
	}
	return v, nil
}

// kvValue reads text as a value of the type of def. want is what it should have been.
func kvValue(text string, def cty.Value) (v cty.Value, want string) {
	t := def.Type()
	switch {
	case onlyANumber.MatchString(text):
		return def, "no number with an exponent of more than three digits"
	case t == cty.String:
		return cty.StringVal(strings.TrimSuffix(text, "\n")), ""
	case t == cty.Number:
		v, err := cty.ParseNumberVal(strings.TrimSpace(text))
		if err != nil {
			return def, "a number"
		}
		return v, ""
	case t == cty.Bool:
		switch strings.TrimSpace(text) {
		case "true":
			return cty.True, ""
		case "false":
			return cty.False, ""
		}
		return def, "true or false"
	}
	return kvCollection(text, def)
}

func kvCollection(text string, def cty.Value) (cty.Value, string) {
	want := "a list in JSON"
	list := def.Type().IsTupleType()
	if !list {
		want = "an object in JSON"
	}
	if !json.Valid([]byte(text)) || hugeNumber.MatchString(text) {
		return def, want
	}
	t, err := ctyjson.ImpliedType([]byte(text))
	if err != nil || list != t.IsTupleType() || list == t.IsObjectType() {
		return def, want
	}
	v, err := ctyjson.Unmarshal([]byte(text), t)
	if err != nil {
		return def, want
	}
	types := elementTypes(def)
	if len(types) == 1 && types[0].IsPrimitiveType() {
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			if _, err := convert.Convert(e, types[0]); err != nil || e.IsNull() {
				return def, want + " with elements of type " + friendly(types[0])
			}
		}
	}
	return v, ""
}

// elementTypes are the different types of a collection's elements.
func elementTypes(v cty.Value) []cty.Type {
	var out []cty.Type
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		known := false
		for _, t := range out {
			known = known || t.Equals(e.Type())
		}
		if !known {
			out = append(out, e.Type())
		}
	}
	return out
}

func (d *decoder) envFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "name", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name := args[0].AsString()
			if !d.w.origin.File {
				return cty.DynamicVal, fmt.Errorf("env() works in files only: a value in the key-value store means the same on every server. Use kv()")
			}
			v, ok := d.scope.Get(gateway.ID{Kind: gateway.KindEnv, Name: name})
			if s, isText := v.(string); ok && isText {
				return cty.StringVal(s), nil
			}
			return cty.DynamicVal, fmt.Errorf("the environment variable %s is not set; try(env(%q), \"…\") gives a default", name, name)
		},
	})
}

func (d *decoder) fileFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			rel := args[0].AsString()
			if !d.w.origin.File {
				return cty.DynamicVal, fmt.Errorf("file() works in files only: a value in the key-value store means the same on every server")
			}
			if rel == "" || path.IsAbs(rel) {
				return cty.DynamicVal, fmt.Errorf("%q is no relative path: it starts at the folder of the document", rel)
			}
			name := path.Join(path.Dir(d.w.origin.Name), rel)
			v, ok := d.scope.Get(gateway.ID{Kind: gateway.KindFile, Name: name})
			if s, isText := v.(string); ok && isText {
				return cty.StringVal(s), nil
			}
			return cty.DynamicVal, fmt.Errorf("there is no file %s that can be read", name)
		},
	})
}
