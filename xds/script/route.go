package script

import (
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	luav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	// answers is the name of the script without its way out. A program that changes answers alone, and needs nothing of
	// the request for that, runs in it: to enter a script costs a request about as much as what it then does there.
	answers = "answers"

	// methodHeader tells that script the method of the request. The router writes it into each response, over whatever
	// the upstream has sent, and the script takes it off again.
	methodHeader = "x-sluice-method"
)

// Config is the filter that runs programs: the script, and the same without its way out.
func Config() (*luav3.Lua, error) {
	source, err := Source()
	if err != nil {
		return nil, err
	}
	return &luav3.Lua{
		DefaultSourceCode: inline(source),
		SourceCodes:       map[string]*corev3.DataSource{answers: inline(source + "envoy_on_request = nil\n")},
		ClearRouteCache:   wrapperspb.Bool(false), // what it changes of a request must not choose another route
	}, nil
}

// Attach makes a route run a program: it changes r, and returns the filter's configuration for it.
func Attach(p *gateway.Program, r *routev3.Route) (proto.Message, error) {
	text, err := Encode(p)
	if err != nil {
		return nil, err
	}
	run, err := p.Prepared()
	if err != nil {
		return nil, fmt.Errorf("prepare a program: %w", err)
	}
	config := &luav3.LuaPerRoute{FilterContext: &structpb.Struct{Fields: map[string]*structpb.Value{
		Key: structpb.NewStringValue(text),
	}}}
	if !run.Answers() {
		return config, nil
	}
	config.Override = &luav3.LuaPerRoute_Name{Name: answers}
	r.ResponseHeadersToAdd = append(r.ResponseHeadersToAdd, &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: methodHeader, Value: "%REQ(:METHOD)%"},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	})
	if run.ReadsResponses() {
		r.RequestHeadersToRemove = append(r.RequestHeadersToRemove, "accept-encoding", "range", "if-range")
	}
	return config, nil
}

func inline(text string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: text}}
}
