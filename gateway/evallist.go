package gateway

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// textFunc is a function of n texts.
func textFunc(n int, f func(args []string) (any, error)) requestFunc {
	return requestFunc{least: n, most: n, call: func(args []any) (any, error) {
		texts := make([]string, len(args))
		for i, a := range args {
			s, err := evalText(a)
			if err != nil {
				return nil, err
			}
			texts[i] = s
		}
		return f(texts)
	}}
}

// numeric is a function of one number.
func numeric(f func(float64) float64) requestFunc {
	return requestFunc{least: 1, most: 1, call: func(args []any) (any, error) {
		n, ok := evalNumber(args[0])
		if !ok {
			return nil, fmt.Errorf("%s is no number", evalKind(args[0]))
		}
		return f(n), nil
	}}
}

// extreme is the smallest (sign -1) or the largest (sign 1) number.
func extreme(sign float64) requestFunc {
	return requestFunc{least: 1, most: -1, call: func(args []any) (any, error) {
		best := math.Inf(-1)
		for _, a := range args {
			n, ok := evalNumber(a)
			if !ok {
				return nil, fmt.Errorf("%s is no number", evalKind(a))
			}
			best = max(best, n*sign)
		}
		return best * sign, nil
	}}
}

// evalAnyText is the text of a value that is not null.
func evalAnyText(v any) (any, error) {
	s, err := evalText(v)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func evalSubstr(args []any) (any, error) {
	s, err := evalText(args[0])
	if err != nil {
		return nil, err
	}
	from, ok1 := evalNumber(args[1])
	count, ok2 := evalNumber(args[2])
	if !ok1 || !ok2 || from != math.Trunc(from) || count != math.Trunc(count) {
		return nil, errors.New("offset and length are whole numbers")
	}
	runes := []rune(s)
	n := float64(len(runes))
	if from < 0 {
		from = max(0, from+n)
	}
	from = min(from, n)
	if count < 0 || from+count > n {
		count = n - from
	}
	return string(runes[int(from):int(from+count)]), nil
}

func evalLists(args []any) ([][]any, error) {
	out := make([][]any, len(args))
	for i, a := range args {
		l, ok := a.([]any)
		if !ok {
			return nil, fmt.Errorf("%s is no list", evalKind(a))
		}
		out[i] = l
	}
	return out, nil
}

func evalConcat(args []any) (any, error) {
	lists, err := evalLists(args)
	if err != nil {
		return nil, err
	}
	return append([]any{}, slices.Concat(lists...)...), nil
}

func evalContains(args []any) (any, error) {
	lists, err := evalLists(args[:1])
	if err != nil {
		return nil, err
	}
	return slices.ContainsFunc(lists[0], func(x any) bool { return evalEqual(x, args[1]) }), nil
}

func evalJoin(args []any) (any, error) {
	sep, err := evalText(args[0])
	if err != nil {
		return nil, err
	}
	lists, err := evalLists(args[1:])
	if err != nil {
		return nil, err
	}
	var parts []string
	for _, x := range slices.Concat(lists...) {
		if x == nil {
			continue
		}
		s, err := evalText(x)
		if err != nil {
			return nil, err
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, sep), nil
}

func evalMapOf(v any) (map[string]any, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s is no object", evalKind(v))
	}
	return m, nil
}

func evalKeys(args []any) (any, error) {
	m, err := evalMapOf(args[0])
	if err != nil {
		return nil, err
	}
	out := make([]any, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k)
	}
	return out, nil
}

func evalValues(args []any) (any, error) {
	m, err := evalMapOf(args[0])
	if err != nil {
		return nil, err
	}
	out := make([]any, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[k])
	}
	return out, nil
}

func evalLength(args []any) (any, error) {
	switch x := args[0].(type) {
	case string:
		return float64(utf8.RuneCountInString(x)), nil
	case []any:
		return float64(len(x)), nil
	case map[string]any:
		return float64(len(x)), nil
	}
	return nil, fmt.Errorf("%s has no length", evalKind(args[0]))
}

// evalLookup is the element of a key, or the default; an object that is absent has no elements.
func evalLookup(args []any) (any, error) {
	m, _ := args[0].(map[string]any)
	if m == nil && args[0] != nil {
		return nil, fmt.Errorf("%s is no object", evalKind(args[0]))
	}
	key, err := evalText(args[1])
	if err != nil {
		return nil, err
	}
	if v, ok := m[key]; ok {
		return v, nil
	}
	if len(args) == 3 {
		return args[2], nil
	}
	return nil, fmt.Errorf("there is no key %q", key)
}

// evalMerge puts objects together; later ones win, and null is an empty one.
func evalMerge(args []any) (any, error) {
	out := map[string]any{}
	for _, a := range args {
		if a == nil {
			continue
		}
		m, err := evalMapOf(a)
		if err != nil {
			return nil, err
		}
		maps.Copy(out, m)
	}
	return out, nil
}
