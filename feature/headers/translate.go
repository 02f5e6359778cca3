package headers

import (
	"maps"
	"slices"
	"strings"

	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	headermutationv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

const filterName = "envoy.filters.http.header_mutation"

// Kind is the feature as the translator and the language know it.
func Kind() translate.Kind {
	return translate.Kind{
		FeatureRule: gateway.FeatureRule{Type: "headers", Combine: gateway.Compose, Levels: gateway.AllLevels},
		New:         func() gateway.Feature { return &Headers{} },
		Filters: func() []translate.Filter {
			return []translate.Filter{{
				Name: filterName, Config: &headermutationv3.HeaderMutation{}, Disabled: true, Requires: filterName,
			}}
		},
		Route: route,
	}
}

func route(features []gateway.Effective, out *translate.Route) error {
	var request, response final
	for _, e := range features {
		if h := e.Feature.(*Headers); h.Request != nil {
			if err := request.apply(side{h.Request.Set, h.Request.Add, h.Request.Remove}, false); err != nil {
				return err
			}
		}
	}
	for _, e := range slices.Backward(features) {
		if h := e.Feature.(*Headers); h.Response != nil {
			if err := response.apply(side{h.Response.Set, h.Response.Add, h.Response.Remove}, true); err != nil {
				return err
			}
		}
	}
	if out.Program != nil {
		scripted(&request, &response, out, features[len(features)-1].Feature.SourceRange())
	}
	mutations := &headermutationv3.Mutations{RequestMutations: request.mutations(), ResponseMutations: response.mutations()}
	if len(mutations.RequestMutations)+len(mutations.ResponseMutations) == 0 {
		return nil
	}
	config, err := translate.Pack(&headermutationv3.HeaderMutationPerRoute{Mutations: mutations})
	if err != nil {
		return err
	}
	if out.Route.TypedPerFilterConfig == nil {
		out.Route.TypedPerFilterConfig = map[string]*anypb.Any{}
	}
	out.Route.TypedPerFilterConfig[filterName] = config
	return nil
}

// final is what all blocks of one direction leave of each header, by lower-case name.
type final struct{ headers map[string]*header }

// header is the outcome for one header: whether what was there goes, and what is written.
type header struct {
	name    string
	cleared bool
	values  []value
}

// apply lets one more block act on what the blocks before it left.
func (f *final) apply(s side, response bool) error {
	if f.headers == nil {
		f.headers = map[string]*header{}
	}
	at := func(name string) *header {
		name = strings.ToLower(name)
		if f.headers[name] == nil {
			f.headers[name] = &header{name: name}
		}
		return f.headers[name]
	}
	for _, n := range s.remove {
		h := at(n)
		h.cleared, h.values = true, nil
	}
	for _, n := range slices.Sorted(maps.Keys(s.set)) {
		v, err := compile(s.set[n], response)
		if err != nil {
			return err
		}
		h := at(n)
		h.cleared, h.values = true, []value{v}
	}
	for _, n := range slices.Sorted(maps.Keys(s.add)) {
		v, err := compile(s.add[n], response)
		if err != nil {
			return err
		}
		h := at(n)
		h.values = append(h.values, v)
	}
	return nil
}

// mutations lists what Envoy does, in an order in which a value is read before the header that it reads is written: so
// that every value sees the header as it came, where no two headers read each other.
func (f *final) mutations() []*mutationv3.HeaderMutation {
	left := slices.Sorted(maps.Keys(f.headers))
	var out []*mutationv3.HeaderMutation
	for len(left) > 0 {
		next := slices.IndexFunc(left, func(n string) bool { return !f.readByOthers(n, left) })
		next = max(next, 0) // they read each other: the first in order goes first
		out = append(out, f.headers[left[next]].mutations()...)
		left = slices.Delete(left, next, next+1)
	}
	return out
}

func (f *final) readByOthers(name string, left []string) bool {
	return slices.ContainsFunc(left, func(other string) bool {
		return other != name && slices.ContainsFunc(f.headers[other].values, func(v value) bool {
			return slices.Contains(v.reads, name)
		})
	})
}

func (h *header) mutations() []*mutationv3.HeaderMutation {
	var out []*mutationv3.HeaderMutation
	action := corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD
	if h.cleared {
		// A value that turns out absent must not leave what the client sent; one that reads the header itself needs it.
		if len(h.values) == 0 || h.values[0].dynamic && !slices.Contains(h.values[0].reads, h.name) {
			out = append(out, &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Remove{Remove: h.name}})
		} else {
			action = corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
		}
	}
	for _, v := range h.values {
		if v.computed {
			continue // no script runs where the gateway answers by itself
		}
		out = append(out, &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Append{Append: &corev3.HeaderValueOption{
			Header:       &corev3.HeaderValue{Key: h.name, Value: v.format},
			AppendAction: action,
		}}})
		action = corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD
	}
	return out
}
