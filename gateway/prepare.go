package gateway

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// prepared is what a route's references to functions come to, before listeners and hosts.
type prepared struct {
	matches []*Match // resolved; nil for one whose function is not known
	fails   []string // functions that are not found any more
	dangles bool     // something that is called is not known
	calls   map[callKey]*boundCall
}

type callKey struct {
	match, to int
	qualifier string
}

// boundCall is one destination's function and the call of it.
type boundCall struct {
	fn       *Function
	call     *Call
	degraded string
	form     FormRef // of a discovered function
}

// call returns the call of a destination under a match and a variant; nil for a plain upstream.
func (p *prepared) call(match, to int, v *Variant) *boundCall {
	if v != nil && v.Qualifier != "" {
		if c := p.calls[callKey{match, to, v.Qualifier}]; c != nil {
			return c
		}
	}
	return p.calls[callKey{match, to, ""}]
}

// prepare resolves the functions that a route names.
func (w *World) prepare(r *Route) (*prepared, hcl.Diagnostics) {
	p := &prepared{matches: r.Matches, calls: map[callKey]*boundCall{}}
	if len(p.matches) == 0 {
		p.matches = []*Match{{Prefix: "/", Range: r.Range}}
	}
	var diags hcl.Diagnostics
	if slices.ContainsFunc(p.matches, func(m *Match) bool { return !m.Function.IsZero() }) {
		p.matches = slices.Clone(p.matches)
		for i, m := range p.matches {
			if !m.Function.IsZero() {
				p.matches[i] = w.resolveMatch(p, m, &diags)
			}
		}
	}
	qualifiers := w.qualifiersOf(r)
	for j, to := range r.To {
		if to.Function.IsZero() {
			continue
		}
		b := w.bind(p, to)
		if b == nil {
			continue
		}
		for i, m := range p.matches {
			if m == nil {
				continue
			}
			c := &caller{w: w, to: to, match: m, fn: b.fn}
			call := c.build()
			diags = appendNew(diags, c.diags)
			p.calls[callKey{i, j, ""}] = &boundCall{b.fn, call, b.degraded, b.form}
			if b.fn.Kind != FunctionLambda {
				continue
			}
			for _, q := range qualifiers {
				if v := w.qualified(to.Function.ID, b.fn, q); v != nil {
					c := &caller{w: w, to: to, match: m, fn: v}
					p.calls[callKey{i, j, q}] = &boundCall{v, c.build(), b.degraded, b.form}
				}
			}
		}
	}
	return p, appendNew(diags, w.strangers(p, r))
}

// bind resolves the function of a destination; nil where it is not known.
func (w *World) bind(p *prepared, to *Destination) *boundCall {
	l := w.lead(to.Function.ID)
	if l.fn == nil {
		p.dangles = p.dangles || !w.rules.Offline
		return nil
	}
	b := &boundCall{fn: l.fn}
	if !l.declared {
		up, _, _ := SplitFunction(to.Function.ID)
		b.form = functionForm(up, l.fn)
	}
	switch l.state {
	case leadVanished:
		b.degraded = to.Function.Text() + " is not found any more"
	case leadRefused:
		b.degraded = "an Envoy refused what " + to.Function.Text() + " is now"
	}
	if b.degraded != "" {
		p.fails = append(p.fails, to.Function.Text())
	}
	return b
}

// qualifiersOf lists the qualifiers of the variants that can concern a route, once each.
func (w *World) qualifiersOf(r *Route) (out []string) {
	seen := map[*Gateway]bool{}
	for _, at := range w.listenersOf(r) {
		if seen[at.gateway] {
			continue
		}
		seen[at.gateway] = true
		for _, v := range w.variantsOf(r, at.gateway) {
			if v.Qualifier != "" && !slices.Contains(out, v.Qualifier) {
				out = append(out, v.Qualifier)
			}
		}
	}
	return out
}

// qualified is a Lambda with another alias or version: the one that was found, or the same by its name.
func (w *World) qualified(ref ID, f *Function, qualifier string) *Function {
	up, _, _ := SplitFunction(ref)
	u := w.upstreams.get(up)
	if u == nil {
		return nil
	}
	cut := func(s string) string {
		if f.Lambda.Qualifier == "" {
			return s
		}
		return strings.TrimSuffix(s, ":"+f.Lambda.Qualifier)
	}
	name := cut(f.Name) + ":" + qualifier
	if found := w.discovered(u, name); found != nil {
		return found
	}
	out, l := *f, *f.Lambda
	l.ARN, l.Qualifier, l.URL = cut(l.ARN)+":"+qualifier, qualifier, ""
	out.Name, out.Lambda = name, &l
	return &out
}

// resolveMatch replaces the function of a match by its method and path; nil where these are not known.
func (w *World) resolveMatch(p *prepared, m *Match, diags *hcl.Diagnostics) *Match {
	l := w.lead(m.Function.ID)
	if l.fn == nil {
		p.dangles = p.dangles || !w.rules.Offline
		return nil
	}
	if l.state == leadVanished || l.state == leadRefused {
		p.fails = append(p.fails, m.Function.Text())
	}
	out := *m
	fail := func(format string, args ...any) *Match {
		at := m.Function.Range
		*diags = append(*diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Invalid match", Subject: &at, Detail: fmt.Sprintf(format, args...),
		})
		p.dangles = true
		return nil
	}
	method := ""
	switch f := l.fn; {
	case f.REST != nil:
		method, out.Path = f.REST.Method, pathTemplate(f.REST.Path)
	case f.GRPC != nil:
		method, out.Path = "POST", "/"+f.GRPC.Service+"/"+f.GRPC.Method
	default:
		return fail("%s is a Lambda, which has no path of its own. Match by path, prefix or regex.", m.Function.Text())
	}
	if len(m.methods()) == 0 {
		out.Method = method
	}
	if _, err := ParsePathTemplate(out.Path); err != nil {
		return fail("%s cannot be matched: %s. Match by path, prefix or regex.", m.Function.Text(), err)
	}
	return &out
}

var notInVariable = regexp.MustCompile(`[^A-Za-z0-9_]`)

// variableFor is the name of a path variable for an argument: what no variable may have is an underscore.
func variableFor(argument string) string {
	name := notInVariable.ReplaceAllString(argument, "_")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		return "_" + name
	}
	return name
}

// pathTemplate is a function's path with names that variables may have.
func pathTemplate(path string) string {
	for _, name := range templateNames(path) {
		path = strings.Replace(path, "{"+name+"}", "{"+variableFor(name)+"}", 1)
	}
	return path
}

// pathVariables are the names of the variables of a match.
func pathVariables(m *Match) map[string]bool {
	out := map[string]bool{}
	switch m.PathKind() {
	case PathTemplate:
		parts, _ := ParsePathTemplate(m.Path)
		for _, p := range parts {
			if p.Name != "" {
				out[p.Name] = true
			}
		}
	case PathRegex:
		if re, err := regexp.Compile(m.Regex); err == nil {
			for _, n := range re.SubexpNames() {
				if n != "" {
					out[n] = true
				}
			}
		}
	}
	return out
}

// appendNew adds the diagnostics that do not say the same of the same place.
func appendNew(diags, more hcl.Diagnostics) hcl.Diagnostics {
	for _, d := range more {
		if !slices.ContainsFunc(diags, func(x *hcl.Diagnostic) bool {
			return x.Summary == d.Summary && cmp.Compare(x.Subject.Start.Byte, d.Subject.Start.Byte) == 0 && x.Subject.Filename == d.Subject.Filename &&
				x.Detail == d.Detail
		}) {
			diags = append(diags, d)
		}
	}
	return diags
}
