// Package cors is the feature "cors": which pages of other origins may call from a browser.
package cors

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	corsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"github.com/hashicorp/hcl/v2"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

const (
	filterName = "sluice.cors"
	requires   = "envoy.filters.http.cors"
)

// CORS says which origins a browser lets call, and with what.
type CORS struct {
	gateway.FeatureBase
	Origins     []string      `hcl:"origins,optional"`        // SCHEME://HOST[:PORT]; a * in place of the first labels; or "*"
	Regexes     []string      `hcl:"origin_regexes,optional"` // RE2, of the whole origin
	Methods     []string      `hcl:"methods,optional"`        // besides GET, HEAD and POST, which browsers do not ask for
	Headers     []string      `hcl:"headers,optional"`
	Expose      []string      `hcl:"expose,optional"`
	Credentials bool          `hcl:"credentials,optional"`
	MaxAge      time.Duration `hcl:"max_age,optional" max:"24h"`
}

var (
	_ gateway.Feature = (*CORS)(nil)
	_ gateway.Checker = (*CORS)(nil)
)

// FeatureType is the block's name.
func (*CORS) FeatureType() string { return "cors" }

var (
	origin = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://(\*\.)?([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$`)
	method = regexp.MustCompile(`^[A-Z]+$`)
)

// anyOrigin is the pattern that all origins fit.
const anyOrigin = "*"

// Check refuses what is no origin, and credentials for everybody: any page could then act as whoever looks at it.
func (c *CORS) Check(ranges map[string]hcl.Range) (diags hcl.Diagnostics) {
	report := func(name, summary, detail string, args ...any) {
		at, ok := ranges[name]
		if !ok {
			at = ranges[""]
		}
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(detail, args...), Subject: &at})
	}
	if c.Enabled != nil && !*c.Enabled {
		return nil
	}
	if len(c.Origins)+len(c.Regexes) == 0 {
		report("", "Missing origins", "The block names no origin. Give it origins, origin_regexes, or both.")
	}
	for _, o := range c.Origins {
		switch {
		case o == anyOrigin && c.Credentials:
			report("credentials", "Credentials for every origin", "With origins = [\"*\"] any page could call with the cookies of whoever looks at it. Name the origins, or remove credentials.")
		case o != anyOrigin && !origin.MatchString(o):
			report("origins", "Invalid origin", "%q is no origin: write one as browsers do, SCHEME://HOST or SCHEME://HOST:PORT in lower case and without a path; *.HOST stands for all names below HOST.", o)
		}
	}
	for _, text := range c.Regexes {
		re, err := regexp.Compile(`\A(?:` + text + `)\z`)
		switch {
		case err != nil:
			report("origin_regexes", "Invalid regular expression", "The expression %q is not RE2: %s.", text, err)
		case c.Credentials && re.MatchString("https://stranger.invalid"):
			report("credentials", "Credentials for every origin", "The expression %q fits origins of strangers, such as https://stranger.invalid. Make it narrower, or remove credentials.", text)
		}
	}
	for _, m := range c.Methods {
		if !method.MatchString(m) {
			report("methods", "Invalid method", "%q is no method: they are upper case, such as PUT.", m)
		}
	}
	for name, list := range map[string][]string{"headers": c.Headers, "expose": c.Expose} {
		for _, h := range list {
			switch {
			case h == "*" && c.Credentials:
				report(name, "Invalid header name", "With credentials, browsers take * for a header of that name. List the headers.")
			case !gateway.IsHeaderName(h):
				report(name, "Invalid header name", "%q is no header name: letters, digits and dashes make one.", h)
			}
		}
	}
	return diags
}

// Kind is the feature as the translator and the language know it.
func Kind() translate.Kind {
	return translate.Kind{
		FeatureRule: gateway.FeatureRule{Type: "cors", Combine: gateway.Nearest, Levels: gateway.AllLevels},
		New:         func() gateway.Feature { return &CORS{} },
		Filters: func() []translate.Filter {
			return []translate.Filter{{
				Name: filterName, Config: &corsv3.Cors{}, Disabled: true, Since: translate.PoliciesSince, Requires: requires,
			}}
		},
		Route: route,
	}
}

// route has the edge answer preflights of strangers, too: without the headers that would let them call.
func route(features []gateway.Effective, out *translate.Route) error {
	c := features[len(features)-1].Feature.(*CORS)
	policy := &corsv3.CorsPolicy{
		AllowMethods:                 strings.Join(c.Methods, ","),
		AllowHeaders:                 strings.Join(c.Headers, ","),
		ExposeHeaders:                strings.Join(c.Expose, ","),
		AllowCredentials:             wrapperspb.Bool(c.Credentials),
		ForwardNotMatchingPreflights: wrapperspb.Bool(false),
	}
	if c.MaxAge > 0 {
		policy.MaxAge = strconv.Itoa(int(c.MaxAge / time.Second))
	}
	for _, o := range c.Origins {
		policy.AllowOriginStringMatch = append(policy.AllowOriginStringMatch, matcher(o))
	}
	for _, r := range c.Regexes {
		policy.AllowOriginStringMatch = append(policy.AllowOriginStringMatch, regex(r))
	}
	return out.Configure(filterName, policy)
}

// matcher is an origin's. A * stands for one or more labels of a name, and for nothing that could end it.
func matcher(o string) *matcherv3.StringMatcher {
	if o == anyOrigin { // Envoy echoes the origin for a regular expression, but says * for this
		return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: anyOrigin}}
	}
	scheme, rest, wild := strings.Cut(o, "*.")
	if !wild {
		return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: o}}
	}
	return regex(regexp.QuoteMeta(scheme) + `([a-z0-9_-]+\.)+` + regexp.QuoteMeta(rest))
}

func regex(expression string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: expression}}}
}
