package translate

import (
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// The descriptors of two methods hold different parts of one file. mergeFile makes one of them hold what both do; with
// apply unset, it only says whether they agree on what is in both.
func mergeFile(into, from *descriptorpb.FileDescriptorProto, apply bool) bool {
	if len(into.PublicDependency)+len(into.WeakDependency)+len(from.PublicDependency)+len(from.WeakDependency) > 0 {
		return proto.Equal(into, from) // these count imports
	}
	if into.GetPackage() != from.GetPackage() || into.GetSyntax() != from.GetSyntax() || into.GetEdition() != from.GetEdition() ||
		!proto.Equal(into.Options, from.Options) || !equal(into.Extension, from.Extension) ||
		!mergeMessages(&into.MessageType, from.MessageType, apply) || !mergeEnums(&into.EnumType, from.EnumType, apply) {
		return false
	}
	for _, s := range from.Service {
		have := named(into.Service, s.GetName())
		if have != nil && (!proto.Equal(have.Options, s.Options) || !mergeMethods(have, s, apply)) {
			return false
		}
		if have == nil && apply {
			into.Service = append(into.Service, s)
		}
	}
	if apply {
		for _, d := range from.Dependency {
			if !slices.Contains(into.Dependency, d) {
				into.Dependency = append(into.Dependency, d)
			}
		}
	}
	return true
}

func mergeMethods(into, from *descriptorpb.ServiceDescriptorProto, apply bool) bool {
	for _, m := range from.Method {
		have := named(into.Method, m.GetName())
		if have != nil && !proto.Equal(have, m) {
			return false
		}
		if have == nil && apply {
			into.Method = append(into.Method, m)
		}
	}
	return true
}

func mergeMessages(into *[]*descriptorpb.DescriptorProto, from []*descriptorpb.DescriptorProto, apply bool) bool {
	for _, m := range from {
		have := named(*into, m.GetName())
		if have != nil && !mergeMessage(have, m, apply) {
			return false
		}
		if have == nil && apply {
			*into = append(*into, m)
		}
	}
	return true
}

// mergeMessage takes a message without fields for the shell around one that is used.
func mergeMessage(into, from *descriptorpb.DescriptorProto, apply bool) bool {
	switch {
	case !proto.Equal(into.Options, from.Options) || !equal(into.Extension, from.Extension):
		return false
	case len(from.Field) == 0:
	case len(into.Field) == 0:
		if apply {
			into.Field, into.OneofDecl = from.Field, from.OneofDecl
		}
	case !equal(into.Field, from.Field) || !equal(into.OneofDecl, from.OneofDecl):
		return false
	}
	return mergeMessages(&into.NestedType, from.NestedType, apply) && mergeEnums(&into.EnumType, from.EnumType, apply)
}

func mergeEnums(into *[]*descriptorpb.EnumDescriptorProto, from []*descriptorpb.EnumDescriptorProto, apply bool) bool {
	for _, e := range from {
		have := named(*into, e.GetName())
		if have != nil && !proto.Equal(have, e) {
			return false
		}
		if have == nil && apply {
			*into = append(*into, e)
		}
	}
	return true
}

func named[D interface {
	comparable
	GetName() string
}](all []D, name string) (none D) {
	for _, d := range all {
		if d.GetName() == name {
			return d
		}
	}
	return none
}

func equal[M proto.Message](a, b []M) bool {
	return slices.EqualFunc(a, b, func(x, y M) bool { return proto.Equal(x, y) })
}
