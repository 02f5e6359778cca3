package gateway

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
)

// typed is the value of an argument as JSON wants it: text from path and query becomes a number or a truth value where
// the signature asks for one.
//
// In a message of gRPC a text stands for a number as well, and keeps all digits of a 64-bit one.
func (c *caller) typed(a Argument) (Expr, origin) {
	e, from := c.value(a)
	if c.fn.GRPC != nil && (a.Type.Kind == TypeNumber || a.Type.Kind == TypeInteger) {
		return e, from
	}
	if from == fromClient && c.fields { // a body's field has its type already
		return either(e.Args[1], e.Args[2]).withThen(convertText(e.Args[1], a)), from
	}
	return convertText(e, a), from
}

// withThen is a condition with another value for the first case.
func (e Expr) withThen(then Expr) Expr {
	e.Args = slices.Clone(e.Args)
	e.Args[1] = then
	return e
}

// convertText makes of an expression that gives text one that gives what an argument's type asks for.
func convertText(e Expr, a Argument) Expr {
	if v, ok := e.Const(); ok {
		e.Value = convertConst(v, a.Type)
		return e
	}
	switch a.Type.Kind {
	case TypeNumber, TypeInteger, TypeBoolean:
		if staticKind(e) == TypeString {
			return Expr{Op: OpConvert, Name: string(a.Type.Kind), Path: []string{a.Name}, Args: []Expr{e}, Range: e.Range}
		}
	}
	return e
}

// maxExact is the bound of the whole numbers of which a double has every one, and stands for no other.
const maxExact = 1 << 53

// convertConst converts a constant that is no null to a scalar type, as HCL does; what does not fit stays.
func convertConst(v any, t Type) any {
	switch t.Kind {
	case TypeNumber, TypeInteger:
		if n, ok := exactNumber(v); ok {
			return n
		}
	case TypeBoolean:
		if b, ok := evalBool(v); ok {
			return b
		}
	case TypeString:
		if v == nil {
			return nil
		}
		if s, err := evalAnyText(v); err == nil {
			return s
		}
	}
	return v
}

// exactNumber reads a number as evalNumber does. A whole one that a double may not have keeps all its digits: it is a
// json.Number then, and else a float64.
func exactNumber(v any) (any, bool) {
	n, ok := evalNumber(v)
	if !ok {
		return nil, false
	}
	text, isText := v.(string)
	if !isText {
		return v, true
	}
	sign, digits := "", strings.TrimPrefix(text, "+")
	if after, negative := strings.CutPrefix(text, "-"); negative {
		sign, digits = "-", after
	}
	digits = strings.TrimLeft(digits, "0")
	if len(digits) > 15 && strings.Trim(digits, "0123456789") == "" {
		return json.Number(sign + digits), true
	}
	return n, true
}

// evalConvert runs an OpConvert: null stays, and what is not of the type ends the request.
func evalConvert(e Expr, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	var out any
	ok := false
	switch kind := TypeKind(e.Name); kind {
	case TypeBoolean:
		out, ok = evalBool(v)
	case TypeInteger, TypeNumber:
		out, ok = exactNumber(v)
		if n, isFloat := out.(float64); isFloat && kind == TypeInteger {
			ok = n == math.Trunc(n) && math.Abs(n) < maxExact
		}
	}
	if !ok {
		return nil, ConvertRefusal(e)
	}
	return out, nil
}

// ConvertRefusal is the end of a request whose argument is not of the type that an OpConvert makes of it.
func ConvertRefusal(e Expr) *Refusal {
	return &Refusal{
		Status: http.StatusBadRequest, Reason: "invalid_argument",
		Text: fmt.Sprintf("the argument %q of the call must be %s", strings.Join(e.Path, "."), kindText(TypeKind(e.Name))),
	}
}
