package console

import (
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// functions lists the functions of the upstreams in force; upstream selects one's, empty all.
func (s *Server) functions(w *gateway.World, upstream string) []Function {
	finders := map[string]Finder{}
	for _, f := range s.cfg.Facts.Finders() {
		finders[f.Key] = f
	}
	out := []Function{}
	all := w.Functions()
	means := shortNames(all)
	for _, f := range all {
		up, name, _ := gateway.SplitFunction(f.ID)
		if upstream != "" && upstream != up {
			continue
		}
		j := Function{
			Upstream: up, Name: name, Address: f.ID.Text(), State: f.State, Hidden: f.Hidden, Age: -1,
			Args: []Argument{}, Callers: []string{},
		}
		if f.Function != nil {
			j.Kind, j.Summary, j.Signature = string(f.Function.Kind), f.Function.Summary, SignatureText(f.Function)
			j.Call = callText(f.Function)
			if short := gateway.FunctionID(up, f.Function.Short); f.Function.Short != "" && means[short] == 1 {
				j.Short = short.Text()
			}
			for _, a := range f.Function.Signature.Args {
				j.Args = append(j.Args, Argument{a.Name, string(a.In), TypeText(&a.Type), a.Required})
			}
		}
		if f.Finder != nil {
			j.Source = f.Finder.String()
			if at, known := finders[j.Source]; known {
				j.Age = at.Age
			}
		}
		if !f.Block.IsZero() {
			j.Block = f.Block.String()
		}
		for _, c := range f.Callers {
			j.Callers = append(j.Callers, c.String())
		}
		out = append(out, j)
	}
	return out
}

// shortNames counts what each short name, or a name that is one, could mean.
func shortNames(all []gateway.FunctionStatus) map[gateway.ID]int {
	means := map[gateway.ID]int{}
	for _, f := range all {
		up, name, _ := gateway.SplitFunction(f.ID)
		means[gateway.FunctionID(up, name)]++
		if f.Function != nil && f.Function.Short != "" {
			means[gateway.FunctionID(up, f.Function.Short)]++
		}
	}
	return means
}

// identifier says that s is written without quotes.
func identifier(s string) bool {
	for i, r := range s {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r != '-' && (r < '0' || r > '9')) {
			return false
		}
	}
	return s != ""
}

// callText is what a function is on the wire: "GET /pets/{id}", "pkg.Service/Method", an ARN.
func callText(f *gateway.Function) string {
	switch {
	case f.REST != nil:
		return f.REST.Method + " " + f.REST.Path
	case f.GRPC != nil:
		return f.GRPC.Service + "/" + f.GRPC.Method
	case f.Lambda != nil:
		return f.Lambda.ARN
	}
	return ""
}

// SignatureText is a signature in one line: "(a number, b? number) → {result number}".
func SignatureText(f *gateway.Function) string {
	var parts []string
	for _, a := range f.Signature.Args {
		name := a.Name
		if !a.Required {
			name += "?"
		}
		parts = append(parts, name+" "+TypeText(&a.Type))
	}
	if !f.Signature.Known {
		parts = append(parts, "…")
	}
	s := "(" + strings.Join(parts, ", ") + ")"
	if f.Signature.Result != nil {
		s += " → " + TypeText(f.Signature.Result)
	}
	return s
}

// TypeText is a type in a few words: "string", "[]Pet" is "[]{…}", a map "map of number". What lies deeper than two
// levels is an ellipsis.
func TypeText(t *gateway.Type) string { return typeText(t, 2) }

func typeText(t *gateway.Type, depth int) string {
	if t == nil || t.Kind == gateway.TypeAny {
		return "any"
	}
	switch t.Kind {
	case gateway.TypeArray:
		return "[]" + typeText(t.Elem, depth)
	case gateway.TypeMap:
		return "map of " + typeText(t.Elem, depth)
	case gateway.TypeObject:
		if depth == 0 || len(t.Fields) == 0 {
			return "{…}"
		}
		var parts []string
		for i, f := range t.Fields {
			if i == 6 {
				parts = append(parts, "…")
				break
			}
			parts = append(parts, f.Name+" "+typeText(&f.Type, depth-1))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return string(t.Kind)
}

// secrets lists the secrets that blocks in force name.
func (s *Server) secrets(w *gateway.World) []Secret {
	out := []Secret{}
	for _, j := range s.cfg.Facts.Secrets() {
		j.UsedBy = []string{}
		for _, user := range w.UsersOf(gateway.ID{Kind: gateway.KindSecret, Name: j.Name}) {
			j.UsedBy = append(j.UsedBy, user.String())
		}
		out = append(out, j)
	}
	return out
}
