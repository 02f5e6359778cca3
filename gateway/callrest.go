package gateway

import (
	"slices"
	"strings"
)

// rest builds the request to an HTTP service. What the function has no say in, and what it would have as it is, passes:
// then nothing is written here, and Envoy does it without help.
func (c *caller) rest() *Call {
	op := c.fn.REST
	call := &Call{}
	if m := c.match.methods(); len(m) != 1 || m[0] != op.Method {
		call.Method = op.Method
	}
	if d := op.Declared; d != nil {
		c.declared(call, op, d)
		return call
	}
	args := c.arguments()
	call.Path = c.path(op.Path, args)
	c.query(call, args)
	for _, a := range args {
		if e, from := c.value(a); a.In == InHeader && from != fromClient {
			call.setHeader(fieldOf(a), e)
		}
	}
	c.body(call, op, args)
	return call
}

func (c *Call) setHeader(name string, e Expr) {
	if c.Headers == nil {
		c.Headers = map[string]Expr{}
	}
	c.Headers[strings.ToLower(name)] = e
}

func (c *Call) setQuery(name string, e Expr) {
	if c.Query == nil {
		c.Query = map[string]Expr{}
	}
	c.Query[name] = e
}

// path fills in the template. It is zero where the client's path is the function's own, variable by variable.
func (c *caller) path(template string, args []Argument) Expr {
	values := map[string]Expr{}
	own := pathTemplate(template) == c.match.Path
	for _, a := range args {
		if a.In == InPath {
			e, from := c.value(a)
			values[fieldOf(a)] = e
			own = own && from == fromPath && c.variable(a) == variableFor(fieldOf(a))
		}
	}
	if own {
		return Expr{}
	}
	return fillTemplate(template, values, c)
}

// fillTemplate is a path with expressions in place of its variables.
func fillTemplate(template string, values map[string]Expr, c *caller) Expr {
	text := func(s string) Expr { return Expr{Op: OpConst, Value: s, Range: c.to.Range} }
	out := Expr{Op: OpTemplate, Range: c.to.Range}
	rest := template
	for {
		literal, after, opens := strings.Cut(rest, "{")
		name, next, closes := strings.Cut(after, "}")
		if !opens || !closes {
			break
		}
		if literal != "" {
			out.Args = append(out.Args, text(literal))
		}
		name, _, _ = strings.Cut(name, "=")
		out.Args = append(out.Args, values[name])
		rest = next
	}
	if len(out.Args) == 0 {
		return text(template)
	}
	if rest != "" {
		out.Args = append(out.Args, text(rest))
	}
	return out
}

// query sets the parameters that do not come from the client's query string by themselves. The string itself goes along.
// A list that the client may send in its query is left alone: only its first element could be looked at.
func (c *caller) query(call *Call, args []Argument) {
	for _, a := range args {
		if a.In != InQuery {
			continue
		}
		if e, from := c.value(a); from != fromClient || c.fields && a.Type.Kind != TypeArray {
			call.setQuery(fieldOf(a), e)
		}
	}
}

// declared builds the request as a function block says. A part that the block does not mention passes.
func (c *caller) declared(call *Call, op *RESTOperation, d *DeclaredCall) {
	values := map[string]Expr{}
	inPath := map[string]Expr{}
	own := pathTemplate(op.Path) == c.match.Path
	for _, a := range c.arguments() {
		e, from := c.value(a)
		values[a.Name] = e
		if a.In == InPath {
			inPath[a.Name] = e
			own = own && from == fromPath && c.variable(a) == variableFor(fieldOf(a))
		}
	}
	if !own {
		call.Path = fillTemplate(op.Path, inPath, c)
	}
	for name, e := range d.Query {
		call.setQuery(name, substitute(e, values))
	}
	call.DropQuery = d.Query != nil
	for name, e := range d.Headers {
		call.setHeader(name, substitute(e, values))
	}
	switch {
	case !d.Body.IsZero():
		call.Body, call.ContentType = substitute(d.Body, values), contentType(d.ContentType)
	case !hasBody(op.Method):
		call.DropBody = c.some
	}
}

// substitute puts the values of arguments in place of their names.
func substitute(e Expr, values map[string]Expr) Expr {
	if e.Op == OpArg && len(e.Path) > 0 {
		v, ok := values[e.Path[0]]
		if !ok {
			v = Expr{Op: OpConst, Range: e.Range}
		}
		for _, name := range e.Path[1:] {
			if v.Op == OpRequest && len(v.Path) > 0 && v.Path[0] == "body" {
				v.Path = append(slices.Clip(v.Path), name)
				continue
			}
			v = Expr{Op: OpAttr, Name: name, Args: []Expr{v}, Range: e.Range}
		}
		return v
	}
	if len(e.Args) == 0 {
		return e
	}
	out := e
	out.Args = make([]Expr, len(e.Args))
	for i, a := range e.Args {
		out.Args[i] = substitute(a, values)
	}
	return out
}
