package translate

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sluice-gateway/sluice/gateway"
)

// method is a described gRPC method.
type method struct {
	set   *descriptorpb.FileDescriptorSet
	proto *descriptorpb.MethodDescriptorProto // in set
	input protoreflect.MessageDescriptor
}

// parseMethod reads a method's descriptor. An error says that it is not one of that method.
func parseMethod(g *gateway.GRPCMethod) (*method, error) {
	m := &method{set: &descriptorpb.FileDescriptorSet{}}
	if err := proto.Unmarshal(g.Descriptor, m.set); err != nil {
		return nil, fmt.Errorf("read its descriptor: %w", err)
	}
	files, err := protodesc.NewFiles(m.set)
	if err != nil {
		return nil, fmt.Errorf("read its descriptor: %w", err)
	}
	d, err := files.FindDescriptorByName(protoreflect.FullName(g.Service + "." + g.Method))
	if err != nil {
		return nil, fmt.Errorf("its descriptor does not define it: %w", err)
	}
	md, ok := d.(protoreflect.MethodDescriptor)
	if !ok {
		return nil, fmt.Errorf("its descriptor has a %T of that name", d)
	}
	m.input = md.Input()
	for _, f := range m.set.File {
		for _, s := range f.Service {
			for _, p := range s.Method {
				if f.GetName() == md.ParentFile().Path() && s.GetName() == string(md.Parent().Name()) && p.GetName() == g.Method {
					m.proto = p
				}
			}
		}
	}
	return m, nil
}

// descriptor is the set with a rule for the method, and with the messages in which errors have their details.
func (m *method) descriptor(rule *annotations.HttpRule) ([]byte, error) {
	if rule != nil {
		m.proto.Options = &descriptorpb.MethodOptions{}
		proto.SetExtension(m.proto.Options, annotations.E_Http, rule)
	}
	set := &descriptorpb.FileDescriptorSet{File: append(slices.Clone(m.set.File), errorDetails(m.set)...)}
	return proto.MarshalOptions{Deterministic: true}.Marshal(set)
}

// detailsFile holds google.rpc's status and the details that an error's JSON shows; detailImports are what it needs. All
// are bare: Envoy reads them once for every transcoder. It would add the status itself, and as it was published.
var (
	detailsFile = sync.OnceValue(func() *descriptorpb.FileDescriptorProto {
		out := bare(errdetails.File_google_rpc_error_details_proto)
		out.MessageType = append(bare(status.File_google_rpc_status_proto).MessageType, out.MessageType...)
		out.Dependency = nil
		for _, f := range detailImports() {
			out.Dependency = append(out.Dependency, f.GetName())
		}
		return out
	})
	detailImports = sync.OnceValue(func() []*descriptorpb.FileDescriptorProto {
		return []*descriptorpb.FileDescriptorProto{bare(anypb.File_google_protobuf_any_proto), bare(durationpb.File_google_protobuf_duration_proto)}
	})
)

// bare is a file without what changes nothing of messages: options, and JSON names, which follow from the others.
func bare(f protoreflect.FileDescriptor) *descriptorpb.FileDescriptorProto {
	p := protodesc.ToFileDescriptorProto(f)
	p.Options = nil
	bareFields(p.MessageType)
	return p
}

func bareFields(all []*descriptorpb.DescriptorProto) {
	for _, m := range all {
		for _, f := range m.Field {
			f.JsonName = nil
		}
		bareFields(m.NestedType)
	}
}

// errorDetails are the files that a set lacks for the details of errors; none where it has a part of them, or defines
// what they need in a way of its own.
func errorDetails(set *descriptorpb.FileDescriptorSet) (out []*descriptorpb.FileDescriptorProto) {
	missing := detailImports()
	for _, f := range set.File {
		if f.GetPackage() == "google.rpc" {
			return nil
		}
		for _, want := range detailImports() {
			is, defines := f.GetName() == want.GetName(), f.GetPackage() == want.GetPackage() && named(f.MessageType, want.MessageType[0].GetName()) != nil
			if is != defines {
				return nil
			}
			if is {
				missing = slices.DeleteFunc(slices.Clone(missing), func(m *descriptorpb.FileDescriptorProto) bool { return m == want })
			}
		}
	}
	return append(slices.Clone(missing), detailsFile())
}

// ruleFor is the google.api.http rule by which the transcoder reads the client's own request: variables of the path
// become fields, the rest comes from the query and, for methods that have one, the body. Nil where no rule can say it.
// An error names a field that is not there: Envoy would take such a rule and refuse every request.
func ruleFor(match *gateway.Match, g *gateway.GRPCCall, m *method, moved bool) (*annotations.HttpRule, error) {
	if !g.Message.IsZero() {
		return nil, nil
	}
	bindable := true
	for variable, field := range g.Fields {
		ok, err := m.binds(field)
		if err != nil {
			return nil, fmt.Errorf("the path's variable %s: %w", variable, err)
		}
		bindable = bindable && ok
	}
	pattern, ok := rulePattern(match, g.Fields)
	if !ok || !bindable || g.Method.ClientStream || moved {
		return nil, nil
	}
	methods := match.Methods
	if match.Method != "" {
		methods = []string{match.Method}
	}
	// The answer to a HEAD has no body, and that of a gRPC method has one: it is refused.
	methods = slices.DeleteFunc(slices.Clone(methods), func(s string) bool { return s == "HEAD" })
	switch {
	case len(match.Methods) == 0 && match.Method == "":
		methods = []string{"GET", "POST", "PUT", "PATCH", "DELETE"}
	case len(methods) == 0:
		methods = []string{"GET"}
	}
	var rule *annotations.HttpRule
	for _, name := range methods {
		one := httpRule(name, pattern)
		if rule == nil {
			rule = one
		} else {
			rule.AdditionalBindings = append(rule.AdditionalBindings, one)
		}
	}
	return rule, nil
}

func httpRule(method, pattern string) *annotations.HttpRule {
	switch method {
	case "GET":
		return &annotations.HttpRule{Pattern: &annotations.HttpRule_Get{Get: pattern}}
	case "DELETE":
		return &annotations.HttpRule{Pattern: &annotations.HttpRule_Delete{Delete: pattern}}
	case "POST":
		return &annotations.HttpRule{Pattern: &annotations.HttpRule_Post{Post: pattern}, Body: "*"}
	case "PUT":
		return &annotations.HttpRule{Pattern: &annotations.HttpRule_Put{Put: pattern}, Body: "*"}
	case "PATCH":
		return &annotations.HttpRule{Pattern: &annotations.HttpRule_Patch{Patch: pattern}, Body: "*"}
	}
	return &annotations.HttpRule{Pattern: &annotations.HttpRule_Custom{Custom: &annotations.CustomHttpPattern{Kind: method, Path: pattern}}}
}

// rulePattern writes the path of a match as the rule's template. False where it has no such form: a variable there is a
// whole segment, and literals have no characters of the template's own.
func rulePattern(match *gateway.Match, fields map[string]string) (string, bool) {
	kind := match.PathKind()
	if kind != gateway.PathExact && kind != gateway.PathTemplate {
		return "", false
	}
	parts, err := gateway.ParsePathTemplate(match.Path)
	if err != nil {
		return "", false
	}
	var b strings.Builder
	for i, part := range parts {
		if part.Literal != "" {
			if strings.ContainsAny(part.Literal, "*=:{}%") || strings.Contains(part.Literal, "//") {
				return "", false
			}
			b.WriteString(part.Literal)
			continue
		}
		before := i > 0 && strings.HasSuffix(parts[i-1].Literal, "/")
		after := i+1 == len(parts) || strings.HasPrefix(parts[i+1].Literal, "/")
		if !before || !after {
			return "", false
		}
		wild := "*"
		if part.Rest {
			wild = "**"
		}
		if field := fields[part.Name]; field != "" {
			b.WriteString("{" + field + "=" + wild + "}")
		} else {
			b.WriteString(wild)
		}
	}
	pattern := b.String()
	return pattern, pattern == "/" || !strings.HasSuffix(pattern, "/")
}

// bound are the messages that a piece of a path can fill.
var bound = map[protoreflect.FullName]bool{
	"google.protobuf.Timestamp": true, "google.protobuf.Duration": true, "google.protobuf.FieldMask": true,
	"google.protobuf.BoolValue": true, "google.protobuf.StringValue": true, "google.protobuf.BytesValue": true,
	"google.protobuf.DoubleValue": true, "google.protobuf.FloatValue": true,
	"google.protobuf.Int32Value": true, "google.protobuf.UInt32Value": true,
	"google.protobuf.Int64Value": true, "google.protobuf.UInt64Value": true,
}

// binds says whether a piece of a path can fill a field. An error says that there is no such field.
func (m *method) binds(field string) (bool, error) {
	at := m.input
	names := strings.Split(field, ".")
	for i, name := range names {
		f := at.Fields().ByTextName(name)
		if f == nil {
			return false, fmt.Errorf("the message %s has no field %q", at.FullName(), name)
		}
		if f.Cardinality() == protoreflect.Repeated {
			return false, nil
		}
		if i == len(names)-1 {
			return f.Message() == nil || bound[f.Message().FullName()], nil
		}
		if at = f.Message(); at == nil {
			return false, fmt.Errorf("the field %q of %q is no message", name, field)
		}
	}
	return false, nil
}

// spellings are the ways in which a query parameter can name a field: each part by its own name or by its JSON name.
func (m *method) spellings(field string) []string {
	out := []string{""}
	at := m.input
	for i, name := range strings.Split(field, ".") {
		f := at.Fields().ByTextName(name)
		if f == nil {
			return nil
		}
		var next []string
		for _, s := range out {
			if i > 0 {
				s += "."
			}
			next = append(next, s+name)
			if f.JSONName() != name {
				next = append(next, s+f.JSONName())
			}
		}
		out = next
		if at = f.Message(); at == nil {
			break
		}
	}
	return out
}
