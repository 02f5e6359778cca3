package discovery_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/discovery"
)

func TestConnection(t *testing.T) {
	for _, c := range []struct {
		kind string
		all  []string
		name string
		want string // the chosen one, or the error
	}{
		{"nomad", nil, "", "no nomad is configured; add a nomad block to the agent's configuration"},
		{"nomad", nil, "east", "no nomad is configured; add a nomad block to the agent's configuration"},
		{"nomad", []string{"east"}, "", "east"},
		{"nomad", []string{""}, "", ""},
		{"nomad", []string{"east", "west"}, "west", "west"},
		{"nomad", []string{"east", "west"}, "", "several nomads are configured, connection must name one of east, west"},
		{"kubernetes", []string{"a", "b"}, "", "several kubernetes are configured, connection must name one of a, b"},
		{"nomad", []string{"east"}, "west", `no nomad connection is named "west"; there is east`},
	} {
		got, err := discovery.Connection(c.kind, c.all, func(s string) string { return s }, c.name)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s %v %q: %q, want %q", c.kind, c.all, c.name, got, c.want)
		}
	}
}
