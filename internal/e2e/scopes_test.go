package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

// scopedGateway is the document of the stack's gateway with its table in scopes.
func (s *stack) scopedGateway(attribute string) string {
	return fmt.Sprintf(`
gateway "edge" {
  listener "http" {
    address = "127.0.0.1"
    port    = %d
    %s
  }
}
`, s.port, attribute)
}

// TestScopes serves a gateway in scopes: routes come, change and go on a running Envoy, and a scope with the last of its
// routes; then the gateway goes back to a table by host, and to scopes again.
func TestScopes(t *testing.T) {
	t.Parallel()
	const scope = `scope = "first_segment"`
	s := newStack(t, setup{none: true})
	s.put("base.hcl", s.scopedGateway(scope)+upstream("app")+route("steady", "steady.example.com", "/steady", "app"))
	s.addPlane().waitServing(t)
	e := s.addEdge("edge")
	e.serves(t, "steady.example.com", "/steady", "app")
	s.service("blue")
	s.calm(t, "steady.example.com", "/steady", func() {
		s.put("blue.hcl", upstream("blue")+route("blue", "steady.example.com", "/blue", "blue")+route("wild", "*.example.com", "/wild", "blue"))
		e.serves(t, "steady.example.com", "/blue/x", "blue")
		e.serves(t, "other.example.com", "/wild/x", "blue")
		e.answers(t, "steady.example.com", "/wild/x", http.StatusNotFound) // its own host decides, though it has no such route
		e.answers(t, "steady.example.com", "/other", http.StatusNotFound)
		s.put("blue.hcl", upstream("blue")+route("blue", "steady.example.com", "/blue", "app"))
		e.serves(t, "steady.example.com", "/blue/x", "app")
		e.answers(t, "other.example.com", "/wild/x", http.StatusNotFound)
		s.put("any.hcl", route("any", "steady.example.com", "/", "app"))
		s.says(t, "any.hcl", "rejected", "Route outside of scopes", "first_segment")
		s.remove("blue.hcl", "any.hcl")
		e.answers(t, "steady.example.com", "/blue/x", http.StatusNotFound)
		testenv.Eventually(t, 30*time.Second, func() error {
			if have := e.scopes(t); !slices.Equal(have, []string{"edge.http/", "edge.http/steady"}) {
				return fmt.Errorf("the scopes are %v", have)
			}
			return nil
		})
	})
	for _, attribute := range []string{"", scope, "", scope} {
		s.put("base.hcl", s.scopedGateway(attribute)+upstream("app")+route("steady", "steady.example.com", "/steady", "app"))
		s.planes[0].waitQuiet(t)
		e.serves(t, "steady.example.com", "/steady", "app")
		want := 0
		if attribute != "" {
			want = 2
		}
		testenv.Eventually(t, 30*time.Second, func() error {
			if n := len(e.scopes(t)); n != want {
				return fmt.Errorf("with %q there are %d scopes", attribute, n)
			}
			return nil
		})
		e.serves(t, "steady.example.com", "/steady", "app")
	}
}

// scopes are the names of the scopes that the Envoy has, sorted.
func (e *edge) scopes(t testing.TB) []string {
	t.Helper()
	b, err := e.ask("/config_dump?resource=dynamic_scoped_route_configs")
	if err != nil {
		t.Fatal(err)
	}
	var dump struct {
		Configs []struct {
			Scopes []struct {
				Name string `json:"name"`
			} `json:"scoped_route_configs"`
		} `json:"configs"`
	}
	if err := json.Unmarshal(b, &dump); err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, c := range dump.Configs {
		for _, s := range c.Scopes {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
