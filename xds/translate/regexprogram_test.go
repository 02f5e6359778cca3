package translate_test

import (
	"strings"
	"testing"

	luav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/script"
)

// A named group of a route's regular expression is a value wherever the script runs, not in a path alone.
func TestGroupsReachTheScript(t *testing.T) {
	m := &gateway.Match{Method: "GET", Regex: "/a/(?P<x>[0-9]+)"}
	r, _ := routeOf(t, m, &gateway.Call{Query: map[string]gateway.Expr{"q": of("path", "x")}})
	config := &luav3.LuaPerRoute{}
	if err := r.TypedPerFilterConfig[gateway.ScriptName].UnmarshalTo(config); err != nil {
		t.Fatal(err)
	}
	if text := config.FilterContext.Fields[script.Key].GetStringValue(); !strings.Contains(text, `"g":{`) {
		t.Errorf("the program is %s", text)
	}
	r, _ = routeOf(t, m, &gateway.Call{Query: map[string]gateway.Expr{"q": of("query", "x")}})
	config = &luav3.LuaPerRoute{}
	if err := r.TypedPerFilterConfig[gateway.ScriptName].UnmarshalTo(config); err != nil {
		t.Fatal(err)
	}
	if text := config.FilterContext.Fields[script.Key].GetStringValue(); strings.Contains(text, `"g":{`) {
		t.Errorf("an expression that nobody needs is sent: %s", text)
	}
}
