package rbac

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacconfigv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	mtlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/rbac/principals/mtls_authenticated/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/sluice-gateway/sluice/xds/translate"
)

// unclear fits paths of which upstreams differ about what they name: some cut parameters off at a semicolon before they
// resolve "..", and some decode twice.
const unclear = `.*(;|%3[bB]|%25).*`

// paths holds where a path fits one of the lists. Rules that allow want it exactly; those that deny take a path in other
// case, with a slash at its end, or an unclear one, for what it could be.
func paths(whole, prefixes []string, deny bool) *rbacconfigv3.Principal {
	var any []*rbacconfigv3.Principal
	for _, p := range whole {
		if deny {
			any = append(any, path(regex(`(?i)`+regexp.QuoteMeta(strings.TrimRight(p, "/"))+`/*`)))
		} else {
			any = append(any, path(exact(p)))
		}
	}
	for _, p := range prefixes {
		expression := regexp.QuoteMeta(strings.TrimRight(p, "/")) + `(/.*)?`
		if deny {
			expression = `(?i)` + expression
		}
		any = append(any, path(regex(expression)))
	}
	if deny {
		return translate.AnyOf(append(any, path(regex(unclear)))...)
	}
	return translate.AllOf(translate.AnyOf(any...), translate.Not(path(regex(unclear))))
}

// path asks about the path without its query, as it is after the edge has made it normal.
func path(m *matcherv3.StringMatcher) *rbacconfigv3.Principal {
	return &rbacconfigv3.Principal{Identifier: &rbacconfigv3.Principal_UrlPath{UrlPath: &matcherv3.PathMatcher{
		Rule: &matcherv3.PathMatcher_Path{Path: m},
	}}}
}

// headers are one condition each. Of a header that is sent several times one value is enough. In a value with commas a rule
// that denies finds its own, too.
func headers(list map[string]string, deny bool) (all []*rbacconfigv3.Principal) {
	for _, name := range slices.Sorted(maps.Keys(list)) {
		value := list[name]
		switch {
		case value == "*":
			all = append(all, &rbacconfigv3.Principal{Identifier: &rbacconfigv3.Principal_Header{Header: &routev3.HeaderMatcher{
				Name: strings.ToLower(name), HeaderMatchSpecifier: &routev3.HeaderMatcher_PresentMatch{PresentMatch: true},
			}}})
		case deny:
			all = append(all, header(name, regex(`(?i)(.*,)?\s*`+regexp.QuoteMeta(value)+`\s*(,.*)?`)))
		default:
			all = append(all, header(name, exact(value)))
		}
	}
	return all
}

func header(name string, m *matcherv3.StringMatcher) *rbacconfigv3.Principal {
	return &rbacconfigv3.Principal{Identifier: &rbacconfigv3.Principal_Header{Header: &routev3.HeaderMatcher{
		Name: strings.ToLower(name), HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: m},
	}}}
}

// claim holds where a claim of the verified token is the value, or a list that has it; "scope" is a list in one text.
func claim(name, value string) *rbacconfigv3.Principal {
	text := exact(value)
	if name == "scope" || name == "scp" {
		text = regex(`(.* )?` + regexp.QuoteMeta(value) + `( .*)?`)
	}
	one := &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_StringMatch{StringMatch: text}}
	alternatives := []*matcherv3.ValueMatcher{one, {MatchPattern: &matcherv3.ValueMatcher_ListMatch{ListMatch: &matcherv3.ListMatcher{
		MatchPattern: &matcherv3.ListMatcher_OneOf{OneOf: &matcherv3.ValueMatcher{
			MatchPattern: &matcherv3.ValueMatcher_StringMatch{StringMatch: exact(value)},
		}},
	}}}}
	if value == "true" || value == "false" {
		alternatives = append(alternatives, &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_BoolMatch{BoolMatch: value == "true"}})
	}
	if n, err := strconv.ParseFloat(value, 64); err == nil {
		alternatives = append(alternatives, &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_DoubleMatch{
			DoubleMatch: &matcherv3.DoubleMatcher{MatchPattern: &matcherv3.DoubleMatcher_Exact{Exact: n}},
		}})
	}
	return &rbacconfigv3.Principal{Identifier: &rbacconfigv3.Principal_SourcedMetadata{SourcedMetadata: &rbacconfigv3.SourcedMetadata{
		MetadataMatcher: &matcherv3.MetadataMatcher{
			Filter: "envoy.filters.http.jwt_authn",
			Path: []*matcherv3.MetadataMatcher_PathSegment{
				{Segment: &matcherv3.MetadataMatcher_PathSegment_Key{Key: "claims"}},
				{Segment: &matcherv3.MetadataMatcher_PathSegment_Key{Key: name}},
			},
			Value: &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_OrMatch{OrMatch: &matcherv3.OrMatcher{ValueMatchers: alternatives}}},
		},
	}}}
}

// certificates hold where a client's certificate has been verified and bears one of the names.
func certificates(names []string) (any []*rbacconfigv3.Principal, err error) {
	for _, name := range names {
		for _, kind := range []tlsv3.SubjectAltNameMatcher_SanType{tlsv3.SubjectAltNameMatcher_DNS, tlsv3.SubjectAltNameMatcher_URI, tlsv3.SubjectAltNameMatcher_EMAIL} {
			config, err := translate.Pack(&mtlsv3.Config{SanMatcher: &tlsv3.SubjectAltNameMatcher{SanType: kind, Matcher: exact(name)}})
			if err != nil {
				return nil, err
			}
			any = append(any, &rbacconfigv3.Principal{Identifier: &rbacconfigv3.Principal_Custom{Custom: &corev3.TypedExtensionConfig{
				Name: "envoy.rbac.principals.mtls_authenticated", TypedConfig: config,
			}}})
		}
	}
	return any, nil
}

func exact(s string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: s}}
}

func regex(s string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: s}}}
}
