package gateway

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"maps"
	"math"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// requestFunc is a function of the request time: how many arguments it takes (most < 0: any number), and what it does.
// Null arguments are an error unless nulls is set. call is nil where the evaluator itself decides what is evaluated.
type requestFunc struct {
	least, most int
	nulls       bool
	call        func(args []any) (any, error)
}

// RequestFunction says whether a function exists at request time, and how many arguments it takes; most is -1 where
// there is no bound.
func RequestFunction(name string) (least, most int, ok bool) {
	f, ok := requestFuncs[name]
	return f.least, f.most, ok
}

// RequestFunctions lists the functions of the request time, sorted.
func RequestFunctions() []string { return slices.Sorted(maps.Keys(requestFuncs)) }

// requestFuncs is the closed list. They do what the functions of the same name do at configuration time.
var requestFuncs = map[string]requestFunc{
	"abs": numeric(math.Abs), "ceil": numeric(math.Ceil), "floor": numeric(math.Floor),
	"max": extreme(1), "min": extreme(-1),

	"upper":       textFunc(1, func(a []string) (any, error) { return strings.ToUpper(a[0]), nil }),
	"lower":       textFunc(1, func(a []string) (any, error) { return strings.ToLower(a[0]), nil }),
	"trim":        textFunc(2, func(a []string) (any, error) { return strings.Trim(a[0], a[1]), nil }),
	"trimspace":   textFunc(1, func(a []string) (any, error) { return strings.TrimSpace(a[0]), nil }),
	"trimprefix":  textFunc(2, func(a []string) (any, error) { return strings.TrimPrefix(a[0], a[1]), nil }),
	"trimsuffix":  textFunc(2, func(a []string) (any, error) { return strings.TrimSuffix(a[0], a[1]), nil }),
	"startswith":  textFunc(2, func(a []string) (any, error) { return strings.HasPrefix(a[0], a[1]), nil }),
	"endswith":    textFunc(2, func(a []string) (any, error) { return strings.HasSuffix(a[0], a[1]), nil }),
	"strcontains": textFunc(2, func(a []string) (any, error) { return strings.Contains(a[0], a[1]), nil }),
	"replace": textFunc(3, func(a []string) (any, error) {
		if len(a[1]) > 1 && strings.HasPrefix(a[1], "/") && strings.HasSuffix(a[1], "/") {
			return nil, errors.New("replace has no regular expressions at request time")
		}
		if strings.Count(a[0], a[1])*len(a[2]) > maxEvalSteps*32 {
			return nil, errTooManySteps
		}
		return strings.ReplaceAll(a[0], a[1], a[2]), nil
	}),
	"split": textFunc(2, func(a []string) (any, error) {
		parts := strings.Split(a[1], a[0])
		out := make([]any, len(parts))
		for i, p := range parts {
			out[i] = p
		}
		return out, nil
	}),
	"urlencode":    textFunc(1, func(a []string) (any, error) { return url.QueryEscape(a[0]), nil }),
	"htmlencode":   textFunc(1, func(a []string) (any, error) { return html.EscapeString(a[0]), nil }),
	"base64encode": textFunc(1, func(a []string) (any, error) { return base64.StdEncoding.EncodeToString([]byte(a[0])), nil }),
	"base64decode": textFunc(1, func(a []string) (any, error) {
		b, err := base64.StdEncoding.DecodeString(a[0])
		if err != nil || !utf8.Valid(b) {
			return nil, errors.New("base64decode: no base64 of a text")
		}
		return string(b), nil
	}),
	"jsondecode": textFunc(1, func(a []string) (any, error) {
		v, err := decodeJSON([]byte(a[0]))
		if err != nil {
			return nil, errors.New("jsondecode: no JSON")
		}
		return v, nil
	}),
	"jsonencode": {1, 1, true, func(args []any) (any, error) {
		b, err := json.Marshal(args[0])
		return string(b), err
	}},
	"substr": {3, 3, false, evalSubstr},

	"tostring": {1, 1, true, func(args []any) (any, error) {
		if args[0] == nil {
			return nil, nil
		}
		return evalAnyText(args[0])
	}},
	"tonumber": {1, 1, true, func(args []any) (any, error) {
		if n, ok := args[0].(json.Number); ok {
			return n, nil
		}
		if n, ok := exactNumber(args[0]); ok {
			return n, nil
		}
		if args[0] == nil {
			return nil, nil
		}
		return nil, fmt.Errorf("tonumber: %s is no number", evalKind(args[0]))
	}},
	"tobool": {1, 1, true, func(args []any) (any, error) {
		if b, ok := evalBool(args[0]); ok {
			return b, nil
		}
		if args[0] == nil {
			return nil, nil
		}
		return nil, fmt.Errorf("tobool: %s is no truth value", evalKind(args[0]))
	}},

	"coalesce": {1, -1, true, func(args []any) (any, error) {
		for _, a := range args {
			if a != nil && a != "" {
				return a, nil
			}
		}
		return nil, errors.New("coalesce: no argument has a value")
	}},
	"raw": {1, 1, true, func(args []any) (any, error) {
		if args[0] == nil {
			return nil, nil
		}
		return evalAnyText(args[0])
	}},
	"can": {1, 1, true, nil},
	"try": {1, -1, true, nil},

	"concat": {1, -1, false, evalConcat}, "contains": {2, 2, false, evalContains}, "join": {2, -1, false, evalJoin},
	"keys": {1, 1, false, evalKeys}, "length": {1, 1, false, evalLength}, "lookup": {2, 3, true, evalLookup},
	"merge": {0, -1, true, evalMerge}, "values": {1, 1, false, evalValues},
}

// evalCall calls a function with evaluated arguments.
func evalCall(name string, args []any) (any, error) {
	f, ok := requestFuncs[name]
	if !ok || f.call == nil || len(args) < f.least || f.most >= 0 && len(args) > f.most {
		return nil, fmt.Errorf("no function %s with %d arguments", name, len(args))
	}
	if !f.nulls && slices.ContainsFunc(args, func(a any) bool { return a == nil }) {
		return nil, fmt.Errorf("%s: an argument is null", name)
	}
	v, err := f.call(args)
	if err != nil && !strings.HasPrefix(err.Error(), name) {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return v, err
}
