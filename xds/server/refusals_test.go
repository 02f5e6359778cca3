package server

import (
	"fmt"
	"testing"
	"time"
)

func TestARefusalIsToldOnceInAWhile(t *testing.T) {
	r, now := &refusals{}, time.Unix(0, 0)
	if !r.fresh("a", now) || !r.fresh("b", now) {
		t.Error("a new refusal is not told")
	}
	if r.fresh("a", now.Add(refusalQuiet-1)) {
		t.Error("a refusal is told twice")
	}
	if !r.fresh("a", now.Add(refusalQuiet)) {
		t.Error("a refusal that goes on is never told again")
	}
	for i := range 3 * mostRefusals {
		r.fresh(fmt.Sprint(i), now)
	}
	if len(r.last) > mostRefusals {
		t.Errorf("%d refusals are remembered", len(r.last))
	}
}
