package ec2

import (
	"maps"
	"slices"
	"strings"
)

// selection is what a block selects by: all criteria, sorted by name.
type selection []criterion

// criterion is one filter as AWS has them: any of its values, sorted. Values may hold wildcards.
type criterion struct {
	name   string
	values []string
}

const tagPrefix = "tag:"

// selection of a block: its tags are filters too.
func (s *Spec) selection() selection {
	all := make(map[string][]string, len(s.Tags)+len(s.Filters))
	for key, value := range s.Tags {
		all[tagPrefix+key] = []string{value}
	}
	for name, values := range s.Filters {
		all[name] = append(all[name], values...)
	}
	out := make(selection, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		values := slices.Clone(all[name])
		slices.Sort(values)
		out = append(out, criterion{name, slices.Compact(values)})
	}
	return out
}

// fields are the filters by AWS's names, and what of an instance they look at. Only those are here whose meaning is plain
// enough that an instance is matched here exactly as AWS would do it.
var fields = map[string]func(*instance) []string{
	"architecture":             func(i *instance) []string { return one(i.architecture) },
	"availability-zone":        func(i *instance) []string { return one(i.zone) },
	"availability-zone-id":     func(i *instance) []string { return one(i.zoneID) },
	"iam-instance-profile.arn": func(i *instance) []string { return one(i.profile) },
	"image-id":                 func(i *instance) []string { return one(i.tags[metaImage]) },
	"instance-id":              func(i *instance) []string { return one(i.id) },
	"instance-lifecycle":       func(i *instance) []string { return one(i.tags[metaLifecycle]) },
	"instance-type":            func(i *instance) []string { return one(i.tags[metaType]) },
	"instance.group-id":        func(i *instance) []string { return i.groupIDs },
	"instance.group-name":      func(i *instance) []string { return i.groupNames },
	"ip-address":               func(i *instance) []string { return one(i.public) },
	"ipv6-address":             func(i *instance) []string { return one(i.v6) },
	"key-name":                 func(i *instance) []string { return one(i.keyName) },
	"placement-group-name":     func(i *instance) []string { return one(i.placementGroup) },
	"private-dns-name":         func(i *instance) []string { return one(i.dns) },
	"private-ip-address":       func(i *instance) []string { return one(i.private) },
	"subnet-id":                func(i *instance) []string { return one(i.subnet) },
	"tag-key":                  (*instance).tagKeys,
	"tenancy":                  func(i *instance) []string { return one(i.tenancy) },
	"vpc-id":                   func(i *instance) []string { return one(i.vpc) },
}

// one is what an instance has of a thing that it may lack.
func one(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func isFilter(name string) bool {
	return fields[name] != nil || len(name) > len(tagPrefix) && strings.HasPrefix(name, tagPrefix)
}

// matches says whether an instance meets all criteria.
func (s selection) matches(i *instance) bool {
	for _, c := range s {
		if !c.matches(i) {
			return false
		}
	}
	return true
}

func (c criterion) matches(i *instance) bool {
	if key, ok := strings.CutPrefix(c.name, tagPrefix); ok {
		value, has := i.tag(key)
		return has && c.matchesText(value)
	}
	field := fields[c.name]
	return field != nil && slices.ContainsFunc(field(i), c.matchesText)
}

func (c criterion) matchesText(text string) bool {
	for _, pattern := range c.values {
		if pattern == text || strings.ContainsAny(pattern, `*?\`) && wild(pattern, text) {
			return true
		}
	}
	return false
}

// wild matches as AWS's filters do: * is any number of characters, ? is one, \ takes the next one as it is.
func wild(pattern, text string) bool {
	p, t := []rune(pattern), []rune(text)
	reached := make([]bool, len(t)+1) // reached[n]: the pattern so far matches the first n characters
	reached[0] = true
	for i := 0; i < len(p); i++ {
		next := make([]bool, len(t)+1)
		switch c := p[i]; {
		case c == '*':
			before := false
			for n := range reached {
				before = before || reached[n]
				next[n] = before
			}
		case c == '?':
			for n := range reached {
				next[n] = n > 0 && reached[n-1]
			}
		default:
			if c == '\\' && i+1 < len(p) {
				i++
			}
			for n := range t {
				next[n+1] = reached[n] && t[n] == p[i]
			}
		}
		reached = next
	}
	return reached[len(t)]
}

// mostValues is how many values of filters AWS takes in one call.
const mostValues = 200

// narrow is the selection to ask AWS for, so that the answer has all that any of some selections wants: the filters that
// all of them have, each with the values of all. What AWS would not take is left out, and nothing where nothing is shared.
func narrow(wanted []selection) selection {
	if len(wanted) == 0 {
		return nil
	}
	var out selection
	room := mostValues
	for _, first := range wanted[0] {
		values := slices.Clone(first.values)
		shared := true
		for _, other := range wanted[1:] {
			c := other.criterion(first.name)
			shared = shared && c != nil
			if !shared {
				break
			}
			values = append(values, c.values...)
		}
		slices.Sort(values)
		values = slices.Compact(values)
		if shared && len(values) <= room {
			room -= len(values)
			out = append(out, criterion{first.name, values})
		}
	}
	return out
}

func (s selection) criterion(name string) *criterion {
	for i := range s {
		if s[i].name == name {
			return &s[i]
		}
	}
	return nil
}

// covers says that an answer for s holds all that w wants.
func (s selection) covers(w selection) bool {
	for _, c := range s {
		other := w.criterion(c.name)
		if other == nil {
			return false
		}
		for _, v := range other.values {
			if !slices.Contains(c.values, v) {
				return false
			}
		}
	}
	return true
}
