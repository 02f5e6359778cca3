package translate

import (
	_ "embed" // the condition's script
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	luamatcherv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/string_matcher/lua/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-gateway/sluice/gateway"
)

// luaMatcher is the extension by which a route asks for the hash of a value.
const luaMatcher = "envoy.string_matcher.lua"

//go:embed sticky.lua
var stickyScript string

// sticky parts the route of a destination whose share ends before the last: one takes the requests whose value falls
// below the end, the other, with the fraction it has, those without a value. What none of a value's routes took is left
// to the destinations behind.
//
// Envoy asks a route for its headers before it looks at the path: so that no script runs for requests of other routes,
// the beginning of the path is the first header that is asked for.
func sticky(s *gateway.Sticky, end uint32, drawn *routev3.Route, begin string) (kept *routev3.Route, err error) {
	config, err := extension(luaMatcher, &luamatcherv3.Lua{SourceCode: &corev3.DataSource{
		Specifier: &corev3.DataSource_InlineString{InlineString: "local limit = " + strconv.FormatUint(uint64(end), 10) + "\n" + stickyScript},
	}})
	if err != nil {
		return nil, err
	}
	below := &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Custom{Custom: config}}
	some := fullRegex(`\C+`) // bytes, of whatever text
	kept = proto.CloneOf(drawn)
	kept.Match.RuntimeFraction = nil
	if len(begin) > 1 {
		kept.Match.Headers = append([]*routev3.HeaderMatcher{{
			Name: ":path", HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: beginning(begin)},
		}}, kept.Match.Headers...)
	}
	if s.Cookie != "" {
		kept.Match.Cookies = append(kept.Match.Cookies, &routev3.CookieMatcher{Name: s.Cookie, StringMatch: below})
		drawn.Match.Cookies = append(drawn.Match.Cookies, &routev3.CookieMatcher{
			Name: s.Cookie, StringMatch: some, InvertMatch: true,
		})
		return kept, nil
	}
	name := strings.ToLower(s.Header)
	kept.Match.Headers = append(kept.Match.Headers, &routev3.HeaderMatcher{
		Name: name, HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: below},
	})
	drawn.Match.Headers = append(drawn.Match.Headers, &routev3.HeaderMatcher{
		Name: name, HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: some},
		InvertMatch: true, TreatMissingHeaderAsEmpty: true,
	})
	return kept, nil
}

// stickyUsed is what the routes of a table need that keep clients on a share.
func stickyUsed(table []*gateway.TableRoute) []Filter {
	for _, tr := range table {
		if tr.Sticks() {
			return []Filter{{Requires: luaMatcher}}
		}
	}
	return nil
}
