package gateway

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// evalKind names the kind of a value in messages.
func evalKind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a truth value"
	case float64, json.Number:
		return "a number"
	case string:
		return "a text"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return fmt.Sprintf("a %T", v)
}

func evalBool(v any) (value, ok bool) {
	switch x := v.(type) {
	case bool:
		return x, true
	case string:
		return x == "true", x == "true" || x == "false"
	}
	return false, false
}

// evalNumber reads a number, or a text that is one in decimal.
func evalNumber(v any) (float64, bool) {
	switch x := v.(type) {
	case float64:
		return x, true
	case json.Number:
		n, err := x.Float64()
		return n, err == nil
	case string:
		if x == "" || strings.Trim(x, "0123456789+-.eE") != "" {
			return 0, false
		}
		n, err := strconv.ParseFloat(x, 64)
		return n, err == nil
	}
	return 0, false
}

func evalUnary(op string, v any) (any, error) {
	if op == "!" {
		b, ok := evalBool(v)
		if !ok {
			return nil, fmt.Errorf("! of %s", evalKind(v))
		}
		return !b, nil
	}
	n, ok := evalNumber(v)
	if !ok {
		return nil, fmt.Errorf("- of %s", evalKind(v))
	}
	return -n, nil
}

func evalBinary(op string, a, b any) (any, error) {
	switch op {
	case "==":
		return evalEqual(a, b), nil
	case "!=":
		return !evalEqual(a, b), nil
	}
	x, okx := evalNumber(a)
	y, oky := evalNumber(b)
	if !okx || !oky {
		return nil, fmt.Errorf("%s %s %s: numbers are needed", evalKind(a), op, evalKind(b))
	}
	var n float64
	switch op {
	case "<":
		return x < y, nil
	case "<=":
		return x <= y, nil
	case ">":
		return x > y, nil
	case ">=":
		return x >= y, nil
	case "+":
		n = x + y
	case "-":
		n = x - y
	case "*":
		n = x * y
	case "/", "%":
		if y == 0 {
			return nil, fmt.Errorf("%s %s 0", evalNumberText(x), op)
		}
		if n = x / y; op == "%" {
			n = math.Mod(x, y)
		}
	default:
		return nil, fmt.Errorf("unknown operator %q", op)
	}
	if math.IsInf(n, 0) || math.IsNaN(n) {
		return nil, fmt.Errorf("%s %s %s is no number", evalNumberText(x), op, evalNumberText(y))
	}
	return n, nil
}

// evalEqual compares values of one kind; of different kinds they differ. Numbers are equal whatever their text.
func evalEqual(a, b any) bool {
	switch x := a.(type) {
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, evalEqual)
	case map[string]any:
		y, ok := b.(map[string]any)
		return ok && maps.EqualFunc(x, y, evalEqual)
	case float64, json.Number:
		n, okn := evalNumber(a)
		m, okm := evalNumber(b)
		if _, text := b.(string); text || evalKind(b) != "a number" {
			return false
		}
		if okn && okm {
			return n == m
		}
		return fmt.Sprint(a) == fmt.Sprint(b)
	}
	if _, number := b.(json.Number); number {
		return false
	}
	return !isCollection(b) && a == b
}

func isCollection(v any) bool {
	switch v.(type) {
	case []any, map[string]any:
		return true
	}
	return false
}

func evalObject(args []any) (any, error) {
	out := make(map[string]any, len(args)/2)
	for i := 0; i+1 < len(args); i += 2 {
		key, err := evalText(args[i])
		if err != nil {
			return nil, fmt.Errorf("key: %w", err)
		}
		if args[i+1] == nil {
			delete(out, key)
			continue
		}
		out[key] = args[i+1]
	}
	return out, nil
}

// evalIndex is an element of a collection; null where there is none.
func evalIndex(coll, key any) (any, error) {
	switch c := coll.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		k, err := evalText(key)
		if err != nil {
			return nil, fmt.Errorf("key: %w", err)
		}
		return c[k], nil
	case []any:
		n, ok := evalNumber(key)
		if !ok {
			return nil, fmt.Errorf("a list is indexed by a number, not by %s", evalKind(key))
		}
		if n != math.Trunc(n) || n < 0 || n >= float64(len(c)) {
			return nil, nil
		}
		return c[int(n)], nil
	}
	return nil, fmt.Errorf("%s has no elements", evalKind(coll))
}
