package gateway

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// check compares what the destination says with the function's signature.
func (c *caller) check() {
	args := c.arguments()
	byName := map[string]Argument{}
	for _, a := range args {
		byName[a.Name] = a
	}
	names := slices.Sorted(maps.Keys(byName))
	for _, name := range slices.Sorted(maps.Keys(c.to.Args)) {
		e := c.to.Args[name]
		a, known := byName[name]
		if !known {
			c.error(e, "Unknown argument", "%s has no argument %q.%s", c.what(), name, suggest(name, names))
			continue
		}
		if !c.textBody(a) {
			c.fits(a, e)
		}
	}
	for _, a := range args {
		if c.checkBody(a) {
			continue
		}
		_, from := c.value(a)
		if a.In == InPath && from == fromClient {
			c.error(Expr{}, "Missing argument", "The path of %s needs the argument %q, and neither args nor a variable of the match gives it. Match a path with {%s}, or say where it is: args = { %s = request.query.%s }.",
				c.what(), a.Name, variableFor(a.Name), argumentKey(a.Name), variableFor(a.Name))
		}
	}
	if g := c.fn.GRPC; g != nil && !c.w.rules.Offline && (len(g.Descriptor) == 0 || !c.fn.Signature.Known) {
		c.error(Expr{}, "Invalid call", "Nothing describes the messages of %s, so no request can be made one. Its finder's status says why; what speaks gRPC reaches it through the upstream, without \"function\".", c.what())
	}
	c.settings()
}

// settings refuses what is for functions of another kind.
func (c *caller) settings() {
	if c.to.Event != "" || c.to.Async != nil {
		if c.fn.Kind != FunctionLambda {
			c.error(Expr{}, "Invalid call", "\"event\" and \"async\" are for Lambdas, and %s is none.", c.what())
		}
	}
	if c.to.Stream != "" && (c.fn.GRPC == nil || !c.fn.GRPC.ServerStream) {
		c.error(Expr{}, "Invalid call", "\"stream\" is for gRPC methods that answer with a stream, and %s is none.", c.what())
	}
	if c.fn.Kind == FunctionLambda && !c.to.Subset.IsZero() {
		c.error(Expr{}, "Invalid call", "A subset is one of endpoints, and a Lambda has none. An alias or version stands in its name: %s.", c.what())
	}
}

// what is the function as it is referenced.
func (c *caller) what() string { return c.to.Function.ID.Text() }

// argumentKey is a name as it stands in args.
func argumentKey(name string) string {
	if variableName.MatchString(name) {
		return name
	}
	return fmt.Sprintf("%q", name)
}

// error reports what is wrong at an expression, or at the destination.
func (c *caller) error(at Expr, summary, format string, args ...any) {
	rng := at.Range
	if rng.Filename == "" {
		rng = c.to.Range
	}
	c.diags = append(c.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: &rng})
}

// fits reports a value that cannot be what the signature asks for.
func (c *caller) fits(a Argument, e Expr) {
	if v, isConst := e.Const(); isConst && v == nil {
		if a.Required || a.In == InPath {
			c.error(e, "Missing argument", "%s needs the argument %q, and null leaves it out.", c.what(), a.Name)
		}
		return
	}
	text := a.In == InPath || a.In == InQuery || a.In == InHeader
	if at, why := misfit(e, a.Type, text); why != "" {
		c.error(at, "Invalid argument", "The argument %q of %s: %s.", a.Name, c.what(), why)
	}
}

// misfit says why an expression cannot give what a type asks for, and which part of it does not; "" where it can. In the
// text of a path, a query or a header, one value may stand for a list.
func misfit(e Expr, t Type, text bool) (at Expr, why string) {
	if t.Kind == TypeAny {
		return e, ""
	}
	if v, isConst := e.Const(); isConst {
		return e, misfitConst(v, t, text)
	}
	switch {
	case e.Op == OpCond:
		for _, branch := range e.Args[1:] {
			if v, isConst := branch.Const(); isConst && v == nil {
				continue
			}
			if at, why := misfit(branch, t, text); why != "" {
				return at, why
			}
		}
		return e, ""
	case e.Op == OpObject && (t.Kind == TypeObject || t.Kind == TypeMap):
		return misfitObject(e, t)
	case e.Op == OpTuple && t.Kind == TypeArray:
		for _, x := range e.Args {
			if at, why := misfit(x, elemOf(t), text); why != "" {
				return at, "in an element, " + why
			}
		}
		return e, ""
	}
	got := staticKind(e)
	if !accepts(t.Kind, got, text) {
		return e, fmt.Sprintf("%s is required, and this gives %s", kindText(t.Kind), kindText(got))
	}
	return e, ""
}

// accepts says whether a kind of value can become what is wanted; what is not known can.
func accepts(want, got TypeKind, text bool) bool {
	scalar := got == TypeString || got == TypeNumber || got == TypeBoolean
	switch {
	case got == TypeAny:
		return true
	case want == TypeString:
		return scalar
	case want == TypeNumber || want == TypeInteger:
		return got == TypeString || got == TypeNumber
	case want == TypeBoolean:
		return got == TypeString || got == TypeBoolean
	case want == TypeArray:
		return got == TypeArray || text && scalar
	}
	return got == TypeObject
}

func elemOf(t Type) Type {
	if t.Elem == nil {
		return Type{}
	}
	return *t.Elem
}

// misfitObject looks into an object that is written out, as far as its keys are known.
func misfitObject(e Expr, t Type) (Expr, string) {
	given := map[string]bool{}
	sure := true
	for i := 0; i+1 < len(e.Args); i += 2 {
		key, isText := e.Args[i].Value.(string)
		if e.Args[i].Op != OpConst || !isText {
			sure = false
			continue
		}
		given[key] = true
		inner, why := fieldType(t, key)
		if why != "" {
			return e.Args[i], why
		}
		if at, why := misfit(e.Args[i+1], inner, false); why != "" {
			return at, fmt.Sprintf("in %q, %s", key, why)
		}
	}
	if sure {
		return e, missingField(t, given)
	}
	return e, ""
}

// fieldType is the type of a field of an object; why says that there is none.
func fieldType(t Type, key string) (inner Type, why string) {
	if t.Kind == TypeMap {
		return elemOf(t), ""
	}
	if len(t.Fields) == 0 {
		return Type{}, "" // an object of which nothing more is known
	}
	var names []string
	for _, f := range t.Fields {
		if f.Name == key {
			return f.Type, ""
		}
		names = append(names, f.Name)
	}
	return Type{}, strings.TrimSuffix(fmt.Sprintf("there is no field %q.%s", key, suggest(key, names)), ".")
}

func missingField(t Type, given map[string]bool) string {
	for _, f := range t.Fields {
		if f.Required && !given[f.Name] && t.Kind == TypeObject {
			return fmt.Sprintf("the field %q is required", f.Name)
		}
	}
	return ""
}

func misfitConst(v any, t Type, text bool) string {
	switch x := v.(type) {
	case nil:
		return ""
	case []any:
		if t.Kind == TypeArray {
			for _, e := range x {
				if why := misfitConst(e, elemOf(t), text); why != "" {
					return "in an element, " + why
				}
			}
			return ""
		}
	case map[string]any:
		if t.Kind == TypeObject || t.Kind == TypeMap {
			return misfitMap(x, t)
		}
	default:
		if t.Kind == TypeArray && text {
			return misfitConst(v, elemOf(t), text)
		}
		return misfitScalar(v, t)
	}
	if t.Kind == TypeAny {
		return ""
	}
	return fmt.Sprintf("%s is required, not %s", kindText(t.Kind), kindText(kindOf(v)))
}

func misfitMap(m map[string]any, t Type) string {
	given := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		given[key] = true
		inner, why := fieldType(t, key)
		if why != "" {
			return why
		}
		if why := misfitConst(m[key], inner, false); why != "" {
			return fmt.Sprintf("in %q, %s", key, why)
		}
	}
	return missingField(t, given)
}

// misfitScalar converts as HCL does: a text that reads as a number is one.
func misfitScalar(v any, t Type) string {
	shown := fmt.Sprint(v)
	if s, isText := v.(string); isText {
		shown = fmt.Sprintf("%q", s)
	}
	switch t.Kind {
	case TypeAny:
		return ""
	case TypeString:
		made, err := evalAnyText(v)
		s, isText := made.(string)
		if err == nil && isText && (len(t.Enum) == 0 || slices.Contains(t.Enum, s)) {
			return ""
		}
		if err == nil && isText {
			return fmt.Sprintf("%s is none of %s", shown, strings.Join(t.Enum, ", "))
		}
	case TypeNumber:
		if _, ok := evalNumber(v); ok {
			return ""
		}
	case TypeInteger:
		if n, ok := evalNumber(v); ok && n == float64(int64(n)) {
			return ""
		}
	case TypeBoolean:
		if _, ok := evalBool(v); ok {
			return ""
		}
	}
	return fmt.Sprintf("%s is required, not %s", kindText(t.Kind), shown)
}

// kindText names a kind for people.
func kindText(k TypeKind) string {
	switch k {
	case TypeString:
		return "a text"
	case TypeNumber:
		return "a number"
	case TypeInteger:
		return "a whole number"
	case TypeBoolean:
		return "true or false"
	case TypeArray:
		return "a list"
	case TypeObject, TypeMap:
		return "an object"
	}
	return "any value"
}

// staticKind is the kind of value that an expression gives, where that is known; TypeAny where it is not.
func staticKind(e Expr) TypeKind {
	switch e.Op {
	case OpConst:
		return kindOf(e.Value)
	case OpTemplate:
		return TypeString
	case OpRequest, OpResponse:
		if len(e.Path) > 0 && e.Path[0] != "body" && e.Path[0] != "auth" && e.Path[0] != "status" {
			return TypeString
		}
	case OpBinary:
		switch e.Name {
		case "+", "-", "*", "/", "%":
			return TypeNumber
		}
		return TypeBoolean
	case OpUnary:
		if e.Name == "!" {
			return TypeBoolean
		}
		return TypeNumber
	case OpCond:
		if a, b := staticKind(e.Args[1]), staticKind(e.Args[2]); a == b {
			return a
		}
	case OpObject:
		return TypeObject
	case OpTuple, OpSplat:
		return TypeArray
	case OpFor:
		if len(e.Args) > 1 && !e.Args[1].IsZero() {
			return TypeObject
		}
		return TypeArray
	case OpCall:
		return resultKinds[e.Name]
	}
	return TypeAny
}

// resultKinds are the kinds that functions of the request time give, of those that give just one.
var resultKinds = map[string]TypeKind{
	"abs": TypeNumber, "ceil": TypeNumber, "floor": TypeNumber, "length": TypeNumber, "max": TypeNumber, "min": TypeNumber, "tonumber": TypeNumber,
	"base64decode": TypeString, "base64encode": TypeString, "htmlencode": TypeString, "join": TypeString, "jsonencode": TypeString, "lower": TypeString,
	"replace": TypeString, "substr": TypeString, "tostring": TypeString, "trim": TypeString, "trimprefix": TypeString, "trimspace": TypeString,
	"trimsuffix": TypeString, "upper": TypeString, "urlencode": TypeString,
	"can": TypeBoolean, "contains": TypeBoolean, "endswith": TypeBoolean, "startswith": TypeBoolean, "strcontains": TypeBoolean, "tobool": TypeBoolean,
	"concat": TypeArray, "keys": TypeArray, "split": TypeArray, "values": TypeArray, "merge": TypeObject,
}

// kindOf is the kind of a constant; TypeAny for null.
func kindOf(v any) TypeKind {
	switch v.(type) {
	case string:
		return TypeString
	case bool:
		return TypeBoolean
	case float64, json.Number:
		return TypeNumber
	case []any:
		return TypeArray
	case map[string]any:
		return TypeObject
	}
	return TypeAny
}
