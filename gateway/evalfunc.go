package gateway

import (
	"slices"
)

// requestFunc is a function of the request time: how many arguments it takes, and what it does. call is nil where the
// evaluator itself has to decide what is evaluated.
type requestFunc struct {
	least, most int // most < 0: any number
	call        func(args []any) (any, error)
}

// RequestFunction says whether a function exists at request time, and how many arguments it takes; most is -1 where
// there is no bound.
func RequestFunction(name string) (least, most int, ok bool) {
	f, ok := requestFuncs[name]
	return f.least, f.most, ok
}

// RequestFunctions lists the functions of the request time, sorted.
func RequestFunctions() []string {
	names := make([]string, 0, len(requestFuncs))
	for n := range requestFuncs {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
