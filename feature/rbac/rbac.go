// Package rbac is the feature "rbac": rules say who may do what.
package rbac

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// What a block does with the requests that fit its rules.
const (
	actionAllow  = "allow"
	actionDeny   = "deny"
	actionShadow = "shadow"
)

// RBAC is a named list of rules, one of which is enough.
type RBAC struct {
	gateway.FeatureBase
	Name   string  `hcl:"name,label"`
	Action string  `hcl:"action" oneof:"allow deny shadow"`
	As     string  `hcl:"as,optional" oneof:"allow deny"` // shadow: what it is to become; default allow
	Rules  []*Rule `hcl:"rule,block"`
}

// Rule fits a request if all that it says does. A part that is left out fits every request.
type Rule struct {
	From *From `hcl:"from,block"`
	To   *To   `hcl:"to,block"`
}

// From says who calls. Each list that is there has to fit, by one of its entries; of the maps, every entry.
type From struct {
	Addresses []string          `hcl:"addresses,optional"`
	Headers   map[string]string `hcl:"headers,optional"`
	Claims    map[string]string `hcl:"claims,optional"`
	Clients   []string          `hcl:"clients,optional"`
	Subjects  []string          `hcl:"subjects,optional"`
	SAN       []string          `hcl:"san,optional"` // of a certificate that was verified
}

// To says what is called.
type To struct {
	Methods  []string          `hcl:"methods,optional"`
	Paths    []string          `hcl:"paths,optional"`    // as a whole; with Prefixes, one of both lists has to fit
	Prefixes []string          `hcl:"prefixes,optional"` // segments at the beginning
	Headers  map[string]string `hcl:"headers,optional"`
}

var (
	_ gateway.Feature  = (*RBAC)(nil)
	_ gateway.Admitter = (*RBAC)(nil)
	_ gateway.Checker  = (*RBAC)(nil)
	_ gateway.Checker  = (*Rule)(nil)
	_ gateway.Checker  = (*From)(nil)
	_ gateway.Checker  = (*To)(nil)
)

// FeatureType is the block's name.
func (*RBAC) FeatureType() string { return "rbac" }

// Admits names the block that allows. One that denies some leaves open who the others are.
func (r *RBAC) Admits() (who string, ok bool) {
	return fmt.Sprintf("callers that the rules of rbac %q allow", r.Name), r.Action == actionAllow
}

var (
	blockName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)
	method    = regexp.MustCompile(`^[A-Z]+$`)
	plainPath = regexp.MustCompile(`^/[A-Za-z0-9._~!$&'()*+,=:@/-]*$`)
)

// reporter collects the diagnostics of a block.
type reporter struct {
	ranges map[string]hcl.Range
	diags  hcl.Diagnostics
}

func (r *reporter) report(attribute, summary, detail string, args ...any) {
	at, ok := r.ranges[attribute]
	if !ok {
		at = r.ranges[""]
	}
	r.diags = append(r.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(detail, args...), Subject: &at})
}

// empty refuses lists that are there and name nothing: whether that means nobody or everybody, nobody can tell.
func (r *reporter) empty(sizes map[string]int) {
	for name, n := range sizes {
		if _, written := r.ranges[name]; written && n == 0 {
			r.report(name, "Empty condition", "%s is there and names nothing. Remove it, or say what it is to fit.", name)
		}
	}
}

func (r *reporter) headers(list map[string]string) {
	for name := range list {
		switch lower := strings.ToLower(name); {
		case !gateway.IsHeaderName(name):
			r.report("headers", "Invalid header name", "%q is no header name: letters, digits and dashes make one.", name)
		case lower == translate.ClientHeader:
			r.report("headers", "Invalid header name", "%q holds who calls: write clients = [NAME] instead.", name)
		}
	}
}

// Check refuses names that no metric can bear, and blocks without rules.
func (r *RBAC) Check(ranges map[string]hcl.Range) hcl.Diagnostics {
	c := reporter{ranges: ranges}
	if !blockName.MatchString(r.Name) {
		c.report("", "Invalid name", "%q cannot name rules: lower-case letters, digits, dashes and underscores make a name.", r.Name)
	}
	if r.As != "" && r.Action != actionShadow {
		c.report("as", "Unsupported argument", "as says what a shadow is to become. Remove it, or say action = \"shadow\".")
	}
	if len(r.Rules) == 0 && (r.Enabled == nil || *r.Enabled) {
		c.report("", "Missing rules", "The block has no rule. Write one; a rule {} fits every request.")
	}
	return c.diags
}

// Check has nothing to refuse: a rule that says nothing fits every request.
func (*Rule) Check(map[string]hcl.Range) hcl.Diagnostics { return nil }

// Check refuses conditions on who calls that cannot be read.
func (f *From) Check(ranges map[string]hcl.Range) hcl.Diagnostics {
	c := reporter{ranges: ranges}
	c.empty(map[string]int{
		"addresses": len(f.Addresses), "headers": len(f.Headers), "claims": len(f.Claims),
		"clients": len(f.Clients), "subjects": len(f.Subjects), "san": len(f.SAN),
	})
	for _, a := range f.Addresses {
		if _, why := translate.AddressRange(a); why != "" {
			c.report("addresses", "Invalid address", "%s", why)
		}
	}
	c.headers(f.Headers)
	for name, list := range map[string][]string{"clients": f.Clients, "subjects": f.Subjects, "san": f.SAN} {
		if slices.Contains(list, "") {
			c.report(name, "Empty condition", "An empty text names nobody. Remove it.")
		}
	}
	for name, value := range f.Claims {
		if name == "" || value == "" {
			c.report("claims", "Empty condition", "A claim has a name and a value. Remove the entry, or complete it.")
		}
	}
	return c.diags
}

// Check refuses conditions on what is called that cannot be read, and paths that no request has.
func (o *To) Check(ranges map[string]hcl.Range) hcl.Diagnostics {
	c := reporter{ranges: ranges}
	c.empty(map[string]int{"methods": len(o.Methods), "paths": len(o.Paths), "prefixes": len(o.Prefixes), "headers": len(o.Headers)})
	for _, m := range o.Methods {
		if !method.MatchString(m) {
			c.report("methods", "Invalid method", "%q is no method: they are upper case, such as PUT.", m)
		}
	}
	for name, list := range map[string][]string{"paths": o.Paths, "prefixes": o.Prefixes} {
		for _, p := range list {
			if normal, action := gateway.NormalisePath(p); !plainPath.MatchString(p) || action != gateway.PathForward || normal != p {
				c.report(name, "Invalid path", "%q is no path that a request can have here: it begins with a slash, has no query, no percent-encoding and no semicolon, and nothing in it is to be resolved.", p)
			}
		}
	}
	c.headers(o.Headers)
	return c.diags
}
