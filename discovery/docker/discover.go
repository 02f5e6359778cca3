package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// groups are the labels that say what a container is for, the best first; all of one must be there.
var groups = [][]string{
	{"com.docker.swarm.service.name"}, {"com.docker.compose.project", "com.docker.compose.service"}, {"service"}, {"app"},
}

// guessedPort is proposed where a container exposes none.
const guessedPort = 80

// discover lists the groups of containers of each engine.
func discover(ctx context.Context, opts Options) (out []discovery.Found, err error) {
	for _, c := range opts.Clients {
		found, e := c.discover(ctx, opts, len(opts.Clients) > 1)
		out = append(out, found...)
		if e != nil && c.Name != "" {
			e = fmt.Errorf("docker %s: %w", c.Name, e)
		}
		err = errors.Join(err, e)
	}
	slices.SortStableFunc(out, func(a, b discovery.Found) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), discovery.CompareKey(a.Spec.SourceKey(), b.Spec.SourceKey()))
	})
	return out, err
}

func (c *Client) discover(ctx context.Context, opts Options, several bool) ([]discovery.Found, error) {
	version, err := c.version(ctx, opts.Timeout)
	if err != nil {
		return nil, err
	}
	list, err := c.list(ctx, version, opts.Timeout)
	if err != nil {
		return nil, err
	}
	byKey := map[string]*Spec{}
	members := map[string][]*container{}
	for _, x := range list {
		labels := groupOf(x)
		if labels == nil {
			continue // nothing selects it
		}
		s := &Spec{Labels: labels}
		key := s.SourceKey().Query
		byKey[key] = s
		members[key] = append(members[key], x)
	}
	var out []discovery.Found
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		s := byKey[key]
		if several {
			s.Connection = c.Name
		}
		out = append(out, c.found(s, members[key]))
	}
	return out, nil
}

func groupOf(c *container) map[string]string {
	for _, names := range groups {
		labels := map[string]string{}
		for _, n := range names {
			if v := c.Labels[n]; v != "" {
				labels[n] = v
			}
		}
		if len(labels) == len(names) {
			return labels
		}
	}
	return nil
}

// found is a group as the block that lists it.
func (c *Client) found(s *Spec, members []*container) discovery.Found {
	note := "image " + members[0].Image
	ports := map[int]bool{}
	for _, m := range members {
		for _, p := range m.Ports {
			if p.Type == "tcp" {
				ports[int(p.PrivatePort)] = true
			}
		}
	}
	if all := slices.Sorted(maps.Keys(ports)); len(all) > 0 {
		s.Port = all[0]
	} else {
		s.Port = guessedPort
		note += fmt.Sprintf("; it exposes no port, %d is a guess", guessedPort)
	}
	if networks := slices.Sorted(maps.Keys(members[0].NetworkSettings.Networks)); len(networks) > 1 {
		s.Network = networks[0]
		note += ", networks " + strings.Join(networks, " ")
	}
	name := ""
	for _, n := range slices.Sorted(maps.Keys(s.Labels)) {
		name = s.Labels[n] // of compose: the service
	}
	return discovery.Found{
		Name: blockName(name), Spec: s, Count: len(members), Note: note,
		Covered: func(other gateway.SourceSpec) bool {
			o, ok := other.(*Spec)
			return ok && (o.Connection == "" || o.Connection == c.Name) &&
				!slices.ContainsFunc(members, func(m *container) bool { return !o.matches(m) })
		},
	}
}

// blockName makes a block's name of a label's value.
func blockName(value string) string {
	name := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, value), "-_")
	if name == "" || name[0] < 'a' {
		name = "docker-" + name
	}
	return strings.TrimRight(name, "-")
}
