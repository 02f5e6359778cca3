package reflection

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// nesting bounds how deep messages may be defined within messages.
const nesting = 64

// rawFiles is what one service was described with, by file name.
type rawFiles map[string]*descriptorpb.FileDescriptorProto

// collect asks for the file of a service and for all that it imports. What the server does not have of the imports is
// left out: it may hold nothing but options. A *refusal, or an error that the stream survives, is the service's own.
func (p *poll) collect(ctx context.Context, name string) (rawFiles, error) {
	files := rawFiles{}
	first, err := p.s.ofSymbol(name)
	if err != nil {
		return nil, err
	}
	if err := p.take(files, first); err != nil {
		return nil, err
	}
	missing := map[string]bool{}
	for {
		next := files.lacking(missing)
		if next == "" {
			return files, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if len(files) >= p.limits.files {
			return nil, &refusal{fmt.Sprintf("it needs more than %d files", p.limits.files)}
		}
		if raw, ok := p.seen[next]; ok {
			if err := p.take(files, [][]byte{raw}); err != nil {
				return nil, err
			}
			continue
		}
		more, err := p.s.ofFile(next)
		if r := (*refusal)(nil); errors.As(err, &r) {
			missing[next] = true
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := p.take(files, more); err != nil {
			return nil, err
		}
		if files[next] == nil {
			missing[next] = true
		}
	}
}

// take adds files to a service's. Those that it has already stay.
func (p *poll) take(files rawFiles, raw [][]byte) error {
	for _, b := range raw {
		f := &descriptorpb.FileDescriptorProto{}
		o := proto.UnmarshalOptions{AllowPartial: true, RecursionLimit: nesting, Resolver: noExtensions}
		if err := o.Unmarshal(b, f); err != nil {
			return &refusal{fmt.Sprintf("a file of its description is not one: %v", err)}
		}
		if files[f.GetName()] == nil {
			files[f.GetName()] = f
		}
		if p.seen[f.GetName()] == nil {
			p.seen[f.GetName()] = b
		}
	}
	return nil
}

// noExtensions leaves every custom option unparsed: whatever it is, it is not kept.
var noExtensions = &protoregistry.Types{}

// lacking is the first import, by name, that is neither there nor known to be missing; "" when there is none.
func (f rawFiles) lacking(missing map[string]bool) (first string) {
	for _, file := range f {
		for _, name := range file.GetDependency() {
			if f[name] == nil && !missing[name] && (first == "" || name < first) {
				first = name
			}
		}
	}
	return first
}

// link makes descriptors of the files and finds the service. Whatever an import lacks stays open: it costs the methods
// that reach it, and nothing else.
func link(files rawFiles, service protoreflect.FullName) (protoreflect.ServiceDescriptor, error) {
	all := &protoregistry.Files{}
	order, err := files.order()
	if err != nil {
		return nil, err
	}
	for _, f := range order {
		keepMeaning(f)
		d, err := protodesc.FileOptions{AllowUnresolvable: true}.New(f, all)
		if err == nil {
			err = all.RegisterFile(d)
		}
		if err != nil {
			return nil, fmt.Errorf("file %.100q of its description is wrong: %w", f.GetName(), err)
		}
	}
	d, err := all.FindDescriptorByName(service)
	if err != nil {
		return nil, errors.New("the files that the server sends do not define it")
	}
	s, ok := d.(protoreflect.ServiceDescriptor)
	if !ok {
		return nil, errors.New("what the server calls a service is none")
	}
	return s, nil
}

// order sorts files so that imports come first.
func (f rawFiles) order() ([]*descriptorpb.FileDescriptorProto, error) {
	const begun, done = 1, 2
	state := map[string]int{}
	var out []*descriptorpb.FileDescriptorProto
	var visit func(string) error
	visit = func(name string) error {
		if f[name] == nil || state[name] == done {
			return nil
		}
		if state[name] == begun {
			return fmt.Errorf("file %.100q imports itself", name)
		}
		state[name] = begun
		for _, dep := range f[name].GetDependency() {
			if err := visit(dep); err != nil {
				return err
			}
		}
		state[name] = done
		out = append(out, f[name])
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if err := visit(name); err != nil {
			return nil, err
		}
	}
	return out, nil
}
