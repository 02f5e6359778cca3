package console

import (
	"maps"
	"slices"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// One name in three places is what a client sends in each of them; without a body, the argument's own in the query.
func TestTheClientsAPINamesArgumentsAsClientsSendThem(t *testing.T) {
	arg := func(name, field string, in gateway.Location) gateway.Argument {
		return gateway.Argument{Name: name, Field: field, In: in, Type: gateway.Type{Kind: gateway.TypeInteger}}
	}
	fn := &gateway.Function{Kind: gateway.FunctionREST, REST: &gateway.RESTOperation{Method: "PUT", Path: "/items/{pet-id}", Body: "application/json"}}
	fn.Signature = gateway.Signature{Known: true, Args: []gateway.Argument{
		arg("id_body", "id", gateway.InBody), arg("id_header", "id", gateway.InHeader), arg("id_query", "id", gateway.InQuery), arg("pet-id", "", gateway.InPath),
	}}
	e := &gateway.TableRoute{
		Route: &gateway.Route{}, Match: &gateway.Match{Method: "PUT", Path: "/items/{pet_id}"},
		Destinations: []*gateway.TableDestination{{To: &gateway.Destination{}, Function: fn, Weight: 1}},
	}
	c := callOf(e)
	for name, got := range map[string][]string{
		"query id": slices.Collect(maps.Keys(c.query)), "header id": slices.Collect(maps.Keys(c.headers)),
		"body id": slices.Collect(maps.Keys(c.body)), "path pet_id": slices.Collect(maps.Keys(c.path)),
	} {
		if len(got) != 1 || name[len(name)-len(got[0]):] != got[0] {
			t.Errorf("%s: %v", name, got)
		}
	}
	c.bodyless()
	if got := slices.Sorted(maps.Keys(c.query)); !slices.Equal(got, []string{"id", "id_body"}) {
		t.Errorf("without a body: %v", got)
	}
}
