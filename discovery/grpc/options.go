package reflection

import (
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// dropped are the parts of a description that a call does not need.
var dropped = map[protoreflect.FullName]bool{
	"google.protobuf.FileDescriptorProto.extension":         true,
	"google.protobuf.FileDescriptorProto.option_dependency": true,
	"google.protobuf.DescriptorProto.extension":             true,
	"google.protobuf.DescriptorProto.extension_range":       true,
	"google.protobuf.DescriptorProto.reserved_range":        true,
	"google.protobuf.DescriptorProto.reserved_name":         true,
	"google.protobuf.EnumDescriptorProto.reserved_range":    true,
	"google.protobuf.EnumDescriptorProto.reserved_name":     true,
}

// meant are the options that decide how a message is written; all others are only for those who generate code of it.
var meant = map[protoreflect.FullName]bool{
	"google.protobuf.FileOptions.features":                                  true,
	"google.protobuf.MessageOptions.features":                               true,
	"google.protobuf.MessageOptions.map_entry":                              true,
	"google.protobuf.MessageOptions.message_set_wire_format":                true,
	"google.protobuf.MessageOptions.deprecated_legacy_json_field_conflicts": true,
	"google.protobuf.FieldOptions.features":                                 true,
	"google.protobuf.FieldOptions.packed":                                   true,
	"google.protobuf.OneofOptions.features":                                 true,
	"google.protobuf.EnumOptions.features":                                  true,
	"google.protobuf.EnumOptions.allow_alias":                               true,
	"google.protobuf.EnumOptions.deprecated_legacy_json_field_conflicts":    true,
	"google.protobuf.EnumValueOptions.features":                             true,
}

var optionMessages = map[protoreflect.FullName]bool{
	"google.protobuf.FileOptions": true, "google.protobuf.MessageOptions": true, "google.protobuf.FieldOptions": true,
	"google.protobuf.OneofOptions": true, "google.protobuf.EnumOptions": true, "google.protobuf.EnumValueOptions": true,
	"google.protobuf.ServiceOptions": true, "google.protobuf.MethodOptions": true,
}

// keepMeaning strips a file to what calls need. Comments stay.
func keepMeaning(f *descriptorpb.FileDescriptorProto) {
	source := f.SourceCodeInfo
	f.SourceCodeInfo = nil
	strip(f.ProtoReflect())
	f.SourceCodeInfo = source
}

func strip(m protoreflect.Message) {
	m.SetUnknown(nil)
	options := optionMessages[m.Descriptor().FullName()]
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsExtension(), dropped[f.FullName()], options && !meant[f.FullName()]:
			m.Clear(f)
		case f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				strip(v.List().Get(i).Message())
			}
		default:
			strip(v.Message())
			if optionMessages[f.Message().FullName()] && empty(v.Message()) {
				m.Clear(f)
			}
		}
		return true
	})
}

func empty(m protoreflect.Message) bool {
	found := false
	m.Range(func(protoreflect.FieldDescriptor, protoreflect.Value) bool {
		found = true
		return false
	})
	return !found
}
