package translate

import (
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
)

// paths holds the rules of one transcoder by the segments of their paths. It keeps rules apart that one request could come
// to: the transcoder would choose among them, and not as the router did.
type paths struct {
	literal   map[string]*paths
	any       *paths    // "*"
	end, rest []binding // of paths that end here, and that go on with "**"
}

// binding is one rule: the method that a verb and a path call.
type binding struct {
	method, verb, path string
	custom             bool // a verb that has no field of its own
}

func bindingOf(method string, rule *annotations.HttpRule) binding {
	b := binding{method: method}
	switch p := rule.Pattern.(type) {
	case *annotations.HttpRule_Get:
		b.verb, b.path = "GET", p.Get
	case *annotations.HttpRule_Put:
		b.verb, b.path = "PUT", p.Put
	case *annotations.HttpRule_Post:
		b.verb, b.path = "POST", p.Post
	case *annotations.HttpRule_Delete:
		b.verb, b.path = "DELETE", p.Delete
	case *annotations.HttpRule_Patch:
		b.verb, b.path = "PATCH", p.Patch
	case *annotations.HttpRule_Custom:
		b.verb, b.path, b.custom = p.Custom.GetKind(), p.Custom.GetPath(), true
	}
	return b
}

// beside says whether two rules whose paths meet do no harm to each other. Verbs that differ keep them apart: a route that
// names no verb has rules for all five. It has none for others, so that a request with one must find none.
func (b binding) beside(other binding) bool {
	return b == other || b.verb != other.verb && !b.custom && !other.custom
}

// segments are those of a rule's path, each a literal, "*" or "**".
func segments(path string) []string {
	path = strings.TrimPrefix(path, "/")
	if path == "" {
		return nil
	}
	out := strings.Split(path, "/")
	for i, s := range out {
		switch {
		case s == "**" || strings.HasSuffix(s, "=**}"):
			out[i] = "**"
		case s == "*" || strings.HasSuffix(s, "=*}"):
			out[i] = "*"
		}
	}
	return out
}

// free says whether rules of a method can stand beside all that are there.
func (p *paths) free(method string, rules []*annotations.HttpRule) bool {
	for _, r := range rules {
		b := bindingOf(method, r)
		if !p.meets(segments(b.path), b.beside) {
			return false
		}
	}
	return true
}

// meets asks about every rule whose paths could be those of the segments too, and says whether all may. A path that ends
// and one that goes on with a segment of any kind do meet: that may be empty.
func (p *paths) meets(segments []string, may func(binding) bool) bool {
	if p == nil {
		return true
	}
	if !every(p.rest, may) {
		return false
	}
	if len(segments) == 0 {
		return every(p.end, may) && (p.any == nil || every(p.any.end, may) && every(p.any.rest, may))
	}
	first, others := segments[0], segments[1:]
	if first != "**" && first != "*" {
		return p.literal[first].meets(others, may) && p.any.meets(others, may)
	}
	if first == "**" || len(others) == 0 || others[0] == "**" {
		if !every(p.end, may) {
			return false
		}
	}
	if first == "**" {
		others = segments // of all that lies below
	}
	for _, below := range p.literal {
		if !below.meets(others, may) {
			return false
		}
	}
	return p.any.meets(others, may)
}

func every(bindings []binding, may func(binding) bool) bool {
	for _, b := range bindings {
		if !may(b) {
			return false
		}
	}
	return true
}

// add puts a rule in. False if it is there.
func (p *paths) add(method string, rule *annotations.HttpRule) bool {
	b := bindingOf(method, rule)
	at, list := p, (*[]binding)(nil)
	for _, s := range segments(b.path) {
		if s == "**" {
			list = &at.rest // what follows it is not told apart
			break
		}
		at = at.below(s)
	}
	if list == nil {
		list = &at.end
	}
	if slices.Contains(*list, b) {
		return false
	}
	*list = append(*list, b)
	return true
}

func (p *paths) below(segment string) *paths {
	if segment == "*" {
		if p.any == nil {
			p.any = &paths{}
		}
		return p.any
	}
	if p.literal == nil {
		p.literal = map[string]*paths{}
	}
	if p.literal[segment] == nil {
		p.literal[segment] = &paths{}
	}
	return p.literal[segment]
}
