package gateway

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// boundFunction is an instance of a function block in force.
type boundFunction struct {
	block    *FunctionBlock
	declared *Function // what it declares; nil where it is laid on a discovered function
}

func bindFunction(b *FunctionBlock) *boundFunction {
	out := &boundFunction{block: b}
	if b.Declares() {
		out.declared = declaredFunction(b)
	}
	return out
}

// declaredFunction is what a function block declares. Its arguments are the variables of its path and what its
// expressions mention; nothing else is taken.
func declaredFunction(b *FunctionBlock) *Function {
	f := &Function{Name: b.Name, Kind: FunctionREST, Signature: Signature{Known: true}, REST: &RESTOperation{
		Method: cmp.Or(b.Method, http.MethodGet), Path: b.Path,
		Declared: &DeclaredCall{Query: b.Query, Headers: b.Headers, Body: b.Body, ContentType: b.ContentType},
	}}
	args := map[string]Argument{}
	mention := func(e Expr, in Location) {
		e.Walk(func(x Expr) {
			if x.Op == OpArg && len(x.Path) > 0 {
				if _, seen := args[x.Path[0]]; !seen {
					args[x.Path[0]] = Argument{Name: x.Path[0], In: in}
				}
			}
		})
	}
	for _, name := range templateNames(b.Path) {
		args[name] = Argument{Name: name, In: InPath, Type: Type{Kind: TypeString}, Required: true}
	}
	for _, name := range slices.Sorted(maps.Keys(b.Query)) {
		mention(b.Query[name], InQuery)
	}
	for _, name := range slices.Sorted(maps.Keys(b.Headers)) {
		mention(b.Headers[name], InHeader)
	}
	mention(b.Body, InBody)
	if !b.Body.IsZero() {
		f.REST.Body = cmp.Or(b.ContentType, "application/json")
	}
	for _, name := range slices.Sorted(maps.Keys(args)) {
		f.Signature.Args = append(f.Signature.Args, args[name])
	}
	return f
}

// templateNames lists the names in braces of a path, in order.
func templateNames(path string) (names []string) {
	for {
		_, after, opens := strings.Cut(path, "{")
		name, rest, closes := strings.Cut(after, "}")
		if !opens || !closes {
			return names
		}
		name, _, _ = strings.Cut(name, "=")
		names = append(names, name)
		path = rest
	}
}

// installFunction puts an instance of a function block in force, or takes it out, and settles what calls the function
// by another name.
func (a *application) installFunction(id string, b *FunctionBlock) {
	if b != nil {
		a.w.functions.set(ID{KindFunction, id}, bindFunction(b))
	} else {
		a.w.functions.del(ID{KindFunction, id})
	}
	up, name, _ := SplitFunction(ID{KindFunction, id})
	u := a.w.upstreams.get(up)
	if u == nil {
		return
	}
	if f := a.w.discovered(u, name); f != nil && f.Short != "" {
		a.settleUsers(FunctionID(up, f.Short))
	}
	for _, f := range a.w.short(u, name) {
		a.settleUsers(FunctionID(up, f.Name))
	}
}

// judgeFunction says what is wrong with the instances of a function block, as things stand.
func (a *application) judgeFunction(b *Block) (diags hcl.Diagnostics) {
	for _, name := range slices.Sorted(maps.Keys(b.Newest.Value.Instances)) {
		v := b.Newest.Value.Instances[name].(*FunctionBlock)
		u := a.w.upstreams.get(v.Upstream)
		if u == nil {
			continue // its reference says so
		}
		at := v.Range
		if !v.Declares() {
			ref := Ref{ID: ID{KindFunction, name}, Range: at}
			if d := a.missingFunction(b.ID, ref); d != nil {
				diags = append(diags, d)
			}
			if fn := a.w.lead(ref.ID).fn; fn != nil {
				c := &caller{fn: fn, to: &Destination{Function: ref, Event: v.Event, Async: v.Async, Stream: v.Stream, Range: at}}
				c.settings()
				diags = append(diags, c.diags...)
			}
			continue
		}
		switch _, short, _ := SplitFunction(ID{KindFunction, name}); {
		case u.PlatformOnly():
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Invalid function", Subject: &at,
				Detail: fmt.Sprintf("The functions of upstream %q are Lambdas, which have neither method nor path. Without them, the block lays its features on the Lambda.", u.Name),
			})
		case a.w.discovered(u, short) != nil:
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagWarning, Summary: "Function declared and discovered", Subject: &at,
				Detail: fmt.Sprintf("Upstream %q has a function %q by itself. What this block declares is called instead; remove method and path to lay features on the one that is discovered.", u.Name, short),
			})
		}
	}
	return diags
}

// blocksOn lists the instances of function blocks that are laid on a function, by its name, its short name and the name
// that a reference used.
func (w *World) blocksOn(upstream string, ref ID, f *Function) (out []*boundFunction, ids []ID) {
	if f == nil {
		return nil, nil
	}
	names := []ID{FunctionID(upstream, f.Name)}
	if f.Short != "" {
		names = append(names, FunctionID(upstream, f.Short))
	}
	for _, id := range append(names, ref) {
		if slices.Contains(ids, id) {
			continue
		}
		b, ok := w.functions.lookup(id)
		if !ok || b.declared != nil && b.declared != f {
			continue
		}
		if l := w.lead(id); id != names[0] && id != ref && (l.fn == nil || l.fn.Name != f.Name) {
			continue
		}
		out, ids = append(out, b), append(ids, id)
	}
	return out, ids
}

// dispensable says that a function block of which nothing is left would leave the reference to it with a function to
// call: it is laid on a discovered one, or hides one.
func (w *World) dispensable(name string, v any) bool {
	b, ok := v.(*FunctionBlock)
	if !ok {
		return false
	}
	if !b.Declares() {
		return true
	}
	up, fn, _ := SplitFunction(ID{KindFunction, name})
	u := w.upstreams.get(up)
	return u != nil && w.discovered(u, fn) != nil
}

// spare says that a whole function block is dispensable.
func (w *World) spare(b *Block) bool {
	if b == nil || b.Kind != KindFunction || b.InForce == nil {
		return false
	}
	for name, v := range b.InForce.Value.Instances {
		if !w.dispensable(name, v) {
			return false
		}
	}
	return true
}
