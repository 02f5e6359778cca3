// Package csrf is the feature "csrf": requests that change something come from pages of the same host, or of named ones.
package csrf

import (
	"fmt"
	"regexp"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	csrfv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/csrf/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

const (
	filterName = "sluice.csrf"
	requires   = "envoy.filters.http.csrf"
)

// CSRF refuses requests that pages of other hosts make in the name of whoever looks at them.
type CSRF struct {
	gateway.FeatureBase
	Origins []string `hcl:"origins,optional"` // HOST, HOST:PORT, or *.HOST: besides the host that is called
}

var (
	_ gateway.Feature = (*CSRF)(nil)
	_ gateway.Checker = (*CSRF)(nil)
)

// FeatureType is the block's name.
func (*CSRF) FeatureType() string { return "csrf" }

var host = regexp.MustCompile(`^(\*\.)?([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$`)

// Check refuses what is no host.
func (c *CSRF) Check(ranges map[string]hcl.Range) (diags hcl.Diagnostics) {
	at, ok := ranges["origins"]
	if !ok {
		at = ranges[""]
	}
	for _, o := range c.Origins {
		if host.MatchString(o) {
			continue
		}
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Invalid origin", Subject: &at,
			Detail: fmt.Sprintf("%q is no host: write HOST or HOST:PORT in lower case, without a scheme or a path; *.HOST stands for all names below HOST.", o),
		})
	}
	return diags
}

// Kind is the feature as the translator and the language know it.
func Kind() translate.Kind {
	return translate.Kind{
		FeatureRule: gateway.FeatureRule{Type: "csrf", Combine: gateway.Nearest, Levels: gateway.AllLevels},
		New:         func() gateway.Feature { return &CSRF{} },
		Filters: func() []translate.Filter {
			return []translate.Filter{{
				Name: filterName, Config: &csrfv3.CsrfPolicy{FilterEnabled: always()}, Disabled: true, Since: translate.PoliciesSince, Requires: requires,
			}}
		},
		Route: route,
	}
}

func route(features []gateway.Effective, out *translate.Route) error {
	policy := &csrfv3.CsrfPolicy{FilterEnabled: always()}
	for _, o := range features[len(features)-1].Feature.(*CSRF).Origins {
		policy.AdditionalOrigins = append(policy.AdditionalOrigins, matcher(o))
	}
	return out.Configure(filterName, policy)
}

// matcher is a host's. A * stands for one or more labels of a name.
func matcher(o string) *matcherv3.StringMatcher {
	rest, wild := strings.CutPrefix(o, "*.")
	if !wild {
		return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: o}}
	}
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{
		Regex: `([a-z0-9_-]+\.)+` + regexp.QuoteMeta(rest),
	}}}
}

func always() *corev3.RuntimeFractionalPercent {
	return &corev3.RuntimeFractionalPercent{DefaultValue: &typev3.FractionalPercent{Numerator: 100}}
}
