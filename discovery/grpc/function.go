package reflection

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sluice-gateway/sluice/gateway"
)

const summaryLimit = 200 // bytes

// functionsOf makes a function of each method. One whose messages are not described in full is left out, and a note
// says so.
func functionsOf(s protoreflect.ServiceDescriptor) (functions []*gateway.Function, notes []string) {
	for i := range s.Methods().Len() {
		m := s.Methods().Get(i)
		f, err := functionOf(m)
		if err != nil {
			notes = append(notes, fmt.Sprintf("method %s/%s cannot be called: %v", s.FullName(), m.Name(), err))
			continue
		}
		functions = append(functions, f)
	}
	return functions, notes
}

func functionOf(m protoreflect.MethodDescriptor) (*gateway.Function, error) {
	descriptor, err := trim(m)
	if err != nil {
		return nil, err
	}
	return &gateway.Function{
		Name:      string(m.Parent().FullName()) + "/" + string(m.Name()),
		Short:     string(m.Name()),
		Summary:   summary(m),
		Kind:      gateway.FunctionGRPC,
		Signature: signature(m),
		GRPC: &gateway.GRPCMethod{
			Service:      string(m.Parent().FullName()),
			Method:       string(m.Name()),
			ClientStream: m.IsStreamingClient(),
			ServerStream: m.IsStreamingServer(),
			Descriptor:   descriptor,
		},
	}, nil
}

// summary is the first line of a method's comment, where the server sends comments.
func summary(m protoreflect.MethodDescriptor) string {
	text := strings.TrimSpace(m.ParentFile().SourceLocations().ByDescriptor(m).LeadingComments)
	line, _, _ := strings.Cut(text, "\n")
	line = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) && r != utf8.RuneError {
			return r
		}
		return ' '
	}, line)
	for len(line) > summaryLimit {
		_, size := utf8.DecodeLastRuneInString(line)
		line = line[:len(line)-size]
	}
	return strings.TrimSpace(line)
}
