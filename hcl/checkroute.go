package hcl

import (
	"fmt"
	"reflect"
	"strings"

	hclv2 "github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
)

// semanticChecks are what the tags of built-in blocks cannot say. Each runs when its block had no error so far.
var semanticChecks = map[reflect.Type]func(d *decoder, block any, at ranges){
	reflect.TypeFor[gateway.Gateway]():       checkOf((*decoder).checkGateway),
	reflect.TypeFor[gateway.Listener]():      checkOf((*decoder).checkListener),
	reflect.TypeFor[gateway.Upstream]():      checkOf((*decoder).checkUpstream),
	reflect.TypeFor[gateway.Route]():         checkOf((*decoder).checkRoute),
	reflect.TypeFor[gateway.Match]():         checkOf((*decoder).checkMatch),
	reflect.TypeFor[gateway.ValueMatch]():    checkOf((*decoder).checkValueMatch),
	reflect.TypeFor[gateway.Destination]():   checkOf((*decoder).checkDestination),
	reflect.TypeFor[gateway.Redirect]():      checkOf((*decoder).checkRedirect),
	reflect.TypeFor[gateway.Respond]():       checkOf((*decoder).checkRespond),
	reflect.TypeFor[gateway.Variant]():       checkOf((*decoder).checkVariant),
	reflect.TypeFor[gateway.Sticky]():        checkOf((*decoder).checkSticky),
	reflect.TypeFor[gateway.FunctionBlock](): checkOf((*decoder).checkFunction),
	reflect.TypeFor[gateway.OpenAPI]():       checkOf((*decoder).checkOpenAPI),
	reflect.TypeFor[gateway.GRPC]():          checkOf((*decoder).checkGRPC),
	reflect.TypeFor[gateway.Lambda]():        checkOf((*decoder).checkLambda),
	reflect.TypeFor[gateway.Secret]():        checkOf((*decoder).checkSecret),
	reflect.TypeFor[gateway.VaultKV]():       checkOf((*decoder).checkVaultKV),
	reflect.TypeFor[gateway.VaultAWS]():      checkOf((*decoder).checkVaultAWS),
	reflect.TypeFor[gateway.FileValue]():     checkOf((*decoder).checkFileValue),
	reflect.TypeFor[gateway.EnvValue]():      checkOf((*decoder).checkEnvValue),
	reflect.TypeFor[gateway.Source]():        func(*decoder, any, ranges) {}, // keeps its places for checkUpstream
}

func checkOf[T any](check func(*decoder, *T, ranges)) func(*decoder, any, ranges) {
	return func(d *decoder, block any, at ranges) { check(d, block.(*T), at) }
}

// exclusive says how many of the named things are set, and reports where it is not want.
func (d *decoder) exclusive(subject hclv2.Range, summary, what string, optional bool, set map[string]bool, names ...string) bool {
	var have []string
	for _, n := range names {
		if set[n] {
			have = append(have, n)
		}
	}
	switch {
	case len(have) == 1 || optional && len(have) == 0:
		return true
	case len(have) == 0:
		d.error(subject, summary, fmt.Sprintf("%s needs one of %s.", what, orList(names)))
	default:
		d.error(subject, summary, fmt.Sprintf("%s has %s; it may have one of %s.", what, strings.Join(have, " and "), orList(names)))
	}
	return false
}

func (d *decoder) checkRoute(r *gateway.Route, at ranges) {
	d.exclusive(at[""], "Invalid route", fmt.Sprintf("The route %q", r.Name), false, map[string]bool{
		"to": len(r.To) > 0, "redirect": r.Redirect != nil, "respond": r.Respond != nil,
	}, "to", "redirect", "respond")
	d.checkHosts(r.Hosts, at.of("hosts"))
	d.checkWeights(r, at)
	d.checkShares(r)
	matches := r.Matches
	if len(matches) == 0 {
		matches = []*gateway.Match{{}}
	}
	for _, to := range r.To {
		d.checkRewrite(matches, to.Path, to.PrefixRewrite, d.places[to], "path", "prefix_rewrite")
	}
	if red := r.Redirect; red != nil {
		d.checkRewrite(matches, "", red.Prefix, d.places[red], "path", "prefix")
	}
	d.checkPathNames(r, matches)
}

// checkWeights wants a weight on every destination or on none, and one that is not 0.
func (d *decoder) checkWeights(r *gateway.Route, at ranges) {
	var with, without *gateway.Destination
	total := 0
	for _, to := range r.To {
		if to.Weight == nil {
			if at, written := d.places[to]["weight"]; written && d.wrongAt(at) {
				return
			}
			without = to
			continue
		}
		with = to
		total += *to.Weight
	}
	switch {
	case with != nil && without != nil:
		d.error(d.places[without].of(""), "Invalid weight",
			"Another destination of the route has a weight and this one has none. All have one, or none has: then the shares are equal.")
	case with != nil && total == 0:
		d.error(d.places[with].of("weight"), "Invalid weight", "The weights of all destinations are 0, so no request would go anywhere.")
	}
}

// wrongAt says that an error was found within a range: what it led to need not be told.
func (d *decoder) wrongAt(at hclv2.Range) bool {
	for _, x := range d.diags {
		if s := x.Subject; s != nil && x.Severity == hclv2.DiagError && s.Start.Byte >= at.Start.Byte && s.End.Byte <= at.End.Byte {
			return true
		}
	}
	return false
}

// maxGroups is how many parts of a path Envoy can put into a new one.
const maxGroups = 9

// checkRewrite says whether what replaces the path fits every match.
func (d *decoder) checkRewrite(matches []*gateway.Match, whole string, prefix *string, at ranges, wholeName, prefixName string) {
	for _, m := range matches {
		kind := m.PathKind()
		if prefix != nil && kind != gateway.PathPrefix {
			d.error(at.of(prefixName), "Invalid path rewrite", fmt.Sprintf(
				"%q replaces the prefix that matched, but the match at %s has no prefix. Use %q, or match by a prefix.",
				prefixName, d.placeOf(m, at), wholeName))
		}
		if whole == "" || kind == gateway.PathUnresolved {
			continue
		}
		vars := variables(m)
		parts, err := gateway.ParsePathTemplate(whole)
		if err != nil {
			return // the destination said it
		}
		for _, p := range parts {
			switch n := vars[p.Name]; {
			case p.Name == "":
			case n == 0:
				d.error(at.of(wholeName), "Unknown path variable", fmt.Sprintf(
					"The path %q uses {%s}, but the match at %s has %s.%s", whole, p.Name, d.placeOf(m, at), variableList(vars),
					didYouMean(p.Name, sortedKeys(vars))))
			case n > maxGroups:
				d.error(at.of(wholeName), "Invalid path rewrite", fmt.Sprintf(
					"The path %q uses {%s}, number %d in the match at %s; the first %d can be used.", whole, p.Name, n, d.placeOf(m, at), maxGroups))
			}
		}
	}
}

func (d *decoder) placeOf(m *gateway.Match, at ranges) string {
	if m.Range.Filename == "" {
		return place(at[""])
	}
	return place(m.Range)
}

func variableList(vars map[string]int) string {
	if len(vars) == 0 {
		return "no variables"
	}
	names := sortedKeys(vars)
	return "the variables {" + strings.Join(names, "}, {") + "}"
}

// checkPathNames finds request.path.NAME that no match of the route has.
func (d *decoder) checkPathNames(r *gateway.Route, matches []*gateway.Match) {
	known := map[string]bool{}
	for _, m := range matches {
		if m.PathKind() == gateway.PathUnresolved {
			return
		}
		for v := range variables(m) {
			known[v] = true
		}
	}
	d.eachExpr(r, func(e gateway.Expr) {
		if e.Op == gateway.OpRequest && len(e.Path) == 2 && e.Path[0] == "path" && !known[e.Path[1]] {
			d.error(e.Range, "Unknown path variable", fmt.Sprintf(
				"No match of the route has a variable {%s}.%s", e.Path[1], didYouMean(e.Path[1], sortedKeys(known))))
		}
	})
}

// eachExpr visits every expression inside a decoded block. Blocks without expressions cost one look at uses.
func (d *decoder) eachExpr(block any, visit func(gateway.Expr)) {
	if d.w.uses.request || len(d.request) > 0 {
		gateway.EachExpr(block, visit)
	}
}

func (d *decoder) checkDestination(to *gateway.Destination, at ranges) {
	d.exclusive(at[""], "Invalid destination", "A destination", false, map[string]bool{
		"upstream": !to.Upstream.IsZero(), "function": !to.Function.IsZero(),
	}, "upstream", "function")
	d.exclusive(at.of("prefix_rewrite"), "Invalid path rewrite", "A destination", true, map[string]bool{
		"path": to.Path != "", "prefix_rewrite": to.PrefixRewrite != nil,
	}, "path", "prefix_rewrite")
	if to.Path != "" {
		if _, err := gateway.ParsePathTemplate(to.Path); err != nil {
			d.error(at.of("path"), "Invalid path", sentence(err.Error()))
		}
		d.plainPath(to.Path, at.of("path"))
	}
	if to.PrefixRewrite != nil {
		d.rewritePrefix(*to.PrefixRewrite, at.of("prefix_rewrite"))
	}
	d.checkCall(to, at)
	if to.Fallback && to.Subset.IsZero() {
		d.error(at.of("fallback"), "Invalid destination", `"fallback" says what happens when a subset is empty, but there is no subset.`)
	}
}

func (d *decoder) rewritePrefix(p string, at hclv2.Range) {
	switch {
	case p == "":
		return // strips the prefix
	case p[0] != '/':
		d.error(at, "Invalid path rewrite", fmt.Sprintf("The new prefix %q does not begin with a slash.", p))
	case strings.ContainsAny(p, "{}"):
		d.error(at, "Invalid path rewrite", fmt.Sprintf("The new prefix %q has a variable; variables belong into %q.", p, "path"))
	default:
		d.plainPath(p, at)
	}
}

// plainPath refuses what can never be part of a path.
func (d *decoder) plainPath(p string, at hclv2.Range) {
	for _, c := range p {
		if c == '?' || c == '#' || c <= ' ' || c == 0x7f {
			d.error(at, "Invalid path", fmt.Sprintf("The path %q holds %q, which no path has. Match the query string by a query block.", p, c))
			return
		}
	}
}

func (d *decoder) checkRedirect(r *gateway.Redirect, at ranges) {
	d.exclusive(at.of("prefix"), "Invalid redirect", "A redirect", true, map[string]bool{
		"path": r.Path != "", "prefix": r.Prefix != nil,
	}, "path", "prefix")
	if r.Scheme == "" && r.Host == "" && r.Port == 0 && r.Path == "" && r.Prefix == nil {
		d.error(at[""], "Invalid redirect", "The redirect changes nothing, so it would lead to itself. Set scheme, host, port, path or prefix.")
	}
	if r.Host != "" && hostProblem(r.Host, false) != "" {
		d.error(at.of("host"), "Invalid host", fmt.Sprintf("%q %s.", r.Host, hostProblem(r.Host, false)))
	}
	if r.Path != "" && (r.Path[0] != '/' || strings.ContainsAny(r.Path, "{}")) {
		d.error(at.of("path"), "Invalid path", fmt.Sprintf("The path %q of a redirect begins with a slash and has no variables.", r.Path))
	}
	if r.Prefix != nil {
		d.rewritePrefix(*r.Prefix, at.of("prefix"))
	}
}

// maxBody is what Envoy sends of a direct response by default.
const maxBody = 4096

func (d *decoder) checkRespond(r *gateway.Respond, at ranges) {
	if len(r.Body) > maxBody {
		d.error(at.of("body"), "Invalid body", fmt.Sprintf("The body has %d bytes; a direct response holds %d.", len(r.Body), maxBody))
	}
	if strings.ContainsAny(r.ContentType, "\r\n\x00") {
		d.error(at.of("content_type"), "Invalid content type", "A content type is one line.")
	}
}

func (d *decoder) checkVariant(v *gateway.Variant, at ranges) {
	if v.Subset.IsZero() && v.Qualifier == "" {
		d.error(at[""], "Invalid variant", fmt.Sprintf("The variant %q needs a subset or a qualifier: where its requests go.", v.Name))
	}
	if len(v.Matches) == 0 {
		d.error(at[""], "Invalid variant", fmt.Sprintf("The variant %q needs a match block with the header or query parameter that selects it.", v.Name))
	}
	for _, m := range v.Matches {
		if m.Method != "" || m.Methods != nil || m.Path != "" || m.Prefix != "" || m.Regex != "" || !m.Function.IsZero() ||
			len(m.Headers)+len(m.Query) == 0 {
			d.error(m.Range, "Invalid variant", "The match of a variant has header and query blocks, and nothing else.")
		}
	}
}

// sentence makes a sentence of an error's text.
func sentence(s string) string { return upperFirst(strings.TrimSuffix(s, ".")) + "." }
