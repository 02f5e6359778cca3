package control

import (
	"maps"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/catalog"
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

// ledValue is what was made of a reference; functions are immutable.
type ledValue struct {
	of    gateway.Led
	value []byte
}

// functions is what is to be shared of references to functions. What cannot be written is left as it is.
func (r *recorder) functions(w *gateway.World) map[gateway.ID]catalog.FunctionEntry {
	led := w.Led()
	out := make(map[gateway.ID]catalog.FunctionEntry, len(led))
	for id, l := range led {
		if l.Function == nil {
			out[id] = catalog.FunctionEntry{Seen: l.Index}
			continue
		}
		have, ok := r.led[id]
		if !ok || have.of.Function != l.Function || have.of.Before != l.Before {
			value, err := catalog.EncodeFunction(l)
			if err != nil {
				r.l.log.Error("cannot share what a reference led to", "function", id.Text(), "error", err)
			}
			have = ledValue{l, value}
			r.led[id] = have
		}
		if have.value != nil {
			out[id] = catalog.FunctionEntry{Value: have.value, Seen: l.Index}
		}
	}
	maps.DeleteFunc(r.led, func(id gateway.ID, _ ledValue) bool { return led[id].Function == nil })
	return out
}
