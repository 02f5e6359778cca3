package reflection

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// The bounds of one method's descriptor: it travels with every route that calls the method.
const (
	descriptorLimit = 256 << 10 // bytes
	closureLimit    = 5000      // messages and enums
)

// trim is the marshalled descriptor of one method: it, its service, and the messages and enums that it reaches, in their
// files, imports first. The result depends on the method's own description alone.
func trim(m protoreflect.MethodDescriptor) ([]byte, error) {
	c := &closure{used: map[protoreflect.FullName]bool{}, files: map[string]*part{}}
	if err := c.reach(m); err != nil {
		return nil, err
	}
	set := &descriptorpb.FileDescriptorSet{}
	for _, path := range c.order() {
		set.File = append(set.File, c.file(c.files[path], m))
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("marshal its descriptor: %w", err)
	}
	if len(b) > descriptorLimit {
		return nil, fmt.Errorf("its messages need a descriptor of %d bytes, and %d is the most", len(b), descriptorLimit)
	}
	return b, nil
}

// closure is what one method reaches.
type closure struct {
	used  map[protoreflect.FullName]bool // messages and enums, and the messages that these are defined in
	whole map[protoreflect.FullName]bool
	files map[string]*part
}

// part is what is used of one file.
type part struct {
	file    protoreflect.FileDescriptor
	imports map[string]bool
}

func (c *closure) part(d protoreflect.Descriptor) *part {
	f := d.ParentFile()
	p := c.files[f.Path()]
	if p == nil {
		p = &part{file: f, imports: map[string]bool{}}
		c.files[f.Path()] = p
	}
	return p
}

func (c *closure) reach(m protoreflect.MethodDescriptor) error {
	c.whole = map[protoreflect.FullName]bool{}
	todo := []protoreflect.MessageDescriptor{}
	want := func(from, d protoreflect.Descriptor) error {
		if d.IsPlaceholder() {
			return fmt.Errorf("the server does not describe %s, which it needs", d.FullName())
		}
		if p := c.part(from); p.file.Path() != d.ParentFile().Path() {
			p.imports[d.ParentFile().Path()] = true
		}
		c.part(d)
		if c.whole[d.FullName()] {
			return nil
		}
		if len(c.whole) >= closureLimit {
			return fmt.Errorf("it reaches more than %d messages", closureLimit)
		}
		c.whole[d.FullName()] = true
		for p := d; p != nil && p != protoreflect.Descriptor(d.ParentFile()); p = p.Parent() {
			c.used[p.FullName()] = true
		}
		if md, ok := d.(protoreflect.MessageDescriptor); ok {
			todo = append(todo, md)
		}
		return nil
	}
	c.part(m)
	for _, d := range []protoreflect.MessageDescriptor{m.Input(), m.Output()} {
		if err := want(m, d); err != nil {
			return err
		}
	}
	for len(todo) > 0 {
		md := todo[0]
		todo = todo[1:]
		for i := range md.Fields().Len() {
			f := md.Fields().Get(i)
			var err error
			switch {
			case f.Message() != nil:
				err = want(md, f.Message())
			case f.Enum() != nil:
				err = want(md, f.Enum())
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// order sorts the files so that imports come first; by name where that leaves a choice. Imports have no cycle.
func (c *closure) order() []string {
	var out []string
	done := map[string]bool{}
	var visit func(string)
	visit = func(path string) {
		if done[path] {
			return
		}
		done[path] = true
		for _, dep := range slices.Sorted(maps.Keys(c.files[path].imports)) {
			visit(dep)
		}
		out = append(out, path)
	}
	for _, path := range slices.Sorted(maps.Keys(c.files)) {
		visit(path)
	}
	return out
}

// file is a file with what is used of it, and with the method if that is its own.
func (c *closure) file(p *part, m protoreflect.MethodDescriptor) *descriptorpb.FileDescriptorProto {
	out := protodesc.ToFileDescriptorProto(p.file)
	out.SourceCodeInfo, out.PublicDependency, out.WeakDependency = nil, nil, nil
	out.Dependency = slices.Sorted(maps.Keys(p.imports))
	out.MessageType = c.messages(out.MessageType, p.file.Package())
	out.EnumType = c.enums(out.EnumType, p.file.Package())
	services := out.Service
	out.Service = nil
	if p.file.Path() != m.ParentFile().Path() {
		return out
	}
	for _, s := range services {
		if s.GetName() != string(m.Parent().Name()) {
			continue
		}
		s.Method = slices.DeleteFunc(s.Method, func(d *descriptorpb.MethodDescriptorProto) bool { return d.GetName() != string(m.Name()) })
		out.Service = append(out.Service, s)
	}
	return out
}

func child(parent protoreflect.FullName, name string) protoreflect.FullName {
	return parent.Append(protoreflect.Name(name))
}

// messages keeps those that are used. One that only holds a used one is an empty shell.
func (c *closure) messages(all []*descriptorpb.DescriptorProto, parent protoreflect.FullName) (out []*descriptorpb.DescriptorProto) {
	for _, d := range all {
		name := child(parent, d.GetName())
		if !c.used[name] {
			continue
		}
		if !c.whole[name] {
			d.Field, d.OneofDecl = nil, nil
		}
		for _, f := range d.Field {
			if f.GetJsonName() == camel(f.GetName()) {
				f.JsonName = nil // some servers write it, some do not
			}
		}
		d.NestedType = c.messages(d.NestedType, name)
		d.EnumType = c.enums(d.EnumType, name)
		out = append(out, d)
	}
	return out
}

func (c *closure) enums(all []*descriptorpb.EnumDescriptorProto, parent protoreflect.FullName) (out []*descriptorpb.EnumDescriptorProto) {
	for _, d := range all {
		if c.used[child(parent, d.GetName())] {
			out = append(out, d)
		}
	}
	return out
}

// camel is the JSON name of a field that has no other.
func camel(name string) string {
	var b strings.Builder
	up := false
	for _, c := range []byte(name) {
		switch {
		case c == '_':
			up = true
			continue
		case up && 'a' <= c && c <= 'z':
			c -= 'a' - 'A'
		}
		up = false
		b.WriteByte(c)
	}
	return b.String()
}
