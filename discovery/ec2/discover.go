package ec2

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// lookTime bounds the listing of one connection for discover and the doctor.
const lookTime = time.Minute

// guessedPort is proposed where no tag says one.
const guessedPort = 80

// groupTags are the tags that say what an instance is for, the best first.
var groupTags = []string{"service", "Service", "app", "App", "aws:autoscaling:groupName"}

// discover lists the running instances of the regions of all connections, in groups.
func discover(ctx context.Context, opts Options) (out []discovery.Found, err error) {
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(opts.Connections)) {
		found, err := discoverIn(ctx, opts, name)
		if err != nil {
			problems = append(problems, fmt.Errorf("aws %s: %w", name, err))
		}
		out = append(out, found...)
	}
	slices.SortStableFunc(out, func(a, b discovery.Found) int { return strings.Compare(a.Name, b.Name) })
	return out, errors.Join(problems...)
}

func discoverIn(ctx context.Context, opts Options, connection string) ([]discovery.Found, error) {
	cfg := opts.Connections[connection]
	if cfg.Region == "" {
		return nil, errors.New("no region is configured, so nothing is listed: set region in the aws block, or AWS_REGION")
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	l, err := newClient(cfg, &Spec{Region: cfg.Region}, opts).list(ctx, question{})
	if err != nil {
		return nil, err
	}
	l.instances = slices.DeleteFunc(l.instances, func(i *instance) bool { return i.state != "running" })
	groups := map[group][]*instance{}
	for _, i := range l.instances {
		if g, ok := groupOf(i); ok {
			groups[g] = append(groups[g], i)
		}
	}
	var out []discovery.Found
	for g, members := range byName(groups, l.instances) {
		s := &Spec{Region: cfg.Region, Tags: map[string]string{g.tag: g.value}, Address: usualAddress, Interval: usualInterval}
		if len(opts.Connections) > 1 {
			s.Connection = connection
		}
		out = append(out, found(s, connection, blockName(g.value), members))
	}
	return out, nil
}

// group is a tag and the pattern of its value.
type group struct{ tag, value string }

func groupOf(i *instance) (group, bool) {
	for _, tag := range append(slices.Clip(groupTags), "Name") {
		if v, _ := i.tag(tag); v != "" {
			return group{tag, escaped(v)}, true
		}
	}
	return group{}, false
}

// byName makes one group of those that have names alone, shop-1 and shop-2 say, where a pattern selects just them.
func byName(groups map[group][]*instance, all []*instance) map[group][]*instance {
	alike := map[string][]group{} // groups by what their names have in common
	for g := range groups {
		if g.tag == "Name" {
			stem := strings.TrimRight(g.value, "0123456789")
			alike[stem] = append(alike[stem], g)
		}
	}
	for stem, list := range alike {
		pattern := criterion{tagPrefix + "Name", []string{stem + "*"}}
		var members []*instance
		for _, g := range list {
			members = append(members, groups[g]...)
		}
		selected := 0
		for _, i := range all {
			if pattern.matches(i) {
				selected++
			}
		}
		if len(list) < 2 || len(stem) < 2 || selected != len(members) {
			continue
		}
		for _, g := range list {
			delete(groups, g)
		}
		groups[group{"Name", stem + "*"}] = members
	}
	return groups
}

// escaped is a text as a pattern that matches it alone.
func escaped(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace(s)
}

// blockName makes a block's name of a tag's value.
func blockName(value string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		case r == '*' || r == '\\':
			return -1
		}
		return '-'
	}, value)
	name = strings.Trim(name, "-_")
	if name == "" || name[0] < 'a' {
		name = "ec2-" + name
	}
	return strings.TrimRight(name, "-")
}

// found is a group as the block that lists it.
func found(s *Spec, connection, name string, members []*instance) discovery.Found {
	port := ""
	for _, tag := range []string{"port", "Port"} {
		if port == "" && !slices.ContainsFunc(members, func(i *instance) bool {
			_, err := i.port(&Spec{PortTag: tag})
			return err != nil
		}) {
			port = tag
		}
	}
	zones, types := map[string]bool{}, map[string]bool{}
	for _, i := range members {
		zones[i.zone], types[i.tags[metaType]] = true, true
	}
	note := "in " + list(zones)
	if text := list(types); text != "" {
		note += ", " + text
	}
	if s.PortTag = port; port == "" {
		s.Port = guessedPort
		note += "; EC2 knows no ports, " + strconv.Itoa(guessedPort) + " is a guess"
	}
	return discovery.Found{
		Name: name, Spec: s, Count: len(members), Note: note,
		Covered: func(spec gateway.SourceSpec) bool { return s.coveredBy(spec, connection, members) },
	}
}

func list(words map[string]bool) string {
	delete(words, "")
	return strings.Join(slices.Sorted(maps.Keys(words)), " ")
}

// coveredBy says whether a block lists these instances. Whose a secret's credentials are is not known: where they would
// list them, they are taken to do so.
func (s *Spec) coveredBy(spec gateway.SourceSpec, connection string, members []*instance) bool {
	other, ok := spec.(*Spec)
	if !ok || other.Region != s.Region || other.Connection != "" && other.Connection != connection {
		return false
	}
	wants := other.selection()
	return !slices.ContainsFunc(members, func(i *instance) bool { return !wants.matches(i) })
}

// regions are where the doctor asks where no block says it.
func (o Options) regions() (out []*Spec) {
	for _, name := range slices.Sorted(maps.Keys(o.Connections)) {
		out = append(out, &Spec{Region: o.Connections[name].Region, Connection: name})
	}
	return out
}
