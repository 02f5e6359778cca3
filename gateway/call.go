package gateway

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// caller builds the call of one destination under one match, and checks its arguments against the signature.
type caller struct {
	w     *World
	to    *Destination
	match *Match
	fn    *Function
	diags hcl.Diagnostics

	blocks []*boundFunction
	vars   map[string]bool // of the match's path
	some   bool            // the client may send a body
	always bool            // every method that matches has a body
	fields bool            // the client may send a body that has fields
}

// build returns the call. What is wrong with the arguments stands in diags; the call is then what can be made of them.
func (c *caller) build() *Call {
	up, _, _ := SplitFunction(c.to.Function.ID)
	c.blocks, _ = c.w.blocksOn(up, c.to.Function.ID, c.fn)
	c.look()
	c.check()
	switch {
	case c.fn.GRPC != nil:
		return c.grpc()
	case c.fn.Lambda != nil:
		return c.lambda()
	}
	return c.rest()
}

// look finds out what the match gives.
func (c *caller) look() {
	c.vars = pathVariables(c.match)
	c.some, c.always = bodies(c.match.methods())
	op := c.fn.REST // what a block declares makes its own body of what the client sends
	c.fields = c.some && (op == nil || op.Declared != nil || op.Body == "" || hasFields(op.Body))
}

// hasBody says that requests of a method carry a body.
func hasBody(method string) bool { return method == "POST" || method == "PUT" || method == "PATCH" }

// bodies says whether some, or all, of the methods of a match carry a body.
func bodies(methods []string) (some, all bool) {
	if len(methods) == 0 {
		return true, false
	}
	return slices.ContainsFunc(methods, hasBody), !slices.ContainsFunc(methods, func(m string) bool { return !hasBody(m) })
}

// origin says where the value of an argument comes from.
type origin uint8

const (
	fromClient origin = iota // nobody said: the client's parameter or field of the same name
	fromPath                 // the variable of the path of the same name
	fromArgs                 // args
)

// value is the value of an argument: what args says, else the variable of the path, else the query parameter, else the
// field of the body. Where the function has it in that place too, the name is the one that it has there, so that two
// arguments which share it are not taken for each other; elsewhere it is the argument's own.
func (c *caller) value(a Argument) (Expr, origin) {
	if e, ok := c.to.Args[a.Name]; ok {
		return e, fromArgs
	}
	if v := c.variable(a); v != "" {
		return c.ofRequest("path", v), fromPath
	}
	query := c.ofRequest("query", nameIn(a, InQuery))
	if !c.fields {
		return query, fromClient
	}
	return either(query, c.ofRequest("body", strings.Split(nameIn(a, InBody), ".")...)), fromClient
}

// variable is the variable of the match's path that an argument takes; "" for none.
func (c *caller) variable(a Argument) string {
	for _, name := range []string{nameIn(a, InPath), a.Name} {
		if v := variableFor(name); c.vars[v] {
			return v
		}
	}
	return ""
}

// nameIn is what an argument is called in a place of the client's request.
func nameIn(a Argument, place Location) string {
	if a.In == place {
		return fieldOf(a)
	}
	return a.Name
}

func (c *caller) ofRequest(part string, names ...string) Expr {
	return Expr{Op: OpRequest, Path: append([]string{part}, names...), Range: c.to.Range}
}

// either is first, or second where first is null.
func either(first, second Expr) Expr {
	null := Expr{Op: OpConst, Range: first.Range}
	set := Expr{Op: OpBinary, Name: "!=", Args: []Expr{first, null}, Range: first.Range}
	return Expr{Op: OpCond, Args: []Expr{set, first, second}, Range: first.Range}
}

// arguments lists what the call takes: the signature's, and, where that is not the whole list, what args names beyond it.
func (c *caller) arguments() []Argument {
	known := map[string]bool{}
	list := slices.Clone(c.fn.Signature.Args)
	for _, a := range list {
		known[a.Name] = true
	}
	add := func(name string, in Location) {
		if !known[name] {
			known[name] = true
			list = append(list, Argument{Name: name, In: in})
		}
	}
	if r := c.fn.REST; r != nil {
		for _, name := range templateNames(r.Path) {
			if !slices.ContainsFunc(list, func(a Argument) bool { return a.In == InPath && fieldOf(a) == name }) {
				add(name, InPath)
			}
		}
	}
	if c.fn.Signature.Known {
		return list
	}
	rest := InBody
	if r := c.fn.REST; r != nil && !hasBody(r.Method) {
		rest = InQuery
	}
	for _, name := range slices.Sorted(maps.Keys(c.to.Args)) {
		add(name, rest)
	}
	return list
}

// fieldOf is the name of an argument in its place.
func fieldOf(a Argument) string { return cmp.Or(a.Field, a.Name) }

// object makes an object of arguments; a dotted field is one of a nested object.
func (c *caller) object(args []Argument) Expr {
	root := &objectTree{at: c.to.Range}
	for _, a := range args {
		e, _ := c.typed(a)
		root.put(strings.Split(fieldOf(a), "."), e)
	}
	return root.expr()
}

// objectTree gathers fields into nested objects.
type objectTree struct {
	at    hcl.Range
	value Expr
	names []string
	below map[string]*objectTree
}

func (t *objectTree) put(path []string, e Expr) {
	if len(path) == 0 {
		t.value = e
		return
	}
	next := t.below[path[0]]
	if next == nil {
		next = &objectTree{at: t.at}
		if t.below == nil {
			t.below = map[string]*objectTree{}
		}
		t.below[path[0]] = next
		t.names = append(t.names, path[0])
	}
	next.put(path[1:], e)
}

func (t *objectTree) expr() Expr {
	if len(t.names) == 0 && !t.value.IsZero() {
		return t.value
	}
	out := Expr{Op: OpObject, Range: t.at}
	for _, name := range slices.Sorted(slices.Values(t.names)) {
		out.Args = append(out.Args, Expr{Op: OpConst, Value: name, Range: t.at}, t.below[name].expr())
	}
	return out
}

// grpc builds the message: an object of all arguments where args is written, else a mapping by name.
func (c *caller) grpc() *Call {
	g := &GRPCCall{Method: c.fn.GRPC, Stream: cmp.Or(c.to.Stream, c.setting(func(b *FunctionBlock) string { return b.Stream }), "array")}
	if c.to.Args != nil {
		g.Message = c.object(c.arguments())
		return &Call{GRPC: g}
	}
	for _, a := range c.fn.Signature.Args {
		if v := variableFor(a.Name); c.vars[v] {
			if g.Fields == nil {
				g.Fields = map[string]string{}
			}
			g.Fields[v] = fieldOf(a)
		}
	}
	return &Call{GRPC: g}
}

// lambda builds the payload where args is written; else the event is made of the request.
func (c *caller) lambda() *Call {
	l := &LambdaCall{
		Function: c.fn.Lambda,
		Event:    cmp.Or(c.to.Event, c.setting(func(b *FunctionBlock) string { return b.Event }), "apigw_v2"),
		Async:    c.async(),
	}
	if c.to.Args != nil {
		l.Payload = c.object(c.arguments())
	}
	return &Call{Lambda: l}
}

// setting is an attribute of the blocks that are laid on the function.
func (c *caller) setting(of func(*FunctionBlock) string) (out string) {
	for _, b := range c.blocks {
		out = cmp.Or(of(b.block), out)
	}
	return out
}

func (c *caller) async() bool {
	out := false
	for _, b := range c.blocks {
		if b.block.Async != nil {
			out = *b.block.Async
		}
	}
	if c.to.Async != nil {
		return *c.to.Async
	}
	return out
}
