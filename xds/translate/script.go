package translate

import (
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/script"
)

const (
	luaFilter       = "envoy.filters.http.lua"
	scriptSince     = 2 // the generation of the filter list that has the script first
	luaTypeURL      = "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"
	scriptStatsName = "sluice_script"
)

// scriptKey is the resource that is the script.
func scriptKey() Key { return KeyOf(gateway.Unit{Type: gateway.UnitScript, Name: gateway.ScriptName}) }

// scriptFilters is the script's place in a filter list. It has no configuration there: the script comes by ECDS, so that
// a new one drains nothing. A route turns it on by the program that it carries.
func scriptFilters(generation int) []Filter {
	if generation < scriptSince {
		return nil
	}
	return []Filter{{Name: gateway.ScriptName, Disabled: true, Requires: luaFilter, Since: scriptSince}}
}

// discovered is a filter whose configuration comes by ECDS. A listener waits for it before it takes connections.
func discovered(f Filter) *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{
		Name:     f.Name,
		Disabled: f.Disabled,
		ConfigType: &hcmv3.HttpFilter_ConfigDiscovery{ConfigDiscovery: &corev3.ExtensionConfigSource{
			ConfigSource: ads(0),
			TypeUrls:     []string{luaTypeURL},
		}},
	}
}

// scriptNeeds is what a listener of a filter list needs for the script.
func scriptNeeds(generation int) []Key {
	if generation < scriptSince {
		return nil
	}
	return []Key{scriptKey()}
}

// scriptResource builds the script.
func scriptResource() (*Resource, error) {
	lua, err := script.Config()
	if err != nil {
		return nil, err
	}
	lua.StatPrefix = scriptStatsName
	config, err := Pack(lua)
	if err != nil {
		return nil, err
	}
	return &Resource{
		Key:      scriptKey(),
		Message:  &corev3.TypedExtensionConfig{Name: gateway.ScriptName, TypedConfig: config},
		Requires: []string{luaFilter},
	}, nil
}

// lowerProgram puts a route's program into its configuration: as a rewrite of the path, where that is all that it does,
// else as a program for the script.
func lowerProgram(out *Route, p path) error {
	program := out.Program
	if program.IsZero() {
		return nil
	}
	if rewrite, ok := nativeCall(program, out.Table.Match, p); ok {
		out.Action.PrefixRewrite, out.Action.RegexRewrite = rewrite.prefix, rewrite.regex
		return nil
	}
	attached, err := script.Attach(program, out.Route)
	if err != nil {
		return fmt.Errorf("the route's program: %w", err)
	}
	config, err := Pack(attached)
	if err != nil {
		return err
	}
	if out.Route.TypedPerFilterConfig == nil {
		out.Route.TypedPerFilterConfig = map[string]*anypb.Any{}
	}
	out.Route.TypedPerFilterConfig[gateway.ScriptName] = config
	out.Needs = AddNeed(out.Needs, scriptKey())
	run, err := program.Prepared()
	if err != nil {
		return err
	}
	if run.SetsPath() {
		out.Action.PrefixRewrite, out.Action.RegexRewrite = "", nil // it would act on the new path
	}
	if limit := uint64(2 * run.Limit); run.Buffers() && out.Route.GetRequestBodyBufferLimit().GetValue() < limit {
		// Twice what the script takes: it then says itself what is too large. It holds for responses too.
		out.Route.RequestBodyBufferLimit = wrapperspb.UInt64(limit)
	}
	return nil
}
