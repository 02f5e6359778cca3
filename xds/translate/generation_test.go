package translate_test

import (
	"slices"
	"strings"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	headermutationv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	luav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// twoGenerations has a filter that came later before one that was there from the start.
func twoGenerations() []translate.Kind {
	return []translate.Kind{
		{FeatureRule: gateway.FeatureRule{Type: "late"}, Filters: func() []translate.Filter {
			return []translate.Filter{{Name: "late", Config: &luav3.Lua{}, Disabled: true, Requires: "envoy.filters.http.lua", Since: 2}}
		}},
		{FeatureRule: gateway.FeatureRule{Type: "early"}, Filters: func() []translate.Filter {
			return []translate.Filter{{Name: "early", Config: &headermutationv3.HeaderMutation{}, Disabled: true, Requires: "mutation"}}
		}},
		{FeatureRule: gateway.FeatureRule{Type: "none"}},
	}
}

func listenerOf(t *testing.T, tr *translate.Translator, generation int) (filters []string, stamp float64, r *translate.Resource) {
	t.Helper()
	r, err := tr.Build(gateway.Inputs{
		Unit: gateway.Unit{Type: gateway.UnitListener, Name: "edge.http"}, Gateways: []string{"edge"}, Generation: generation,
		Gateway: &gateway.Gateway{Name: "edge"}, Listener: &gateway.Listener{Name: "http", Port: 8080},
	})
	if err != nil {
		t.Fatal(err)
	}
	l := r.Message.(*listenerv3.Listener)
	manager := &hcmv3.HttpConnectionManager{}
	if err := l.FilterChains[0].Filters[0].GetTypedConfig().UnmarshalTo(manager); err != nil {
		t.Fatal(err)
	}
	for _, f := range manager.HttpFilters {
		filters = append(filters, f.Name)
	}
	return filters, l.Metadata.FilterMetadata["sluice"].Fields["generation"].GetNumberValue(), r
}

func TestAListenerHasTheFiltersOfTheGenerationInForce(t *testing.T) {
	tr := translator(t, twoGenerations()...)
	second := []string{
		"late", "early", "sluice.script",
		"envoy.filters.http.grpc_web", "sluice.grpc_body", "envoy.filters.http.grpc_json_transcoder", "envoy.filters.http.router",
	}
	calls := []string{
		"envoy.access_loggers.extension_filters.cel", "envoy.filters.http.buffer", "envoy.filters.http.grpc_json_transcoder",
		"envoy.filters.http.grpc_web", "envoy.filters.http.lua", "mutation",
	}
	for generation, want := range map[int]struct {
		stamp    float64
		filters  []string
		requires []string
	}{
		0:  {translate.Generation, second, calls},
		1:  {1, []string{"early", "envoy.filters.http.router"}, []string{"mutation"}},
		2:  {2, second, calls},
		99: {translate.Generation, second, calls},
	} {
		filters, stamp, r := listenerOf(t, tr, generation)
		if !slices.Equal(filters, want.filters) || stamp != want.stamp || !slices.Equal(r.Requires, want.requires) {
			t.Errorf("generation %d: filters %v, stamp %v, requires %v", generation, filters, stamp, r.Requires)
		}
	}
}

func TestRulesSayWhichGenerationAFeatureNeeds(t *testing.T) {
	want := map[string]int{"late": 2, "early": 1, "none": 0}
	for _, r := range translator(t, twoGenerations()...).Rules() {
		if r.Since != want[r.Type] {
			t.Errorf("%s needs generation %d, want %d", r.Type, r.Since, want[r.Type])
		}
	}
}

func TestAFilterOfAGenerationThatIsNotThereIsAMistake(t *testing.T) {
	kinds := []translate.Kind{{FeatureRule: gateway.FeatureRule{Type: "next"}, Filters: func() []translate.Filter {
		return []translate.Filter{{Name: "next", Config: &luav3.Lua{}, Since: translate.Generation + 1}}
	}}}
	if _, err := translate.New(kinds); err == nil || !strings.Contains(err.Error(), "next") {
		t.Errorf("the error is %v", err)
	}
}
