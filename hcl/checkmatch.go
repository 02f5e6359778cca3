package hcl

import (
	"fmt"
	"net"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	hclv2 "github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
)

var (
	methodName = regexp.MustCompile(`^[A-Z]+$`)
	headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
)

func (d *decoder) checkMatch(m *gateway.Match, at ranges) {
	d.exclusive(at[""], "Invalid match", "A match", true, map[string]bool{
		"path": m.Path != "", "prefix": m.Prefix != "", "regex": m.Regex != "", "function": !m.Function.IsZero(),
	}, "path", "prefix", "regex", "function")
	d.checkMethods(m, at)
	if _, written := at["path"]; written {
		if _, err := gateway.ParsePathTemplate(m.Path); err != nil {
			d.error(at.of("path"), "Invalid path", sentence(err.Error()))
		}
		d.plainPath(m.Path, at.of("path"))
		d.reachable(m.Path, at.of("path"))
	}
	if _, written := at["prefix"]; written {
		switch {
		case !strings.HasPrefix(m.Prefix, "/"):
			d.error(at.of("prefix"), "Invalid path", fmt.Sprintf("The prefix %q does not begin with a slash.", m.Prefix))
		case strings.ContainsAny(m.Prefix, "{}"):
			d.error(at.of("prefix"), "Invalid path", fmt.Sprintf("The prefix %q has a variable. Write path = %q.", m.Prefix, strings.TrimSuffix(m.Prefix, "/")+"/{rest=**}"))
		default:
			d.plainPath(m.Prefix, at.of("prefix"))
			d.reachable(m.Prefix, at.of("prefix"))
		}
	}
	if _, written := at["regex"]; written {
		d.checkRegex(m.Regex, at.of("regex"))
	}
}

// pathVariable is one variable of a path template.
var pathVariable = regexp.MustCompile(`\{[^}]*\}`)

// reachable refuses a path that no request has once the edge has normalised it: the route would never be taken.
func (d *decoder) reachable(p string, at hclv2.Range) {
	if !strings.HasPrefix(p, "/") || strings.ContainsAny(p, "?#") {
		return // said already
	}
	plain := pathVariable.ReplaceAllString(p, "x")
	switch made, action := gateway.NormalisePath(plain); {
	case action == gateway.PathReject:
		d.error(at, "Unreachable path", fmt.Sprintf("The edge refuses every request for %q: a path holds ASCII alone, so write other characters percent-encoded.", p))
	case made != plain:
		d.error(at, "Unreachable path", fmt.Sprintf("No request has the path %q when it is matched: the edge makes %q of it first. Write that.", plain, made))
	}
}

func (d *decoder) checkMethods(m *gateway.Match, at ranges) {
	d.exclusive(at.of("methods"), "Invalid match", "A match", true, map[string]bool{
		"method": m.Method != "", "methods": m.Methods != nil,
	}, "method", "methods")
	check := func(name, attr string) {
		if !methodName.MatchString(name) {
			hint := ""
			if up := strings.ToUpper(name); methodName.MatchString(up) {
				hint = fmt.Sprintf(" Write %q.", up)
			}
			d.error(at.of(attr), "Invalid method", fmt.Sprintf("%q is no method: those are upper-case words such as GET.%s", name, hint))
		}
	}
	if _, written := at["method"]; written {
		check(m.Method, "method")
	}
	for i, name := range m.Methods {
		check(name, "methods")
		if slices.Contains(m.Methods[:i], name) {
			d.error(at.of("methods"), "Invalid method", fmt.Sprintf("%q stands twice.", name))
		}
	}
	if m.Methods != nil && len(m.Methods) == 0 {
		d.error(at.of("methods"), "Invalid method", "The list is empty, so nothing would match. Leave it out to match every method.")
	}
}

// checkRegex compiles a regular expression as RE2 would, and bounds its program.
func (d *decoder) checkRegex(expr string, at hclv2.Range) {
	if why := regexProblem(expr); why != "" {
		d.error(at, "Invalid regular expression", fmt.Sprintf("The expression %q %s.", expr, why))
	}
}

func regexProblem(expr string) string {
	if expr == "" {
		return "is empty, so it would match nothing but the empty text"
	}
	if len(expr) > 4096 {
		return fmt.Sprintf("has %d bytes; 4096 are allowed", len(expr))
	}
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		why := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
		if strings.Contains(expr, "(?=") || strings.Contains(expr, "(?!") || strings.Contains(expr, "(?<") {
			why += " (RE2 has neither look-around nor back-references)"
		}
		return "is not RE2: " + why
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return "cannot be compiled: " + err.Error()
	}
	if n := len(prog.Inst); n > maxRegex {
		return fmt.Sprintf("compiles to %d instructions; %d are allowed. Repetitions such as {1000} multiply: use * or +, or several matches", n, maxRegex)
	}
	return ""
}

func (d *decoder) checkValueMatch(v *gateway.ValueMatch, at ranges) {
	set := map[string]bool{"exact": v.Exact != nil, "prefix": v.Prefix != nil, "regex": v.Regex != nil, "present": v.Present, "absent": v.Absent}
	d.exclusive(at[""], "Invalid match", fmt.Sprintf("The condition on %q", v.Name), false, set, "exact", "prefix", "regex", "present", "absent")
	if v.Name == "" || !headerName.MatchString(v.Name) && strings.ContainsAny(v.Name, ": \r\n\x00") {
		d.error(at[""], "Invalid match", fmt.Sprintf("%q names no header and no query parameter. Method, path and host have arguments of their own.", v.Name))
	}
	if v.Regex != nil {
		d.checkRegex(*v.Regex, at.of("regex"))
	}
}

// variables are the names that a match gives to parts of the path, and the number of each, from 1.
func variables(m *gateway.Match) map[string]int {
	out := map[string]int{}
	switch m.PathKind() {
	case gateway.PathTemplate:
		parts, _ := gateway.ParsePathTemplate(m.Path)
		for _, p := range parts {
			if p.Name != "" {
				out[p.Name] = len(out) + 1
			}
		}
	case gateway.PathRegex:
		if re, err := regexp.Compile(m.Regex); err == nil {
			for i, n := range re.SubexpNames() {
				if n != "" {
					out[n] = i
				}
			}
		}
	}
	return out
}

func (d *decoder) checkHosts(hosts []string, at hclv2.Range) {
	for i, h := range hosts {
		if why := hostProblem(h, true); why != "" {
			d.error(at, "Invalid host", fmt.Sprintf("%q %s.", h, why))
		}
		if slices.Contains(hosts[:i], h) {
			d.error(at, "Duplicate host", fmt.Sprintf("The host %q stands twice.", h))
		}
	}
}

var hostLabel = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$`)

// hostProblem says what is wrong with the name of a host; "" if nothing is.
func hostProblem(h string, wildcards bool) string {
	if h == "*" && wildcards {
		return ""
	}
	name, isWild := strings.CutPrefix(h, "*.")
	switch {
	case h == "":
		return "is empty; every host is *"
	case isWild && !wildcards, !isWild && strings.Contains(h, "*"), strings.Contains(name, "*"):
		return "has a * where none may stand: a host is a name, *.NAME or *"
	case net.ParseIP(strings.Trim(h, "[]")) != nil:
		return ""
	case strings.ContainsAny(h, ":/"):
		return "is more than a host: write it without scheme, port and path"
	case strings.ToLower(h) != h:
		return fmt.Sprintf("has upper-case letters; write %q", strings.ToLower(h))
	case len(h) > 253:
		return "is longer than 253 bytes"
	}
	for _, label := range strings.Split(name, ".") {
		if len(label) > 63 || !hostLabel.MatchString(label) {
			return fmt.Sprintf("is no host name because of %q; letters, digits and inner hyphens make a label (names in other scripts as punycode, xn--)", label)
		}
	}
	return ""
}

func (d *decoder) checkGateway(g *gateway.Gateway, at ranges) {
	if len(g.Listeners) == 0 {
		d.error(at[""], "Invalid gateway", fmt.Sprintf("The gateway %q needs a listener block.", g.Name))
	}
	for i, l := range g.Listeners {
		for _, other := range g.Listeners[:i] {
			switch {
			case l.Name == other.Name:
				d.error(l.Range, "Duplicate listener block", fmt.Sprintf("The listener %q was defined at %s.", l.Name, place(other.Range)))
			case l.Port == other.Port && l.Address == other.Address:
				d.error(d.places[l].of("port"), "Invalid listener", fmt.Sprintf("The port %d is the listener's at %s.", l.Port, place(other.Range)))
			}
		}
	}
}

func (d *decoder) checkListener(l *gateway.Listener, at ranges) {
	if !blockName.MatchString(l.Name) {
		d.error(at[""], "Invalid name", fmt.Sprintf(
			"%q cannot name a listener. A name begins with a lower-case letter and goes on with lower-case letters, digits, _ and -.", l.Name))
	}
	if l.Address != "" && net.ParseIP(l.Address) == nil {
		d.error(at.of("address"), "Invalid address", fmt.Sprintf("%q is no IP address. Every address of the machine is 0.0.0.0 or ::.", l.Address))
	}
}

func (d *decoder) checkUpstream(u *gateway.Upstream, at ranges) {
	d.checkFinders(u)
	for _, f := range u.Features {
		if c, ok := f.(gateway.UpstreamChecker); ok {
			d.diags = append(d.diags, c.CheckUpstream(u)...)
		}
	}
	if len(u.Sources) == 0 && u.Lambda == nil {
		d.error(at[""], "Invalid upstream", fmt.Sprintf("The upstream %q needs a source of endpoints: a block of type %s.",
			u.Name, orList(sortedKeys(d.w.schema.sources))))
	}
	if _, written := at["connect_timeout"]; written && u.ConnectTimeout <= 0 {
		d.error(at.of("connect_timeout"), "Invalid value", fmt.Sprintf("The argument \"connect_timeout\" must be more than 0; it is %s.", u.ConnectTimeout))
	}
	d.diags = append(d.diags, u.CheckMesh()...)
	var with, without *gateway.Source
	for _, s := range u.Sources {
		if s.Weight == nil {
			without = s
		} else {
			with = s
		}
	}
	if with != nil && without != nil {
		d.error(without.Range, "Invalid weight", "Another source of the upstream has a weight and this one has none. All have one, or none has.")
	}
}
