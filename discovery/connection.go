package discovery

import (
	"fmt"
	"strings"
)

// Connection chooses one of the connections to the systems of a kind by its name, which may be empty where there is one.
// The error says what to do.
func Connection[T any](kind string, all []T, nameOf func(T) string, name string) (chosen T, err error) {
	switch {
	case len(all) == 0:
		return chosen, fmt.Errorf("no %[1]s is configured; add a %[1]s block to the agent's configuration", kind)
	case name == "" && len(all) == 1:
		return all[0], nil
	}
	names := make([]string, 0, len(all))
	for _, c := range all {
		own := nameOf(c)
		if own == name && name != "" {
			return c, nil
		}
		names = append(names, own)
	}
	if name == "" {
		return chosen, fmt.Errorf("several %s are configured, connection must name one of %s", plural(kind), strings.Join(names, ", "))
	}
	return chosen, fmt.Errorf("no %s connection is named %q; there is %s", kind, name, strings.Join(names, ", "))
}

func plural(kind string) string { return strings.TrimSuffix(kind, "s") + "s" }
