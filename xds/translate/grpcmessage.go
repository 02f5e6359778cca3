package translate

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sluice-gateway/sluice/gateway"
)

// byName is the message as an expression: for every field the variable of the path that is mapped to it, else the query
// parameter, else the field of the body, of its name.
func (m *method) byName(fields map[string]string) gateway.Expr {
	out := gateway.Expr{Op: gateway.OpObject}
	variables := map[string]string{}
	for variable, field := range fields {
		variables[field] = variable
	}
	for i := range m.input.Fields().Len() {
		f := m.input.Fields().Get(i)
		name := string(f.Name())
		if v, ok := variables[name]; ok {
			out.Args = append(out.Args, constant(name), gateway.Expr{Op: gateway.OpRequest, Path: []string{"path", v}})
			continue
		}
		body := gateway.Expr{Op: gateway.OpRequest, Path: []string{"body", name}}
		if inner := below(variables, name); len(inner) > 0 && f.Message() != nil && !f.IsList() && !f.IsMap() {
			out.Args = append(out.Args, constant(name), filled(f.Message(), body, inner))
			continue
		}
		if f.IsMap() || f.Message() != nil && !bound[f.Message().FullName()] { // no text can be one
			out.Args = append(out.Args, constant(name), body)
			continue
		}
		query := gateway.Expr{Op: gateway.OpRequest, Path: []string{"query", name}}
		given := gateway.Expr{Op: gateway.OpBinary, Name: "!=", Args: []gateway.Expr{query, constant(nil)}}
		if f.IsList() {
			query = gateway.Expr{Op: gateway.OpTuple, Args: []gateway.Expr{query}}
		}
		out.Args = append(out.Args, constant(name), gateway.Expr{Op: gateway.OpCond, Args: []gateway.Expr{given, query, body}})
	}
	return out
}

// below are the variables of the fields of a message that is itself a field.
func below(variables map[string]string, name string) map[string]string {
	out := map[string]string{}
	for field, v := range variables {
		if inner, ok := strings.CutPrefix(field, name+"."); ok {
			out[inner] = v
		}
	}
	return out
}

// filled is a message of the body, in which variables of the path have fields: the body cannot say another value for
// these, by whatever name.
func filled(message protoreflect.MessageDescriptor, body gateway.Expr, variables map[string]string) gateway.Expr {
	made := gateway.Expr{Op: gateway.OpObject}
	key := gateway.Expr{Op: gateway.OpVar, Name: "k"}
	others := constant(true)
	for i := range message.Fields().Len() {
		f := message.Fields().Get(i)
		name := string(f.Name())
		var e gateway.Expr
		if v, ok := variables[name]; ok {
			e = gateway.Expr{Op: gateway.OpRequest, Path: []string{"path", v}}
		} else if inner := below(variables, name); len(inner) > 0 && f.Message() != nil && !f.IsList() && !f.IsMap() {
			e = filled(f.Message(), gateway.Expr{Op: gateway.OpRequest, Path: append(append([]string{}, body.Path...), name)}, inner)
		} else {
			continue
		}
		made.Args = append(made.Args, constant(name), e)
		for _, other := range []string{name, f.JSONName()} {
			differs := gateway.Expr{Op: gateway.OpBinary, Name: "!=", Args: []gateway.Expr{key, constant(other)}}
			others = gateway.Expr{Op: gateway.OpBinary, Name: "&&", Args: []gateway.Expr{others, differs}}
		}
	}
	rest := gateway.Expr{Op: gateway.OpFor, Vars: [2]string{"k", "v"}, Args: []gateway.Expr{body, key, {Op: gateway.OpVar, Name: "v"}, others}}
	return gateway.Expr{Op: gateway.OpCall, Name: "merge", Args: []gateway.Expr{rest, made}}
}
