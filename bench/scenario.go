package main

import (
	"fmt"
	"runtime/debug"
	"time"
)

// scenario is one measurement, or several that share what they start.
type scenario struct {
	name, about string
	run         func(*stage)
}

// scenarios in the order in which they run and stand in the results.
var scenarios = []scenario{
	{"routes-small", "KV put to a new route served, 10 routes; two changes 20 ms apart", routesSmall},
}

// measure runs a scenario on a stage of its own, and returns what it has noted, also when it failed on the way.
func (s scenario) measure(o settings, root string) (entries []Entry, err error) {
	st := newStage(s.name, o, root)
	start := time.Now()
	defer func() {
		r := recover()
		if f, ok := r.(stageFailure); ok {
			err = f
		} else if r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
		st.failed = err != nil
		st.end()
		st.Logf("took %s", time.Since(start).Round(time.Second))
		entries = st.entries
	}()
	s.run(st)
	return nil, nil
}
