package gateway

import (
	"fmt"
	"strings"
	"testing"
)

func endpoint(host byte, health Health, zone string) Endpoint {
	return Endpoint{ID: fmt.Sprint(host), Address: fmt.Sprintf("10.0.0.%d", host), Port: 80, Health: health, Locality: Locality{Zone: zone}}
}

// assignment is the endpoints of upstream u, each group as PRIORITY/LOCALITY/WEIGHT=HOST,HOST with a letter for health.
func (s *stage) assignment() (out string, held bool) {
	in := s.w.Inputs(Unit{UnitAssignment, "u"})
	var groups []string
	for _, l := range in.Endpoints {
		var list []string
		for _, e := range l.Endpoints {
			list = append(list, e.Address[len("10.0.0."):]+map[Health]string{Healthy: "", Warning: "w", Critical: "c", Draining: "d"}[e.Health])
		}
		groups = append(groups, fmt.Sprintf("%d/%s%s/%d=%s", l.Priority, l.Locality.Zone, l.Locality.SubZone, l.Weight, strings.Join(list, ",")))
	}
	return strings.Join(groups, " "), in.Held
}

func TestEndpointsOfSeveralSources(t *testing.T) {
	two := map[string][]Endpoint{
		"s": {endpoint(2, Healthy, "a"), endpoint(1, Critical, "a"), endpoint(3, Healthy, "b")},
		"o": {endpoint(3, Critical, "b"), endpoint(4, Warning, "b")},
	}
	for name, c := range map[string]struct {
		sources, want string
		drained       []string
	}{
		"one, by locality":                     {"s", "0/a/0=1c,2 0/b/0=3", nil},
		"two share a locality, the first wins": {"s,o", "0/a/0=1c,2 0/b/0=3,4w", nil},
		"the other first":                      {"o,s", "0/a/0=1c,2 0/b/0=3c,4w", nil},
		"priorities":                           {"s/0,o/1", "0/a/0=1c,2 0/b/0=3 1/b/0=4w", nil},
		"weights are of the source":            {"s/0/90,o/0/10", "0/source-0/90=1c,2,3 0/source-1/10=4w", nil},
		"weight 0 takes no traffic":            {"s/0/0,o/0/10", "0/source-1/10=3c,4w", nil},
		"a drained one":                        {"s", "0/a/0=1d,2 0/b/0=3", []string{"10.0.0.1:80"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.doc("d", 1, aGateway, "upstream.u src="+c.sources, aRoute)
			in := Input{Endpoints: map[SourceKey][]Endpoint{}, Drained: map[string]bool{}}
			for k, list := range two {
				in.Endpoints[SourceKey{"fake", k}] = list
			}
			for _, addr := range c.drained {
				in.Drained[addr] = true
			}
			s.apply(in)
			if got, held := s.assignment(); got != c.want || held {
				t.Errorf("%s, held %v; want %s", got, held, c.want)
			}
		})
	}
}

func TestADrainIsUndone(t *testing.T) {
	s := newStage(t)
	s.apply(Input{Endpoints: map[SourceKey][]Endpoint{{"fake", "s"}: {endpoint(1, Healthy, "a")}}}) // before its upstream
	s.doc("d", 1, aGateway, anUp, aRoute)
	for _, c := range []struct {
		on   bool
		want string
	}{{true, "0/a/0=1d"}, {false, "0/a/0=1"}} {
		change := s.apply(Input{Drained: map[string]bool{"10.0.0.1:80": c.on}})
		if got, _ := s.assignment(); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
		if len(change.Units) == 0 {
			t.Error("no unit is touched")
		}
	}
}

func TestAnAssignmentIsHeldWhileTooLittleIsKnown(t *testing.T) {
	up := []Endpoint{endpoint(1, Healthy, "")}
	down := []Endpoint{endpoint(1, Critical, "")}
	for name, c := range map[string]struct {
		sources string
		known   map[string][]Endpoint
		settled bool
		held    bool
	}{
		"nothing":                                   {"s", nil, false, true},
		"nothing, after the grace":                  {"s", nil, true, true},
		"empty is known":                            {"s", map[string][]Endpoint{"s": {}}, false, false},
		"one of two":                                {"s,o", map[string][]Endpoint{"s": up}, false, true},
		"one of two, after the grace":               {"s,o", map[string][]Endpoint{"s": up}, true, false},
		"one of two and empty, after the grace":     {"s,o", map[string][]Endpoint{"s": {}}, true, true},
		"one of two and all down, after the grace":  {"s,o", map[string][]Endpoint{"s": down}, true, true},
		"all known and all down":                    {"s,o", map[string][]Endpoint{"s": down, "o": {}}, true, false},
		"all known, but the grace is not over yet":  {"s,o", map[string][]Endpoint{"s": up, "o": {}}, false, false},
		"the other one is known and has no traffic": {"s/0/1,o/0/0", map[string][]Endpoint{"o": up}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.doc("d", 1, aGateway, "upstream.u src="+c.sources, aRoute)
			in := Input{Endpoints: map[SourceKey][]Endpoint{}, Settled: c.settled}
			for k, list := range c.known {
				in.Endpoints[SourceKey{"fake", k}] = list
			}
			s.apply(in)
			if _, held := s.assignment(); held != c.held {
				t.Errorf("held %v, want %v", held, c.held)
			}
		})
	}
}

func TestWhatNobodyUsesIsRemovedNotHeld(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anUp)
	if in := s.w.Inputs(Unit{UnitAssignment, "u"}); in.Held || len(in.Gateways) > 0 {
		t.Errorf("held %v, gateways %v", in.Held, in.Gateways)
	}
}

func TestASourceThatIsForgottenIsUnknown(t *testing.T) {
	s := newStage(t)
	s.doc("d", 1, aGateway, anUp, aRoute)
	key := SourceKey{"fake", "s"}
	s.apply(Input{Endpoints: map[SourceKey][]Endpoint{key: {endpoint(1, Healthy, "")}}, Settled: true})
	s.apply(Input{Forget: []SourceKey{key}})
	if _, held := s.assignment(); !held {
		t.Error("an assignment of which nothing is known is not held")
	}
}

func TestTheSameAddressTakesTrafficWhenAnyoneSaysSo(t *testing.T) {
	w, _ := Apply(New(&Rules{}), Input{
		Documents: map[string]*Document{"a": fakeDoc("a", 1, "upstream.u src=s")},
		Endpoints: map[SourceKey][]Endpoint{{"fake", "s"}: {
			{ID: "a", Address: "10.0.0.1", Port: 80, Health: Critical},
			{ID: "b", Address: "10.0.0.1", Port: 80},
			{ID: "c", Address: "10.0.0.1", Port: 80, Health: Warning},
		}},
	})
	list, held := w.Merged("u")
	if held || len(list) != 1 || len(list[0].Endpoints) != 1 || list[0].Endpoints[0].ID != "b" {
		t.Errorf("held %v, endpoints %+v; want the healthy one alone", held, list)
	}
}
