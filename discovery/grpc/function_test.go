package reflection

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testgrpc"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGolden shows every function of the test service: its signature, and its descriptor.
func TestGolden(t *testing.T) {
	f := New(gateway.GRPC{}, at(t, testgrpc.Start(t, testgrpc.Both)))
	functions, _, err := f.round(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, fn := range functions {
		shown := *fn
		method := *fn.GRPC
		shown.GRPC, method.Descriptor = &method, nil
		b, err := json.Marshal(shown)
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString("-- " + fn.Name + " --\n")
		if err := json.Indent(&out, b, "", " "); err != nil {
			t.Fatal(err)
		}
		set := &descriptorpb.FileDescriptorSet{}
		if err := proto.Unmarshal(fn.GRPC.Descriptor, set); err != nil {
			t.Fatal(err)
		}
		for _, file := range set.File {
			b, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(file)
			if err != nil {
				t.Fatal(err)
			}
			out.WriteByte('\n')
			if err := json.Compact(&out, b); err != nil {
				t.Fatal(err)
			}
		}
		out.WriteByte('\n')
	}
	const path = "testdata/users.golden"
	if *update {
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("-update rewrites %s (-want +got):\n%s", path, diff)
	}
}

// TestDescriptorsDoNotDependOnTheRest of a file: what a method does not reach may come and go.
func TestDescriptorsDoNotDependOnTheRest(t *testing.T) {
	remote := &fake{}
	remote.define("S", 1, nil)
	f := New(gateway.GRPC{}, remote.start(t))
	before, _, err := f.round(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	remote.define("S", 2, func(file *descriptorpb.FileDescriptorProto) {
		file.MessageType = append([]*descriptorpb.DescriptorProto{{Name: proto.String("New")}}, file.MessageType...)
		file.MessageType[1].ReservedName = []string{"gone"}
		file.Options = &descriptorpb.FileOptions{GoPackage: proto.String("x")}
		file.Service[0].Method[0].Options = &descriptorpb.MethodOptions{Deprecated: proto.Bool(true)}
		file.Service[0].Method[1].InputType = proto.String(".t.New")
	})
	after, _, err := f.round(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before[0].GRPC.Descriptor, after[0].GRPC.Descriptor) {
		t.Error("a method's descriptor has changed with what it does not reach")
	}
	if bytes.Equal(after[0].GRPC.Descriptor, after[1].GRPC.Descriptor) {
		t.Error("two methods have one descriptor")
	}
}

// TestWhatDecidesTheWireStays: maps, groups, presence and the features of editions.
func TestWhatDecidesTheWireStays(t *testing.T) {
	remote := &fake{}
	delimited := descriptorpb.FeatureSet_DELIMITED
	closed := descriptorpb.FeatureSet_CLOSED
	remote.define("S", 1, func(file *descriptorpb.FileDescriptorProto) {
		file.Syntax, file.Edition = proto.String("editions"), descriptorpb.Edition_EDITION_2023.Enum()
		file.Options = &descriptorpb.FileOptions{Features: &descriptorpb.FeatureSet{EnumType: &closed}, JavaPackage: proto.String("x")}
		m := file.MessageType[0]
		m.Field = append(m.Field, &descriptorpb.FieldDescriptorProto{
			Name: proto.String("child"), Number: proto.Int32(2), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
			Type: descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), TypeName: proto.String(".t.SMessage"),
			Options: &descriptorpb.FieldOptions{Features: &descriptorpb.FeatureSet{MessageEncoding: &delimited}, Lazy: proto.Bool(true)},
		})
	})
	f := New(gateway.GRPC{}, remote.start(t))
	functions, _, err := f.round(t.Context(), true)
	if err != nil || len(functions) != 1 {
		t.Fatal(err, f.Notes())
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(functions[0].GRPC.Descriptor, set); err != nil {
		t.Fatal(err)
	}
	file := set.File[0]
	options := file.MessageType[0].Field[1].GetOptions()
	if file.GetOptions().GetFeatures().GetEnumType() != closed || options.GetFeatures().GetMessageEncoding() != delimited {
		t.Errorf("a feature is gone: %v", file)
	}
	if file.GetOptions().JavaPackage != nil || options.Lazy != nil {
		t.Errorf("an option is left: %v", file)
	}
}

func TestSummary(t *testing.T) {
	remote := &fake{}
	remote.define("S", 1, func(file *descriptorpb.FileDescriptorProto) {
		file.SourceCodeInfo = &descriptorpb.SourceCodeInfo{Location: []*descriptorpb.SourceCodeInfo_Location{{
			Path: []int32{6, 0, 2, 0}, Span: []int32{1, 0, 2},
			LeadingComments: proto.String("  Says\tit, " + strings.Repeat("é", 150) + "\n and more.\n"),
		}}}
	})
	functions, _, err := New(gateway.GRPC{}, remote.start(t)).round(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if s := functions[0].Summary; !strings.HasPrefix(s, "Says it, éé") || len(s) > summaryLimit || strings.ContainsRune(s, '\uFFFD') {
		t.Errorf("%q", s)
	}
}

// TestTypesEnd: messages that refer to each other in all ways are written out to a bound.
func TestTypesEnd(t *testing.T) {
	remote := &fake{}
	const n = 12
	remote.define("S", 1, func(file *descriptorpb.FileDescriptorProto) {
		for i := range n {
			m := &descriptorpb.DescriptorProto{Name: proto.String("M" + string(rune('a'+i)))}
			for j := range n {
				m.Field = append(m.Field, &descriptorpb.FieldDescriptorProto{
					Name: proto.String("f" + string(rune('a'+j))), Number: proto.Int32(int32(j + 1)),
					Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(), Type: descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(),
					TypeName: proto.String(".t.M" + string(rune('a'+j))),
				})
			}
			file.MessageType = append(file.MessageType, m)
		}
		file.Service[0].Method[0].InputType = proto.String(".t.Ma")
	})
	functions, _, err := New(gateway.GRPC{}, remote.start(t)).round(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(functions[0].Signature)
	if err != nil || len(b) > 1<<20 {
		t.Errorf("a signature of %d bytes: %v", len(b), err)
	}
	if self := functions[0].Signature.Args[0]; self.Name != "fa" || self.Type.Kind != gateway.TypeAny {
		t.Errorf("a message within itself is %+v", self)
	}
}

// FuzzDescribe feeds files to what links and trims them. Whatever comes out is a descriptor of one method that stands for
// itself, and trimming it changes nothing.
func FuzzDescribe(f *testing.F) {
	seed := &descriptorpb.FileDescriptorSet{}
	for _, path := range []string{"common/v1/common.proto", "users/v1/users.proto"} {
		d, err := testgrpc.Files().FindFileByPath(path)
		if err != nil {
			f.Fatal(err)
		}
		seed.File = append(seed.File, protodesc.ToFileDescriptorProto(d))
	}
	b, err := proto.Marshal(seed)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(append([]byte{0x0a, byte(len(deep(8)))}, deep(8)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		set := &descriptorpb.FileDescriptorSet{}
		o := proto.UnmarshalOptions{AllowPartial: true, RecursionLimit: nesting, Resolver: noExtensions}
		if o.Unmarshal(b, set) != nil {
			return
		}
		files := rawFiles{}
		var services []protoreflect.FullName
		for _, file := range set.File {
			files[file.GetName()] = file
			for _, s := range file.Service {
				services = append(services, protoreflect.FullName(file.GetPackage()).Append(protoreflect.Name(s.GetName())))
			}
		}
		for _, name := range services {
			if !name.IsValid() {
				continue
			}
			s, err := link(files, name)
			if err != nil {
				continue
			}
			functions, _ := functionsOf(s)
			for _, fn := range functions {
				standsForItself(t, fn)
			}
		}
	})
}

func standsForItself(t *testing.T, fn *gateway.Function) {
	t.Helper()
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(fn.GRPC.Descriptor, set); err != nil {
		t.Fatal(err)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		t.Fatalf("%s: %v\n%v", fn.Name, err, set)
	}
	d, err := files.FindDescriptorByName(protoreflect.FullName(fn.GRPC.Service + "." + fn.GRPC.Method))
	if err != nil {
		t.Fatal(err)
	}
	again, err := trim(d.(protoreflect.MethodDescriptor))
	if err != nil || !bytes.Equal(again, fn.GRPC.Descriptor) {
		t.Errorf("%s: trimmed twice it is another: %v", fn.Name, err)
	}
}
