package control

import (
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// keptFunctionsOf is what finders found, and what references led to, for a cold start.
func keptFunctionsOf(w *gateway.World) (found []keptFunctions, led []keptFunction) {
	for key, list := range w.Found() {
		found = append(found, keptFunctions{key, list})
	}
	slices.SortFunc(found, func(a, b keptFunctions) int { return strings.Compare(a.Key.String(), b.Key.String()) })
	for id, f := range w.Remembered() {
		led = append(led, keptFunction{id, f})
	}
	slices.SortFunc(led, func(a, b keptFunction) int { return gateway.CompareID(a.ID, b.ID) })
	return found, led
}

// restoreFunctions puts the functions of the last run in force until their finders answer.
func (l *Loop) restoreFunctions(s *kept, in *gateway.Input) {
	in.Functions, in.Remembered = map[gateway.FinderKey][]*gateway.Function{}, map[gateway.ID]*gateway.Function{}
	for _, f := range s.Functions {
		if f.List == nil {
			f.List = []*gateway.Function{} // it answered that there are none
		}
		in.Functions[f.Key] = f.List
	}
	for _, f := range s.Led {
		in.Remembered[f.ID] = f.Function
	}
	if l.cfg.Finders != nil {
		l.cfg.Finders.Seed(in.Functions)
	}
}
