package translate

import (
	"errors"
	"fmt"
	"slices"

	transcoderv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/grpc_json_transcoder/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sluice-gateway/sluice/gateway"
)

// messageLimit is how large a message may be that is written to or from JSON, in bytes; gRPC servers take as much.
const messageLimit = 4 << 20

// callGRPC turns the transcoder on for a route whose program calls a gRPC method, and leaves the rest of the program:
// without a call where the transcoder reads the client's request itself, by a rule over the client's path; else one that
// makes every request a POST of the whole message as JSON to the method's own path. The router must rewrite nothing on
// such a route: the path is the method's. Other routes stay as they are.
func (t *Translator) callGRPC(out *Route) error {
	p := out.Program
	if p == nil || p.Call == nil || p.Call.GRPC == nil {
		return nil
	}
	g := p.Call.GRPC
	if g.Method == nil || len(g.Method.Descriptor) == 0 {
		return errors.New("the gRPC method that is called is not described")
	}
	rest := *p
	rest.Call = nil
	tc, err := t.transcode(out.Table.Match, g, slices.ContainsFunc(p.Request, moves))
	if err == nil && !tc.byRule {
		rest.Call, rest.Request, err = scripted(g, p)
	}
	if err != nil {
		return fmt.Errorf("gRPC method %s/%s: %w", g.Method.Service, g.Method.Method, err)
	}
	if err := turnOn(out, bodyFilter, asListed()); err != nil {
		return err
	}
	out.Route.TypedPerFilterConfig[transcoderFilter] = tc.config
	out.Action.PrefixRewrite, out.Action.RegexRewrite, out.Action.PathRewrite = "", nil, ""
	out.Program = &rest
	return nil
}

// transcode makes the transcoder's configuration. moved says that the request goes somewhere else before it comes there.
func (t *Translator) transcode(match *gateway.Match, g *gateway.GRPCCall, moved bool) (transcoding, error) {
	key := transcodingKey(match, g, moved)
	if done, ok := t.calls.get(key); ok {
		return done, nil
	}
	m, err := parseMethod(g.Method)
	if err != nil {
		return transcoding{}, err
	}
	rule, err := ruleFor(match, g, m, moved)
	if err != nil {
		return transcoding{}, err
	}
	config := transcoder(g)
	if rule != nil {
		config.IgnoredQueryParameters = ignoredQuery(match, g, m)
	} else {
		config.AutoMapping = true
	}
	set, err := m.descriptor(rule)
	if err != nil {
		return transcoding{}, err
	}
	config.DescriptorSet = &transcoderv3.GrpcJsonTranscoder_ProtoDescriptorBin{ProtoDescriptorBin: set}
	packed, err := Pack(config)
	if err != nil {
		return transcoding{}, err
	}
	done := transcoding{config: packed, byRule: rule != nil}
	t.calls.put(key, done, len(packed.Value))
	return done, nil
}

// transcoder is what all routes that call a method have in common. A query parameter that is no field is refused, fields
// of a body that the message does not have are not (Envoy has no switch for it), and answers are whole: a field that is
// zero is written too.
func transcoder(g *gateway.GRPCCall) *transcoderv3.GrpcJsonTranscoder {
	return &transcoderv3.GrpcJsonTranscoder{
		Services:                  []string{g.Method.Service},
		MatchIncomingRequestRoute: true, // else the method's own path is routed again
		ConvertGrpcStatus:         true,
		UrlUnescapeSpec:           transcoderv3.GrpcJsonTranscoder_ALL_CHARACTERS,
		QueryParamUnescapePlus:    true,
		MaxRequestBodySize:        u32(messageLimit),
		MaxResponseBodySize:       u32(messageLimit),
		RequestValidationOptions: &transcoderv3.GrpcJsonTranscoder_RequestValidationOptions{
			RejectUnknownMethod:              true,
			RejectUnknownQueryParameters:     true,
			RejectBindingBodyFieldCollisions: true, // a body must not say another user than the path
		},
		PrintOptions: &transcoderv3.GrpcJsonTranscoder_PrintOptions{
			AlwaysPrintPrimitiveFields: true,
			StreamNewlineDelimited:     g.Stream == "ndjson",
			StreamSseStyleDelimited:    g.Stream == "sse",
		},
	}
}

// scripted is the call and the changes that make of a request the POST of a message.
func scripted(g *gateway.GRPCCall, p *gateway.Program) (*gateway.Call, []*gateway.RequestChange, error) {
	message := g.Message
	if message.IsZero() {
		m, err := parseMethod(g.Method)
		if err != nil {
			return nil, nil, err
		}
		message = m.byName(g.Fields)
	}
	if g.Method.ClientStream { // a stream of messages is a list
		message = gateway.Expr{Op: gateway.OpTuple, Args: []gateway.Expr{message}, Range: message.Range}
	}
	call := &gateway.Call{
		Query: p.Call.Query, Headers: p.Call.Headers, DropQuery: true, Body: message, ContentType: "application/json",
	}
	// A HEAD stays one, and the transcoder refuses it: its answer has no body, and that of a method has one.
	head := gateway.Expr{Op: gateway.OpBinary, Name: "==", Args: []gateway.Expr{{Op: gateway.OpRequest, Path: []string{"method"}}, constant("HEAD")}}
	return call, append(slices.Clone(p.Request), &gateway.RequestChange{
		Method: gateway.Expr{Op: gateway.OpCond, Args: []gateway.Expr{head, constant("HEAD"), constant("POST")}},
		Path:   constant("/" + g.Method.Service + "/" + g.Method.Method),
	}), nil
}

// moves says that a change sends a request somewhere else.
func moves(c *gateway.RequestChange) bool { return !c.Path.IsZero() || !c.Method.IsZero() }

func constant(v any) gateway.Expr { return gateway.Expr{Op: gateway.OpConst, Value: v} }

// turnOn sets the configuration of a filter on a route.
func turnOn(out *Route, filter string, config proto.Message) error {
	packed, err := Pack(config)
	if err != nil {
		return err
	}
	if out.Route.TypedPerFilterConfig == nil {
		out.Route.TypedPerFilterConfig = map[string]*anypb.Any{}
	}
	out.Route.TypedPerFilterConfig[filter] = packed
	return nil
}

// ignoredQuery names the query parameters that are no part of the message: those that a match asks for and that are no
// fields, since they choose the route, and the fields that are in the path, which would be overwritten.
func ignoredQuery(match *gateway.Match, g *gateway.GRPCCall, m *method) (out []string) {
	for _, c := range match.Query {
		if m.input.Fields().ByTextName(c.Name) == nil && m.input.Fields().ByJSONName(c.Name) == nil {
			out = append(out, c.Name)
		}
	}
	for _, field := range g.Fields {
		out = append(out, m.spellings(field)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
