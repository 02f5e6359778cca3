package gateway

import (
	"fmt"
	"testing"
)

func TestAnUpstreamThatLosesItsLastEndpointWhichTakesTrafficTurnsAndTurnsBack(t *testing.T) {
	s := newStage(t)
	at := func(health ...Health) []Endpoint {
		out := []Endpoint{}
		for i, h := range health {
			out = append(out, Endpoint{ID: fmt.Sprint(i), Address: fmt.Sprintf("10.0.0.%d", i), Port: 80, Health: h})
		}
		return out
	}
	step := func(name, want string, in Input) {
		t.Helper()
		before := s.w
		silent, back := s.apply(in).Turned(before, s.w)
		if got := fmt.Sprint(silent, back); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	source := func(name string, list []Endpoint) Input {
		return Input{Endpoints: map[SourceKey][]Endpoint{{"fake", name}: list}}
	}
	const nothing = "[] []"
	step("before any answer", nothing, Input{Documents: map[string]*Document{"d": fakeDoc("d", 1, aGateway, "upstream.u src=a,b,c/0/0", "upstream.v src=a")}})
	step("one source answers with nothing", "[v] []", source("a", at()))
	step("the other has one", nothing, source("b", at(Healthy, Critical)))
	step("the first has some", "[] [v]", source("a", at(Critical, Warning)))
	step("and loses them", "[v] []", source("a", at(Critical, Draining)))
	step("a source without a share says nothing", nothing, source("c", at(Healthy)))
	step("the last is drained", "[u] []", Input{Drained: map[string]bool{"10.0.0.0:80": true}})
	step("it is gone as well", nothing, source("b", at()))
	step("it is undone", nothing, Input{Drained: map[string]bool{"10.0.0.0:80": false}})
	step("both are back", "[] [u v]", source("a", at(Healthy)))
	step("a source is forgotten", nothing, Input{Forget: []SourceKey{{"fake", "a"}}})
	step("the upstream goes", nothing, Input{Documents: map[string]*Document{"d": nil}})
}
