package console

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// apiCall is what the clients of a route send: the parts of a request that its function's arguments read.
type apiCall struct {
	summary string
	result  *gateway.Type
	path    map[string]gateway.Type     // types of variables
	query   map[string]gateway.Argument // parameters by name
	headers map[string]gateway.Argument
	body    map[string]gateway.Argument // fields of the JSON object
	whole   *gateway.Type               // the body itself
}

func callOf(e *gateway.TableRoute) *apiCall {
	c := &apiCall{
		path: map[string]gateway.Type{}, query: map[string]gateway.Argument{},
		headers: map[string]gateway.Argument{}, body: map[string]gateway.Argument{},
	}
	d := leadingDestination(e)
	if d == nil {
		return c
	}
	c.summary, c.result = d.Function.Summary, d.Function.Signature.Result
	for _, b := range d.Arguments(e.Match) {
		switch b.From {
		case gateway.FromArgs:
			c.reads(b.Value, b.Argument)
		case gateway.FromPath:
			c.path[b.Value.Path[1]] = b.Type
		default:
			c.take(b.Argument)
		}
	}
	return c
}

// take notes an argument that comes from where the function has it, by its name there.
func (c *apiCall) take(a gateway.Argument) {
	own := a.Name
	a.Name, a.Field = cmp.Or(a.Field, own), ""
	switch a.In {
	case gateway.InHeader:
		c.headers[a.Name] = a
	case gateway.InBody:
		a.Field = own // what it is called elsewhere
		c.body[a.Name] = a
	case gateway.InWholeBody:
		c.whole = &a.Type
	default:
		c.query[a.Name] = a
	}
}

// reads notes what an argument's expression reads of the request; where that is the whole expression, the argument's
// type is that of the part.
func (c *apiCall) reads(e gateway.Expr, a gateway.Argument) {
	whole := e.Op == gateway.OpRequest
	e.Walk(func(x gateway.Expr) {
		if x.Op != gateway.OpRequest || len(x.Path) < 2 {
			return
		}
		part := gateway.Argument{Name: x.Path[1], Required: whole && a.Required}
		if whole && len(x.Path) == 2 {
			part.Type = a.Type
		}
		switch x.Path[0] {
		case "path":
			c.path[part.Name] = part.Type
		case "query":
			c.query[part.Name] = part
		case "headers":
			c.headers[part.Name] = part
		case "body":
			c.body[part.Name] = part
		}
	})
}

// apiTakesBody says that clients send bodies with a method.
func apiTakesBody(method string) bool {
	return method == "post" || method == "put" || method == "patch"
}

// bodyless moves what would stand in a body to the query, where a call looks first.
func (c *apiCall) bodyless() {
	for _, a := range c.body {
		name := cmp.Or(a.Field, a.Name)
		if _, there := c.query[name]; !there {
			c.query[name] = a
		}
	}
	c.body, c.whole = map[string]gateway.Argument{}, nil
}

// apiHeaders are those that OpenAPI says by other means.
var apiHeaders = []string{"accept", "content-type", "authorization"}

func (c *apiCall) parameters(names []apiVariable) (out []any) {
	for _, n := range names {
		out = append(out, map[string]any{"name": n.shown, "in": "path", "required": true, "schema": pathSchema(c.path[n.name])})
	}
	add := func(in string, args map[string]gateway.Argument) {
		for _, name := range slices.Sorted(maps.Keys(args)) {
			p := map[string]any{"name": name, "in": in, "schema": schemaOf(&gateway.Type{Kind: gateway.TypeAny})}
			a := args[name]
			p["schema"] = schemaOf(&a.Type)
			if a.Required {
				p["required"] = true
			}
			out = append(out, p)
		}
	}
	maps.DeleteFunc(c.headers, func(name string, _ gateway.Argument) bool { return slices.Contains(apiHeaders, strings.ToLower(name)) })
	add("query", c.query)
	add("header", c.headers)
	return out
}

// pathSchema is text where nothing more is known.
func pathSchema(t gateway.Type) map[string]any {
	if t.Kind == gateway.TypeAny {
		t.Kind = gateway.TypeString
	}
	return schemaOf(&t)
}

func (c *apiCall) requestBody() map[string]any {
	if c.whole == nil && len(c.body) == 0 {
		return nil
	}
	t := c.whole
	if t == nil {
		t = &gateway.Type{Kind: gateway.TypeObject}
		for _, name := range slices.Sorted(maps.Keys(c.body)) {
			t.Fields = append(t.Fields, c.body[name])
		}
	}
	return map[string]any{
		"required": slices.ContainsFunc(t.Fields, func(a gateway.Argument) bool { return a.Required }),
		"content":  map[string]any{"application/json": map[string]any{"schema": schemaOf(t)}},
	}
}

// responses describes the answers of an entry.
func (c *apiCall) responses(e *gateway.TableRoute) map[string]any {
	if x := e.Route.Redirect; x != nil {
		return map[string]any{strconv.Itoa(max(x.Status, 300)): map[string]any{"description": "a redirect"}}
	}
	if x := e.Route.Respond; x != nil {
		fixed := map[string]any{"description": "a fixed answer"}
		if x.Body != "" && x.ContentType != "" {
			fixed["content"] = apiContent(x.ContentType, map[string]any{"type": "string"})
		}
		return map[string]any{strconv.Itoa(max(x.Status, 200)): fixed}
	}
	ok := map[string]any{"description": "success"}
	switch media, body := answerOf(e); {
	case isJSON(media):
		ok["content"] = apiContent(media, madeSchema(body))
	case media != "":
		ok["content"] = apiContent(media, map[string]any{"type": "string"})
	case c.result != nil:
		ok["content"] = apiContent("application/json", schemaOf(c.result))
	}
	return map[string]any{"200": ok, "default": map[string]any{"description": "an error"}}
}

func apiContent(contentType string, schema map[string]any) map[string]any {
	media, _, _ := strings.Cut(contentType, ";")
	return map[string]any{strings.TrimSpace(media): map[string]any{"schema": schema}}
}

func isJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	return media == "application/json" || strings.HasSuffix(media, "+json")
}

// answerer is implemented by features that make the body of successful answers: its media type, empty where they leave
// it alone, and its expression.
type answerer interface {
	AnswerType() string
	AnswerBody() gateway.Expr
}

// answerOf is the last body that features make of the answers of the leading destination; an empty media type leaves the
// function's own.
func answerOf(e *gateway.TableRoute) (media string, body gateway.Expr) {
	d := leadingDestination(e)
	if d == nil && len(e.Destinations) > 0 {
		d = e.Destinations[0]
	}
	if d == nil {
		return "", body
	}
	for _, f := range d.Features { // weakest first: it is the last to see an answer
		if a, ok := f.Feature.(answerer); ok && a.AnswerType() != "" {
			return a.AnswerType(), a.AnswerBody()
		}
	}
	return "", body
}

// madeSchema is what an expression's form says of the JSON that it makes.
func madeSchema(e gateway.Expr) map[string]any {
	switch e.Op {
	case gateway.OpTemplate:
		return map[string]any{"type": "string"}
	case gateway.OpTuple:
		return map[string]any{"type": "array"}
	case gateway.OpFor:
		if e.Args[1].IsZero() {
			return map[string]any{"type": "array"}
		}
		return map[string]any{"type": "object"}
	case gateway.OpObject:
		properties := map[string]any{}
		for i := 0; i+1 < len(e.Args); i += 2 {
			if name, ok := e.Args[i].Value.(string); ok && e.Args[i].Op == gateway.OpConst {
				properties[name] = madeSchema(e.Args[i+1])
			}
		}
		return map[string]any{"type": "object", "properties": properties}
	}
	return map[string]any{}
}

// schemaOf writes a type as a JSON schema.
func schemaOf(t *gateway.Type) map[string]any {
	s := map[string]any{}
	if t == nil {
		return s
	}
	switch t.Kind {
	case gateway.TypeAny:
	case gateway.TypeMap:
		s["type"] = "object"
		s["additionalProperties"] = schemaOf(t.Elem)
	case gateway.TypeArray:
		s["type"] = "array"
		s["items"] = schemaOf(t.Elem)
	case gateway.TypeObject:
		s["type"] = "object"
		properties, required := map[string]any{}, []string{}
		for _, f := range t.Fields {
			properties[f.Name] = schemaOf(&f.Type)
			if f.Required {
				required = append(required, f.Name)
			}
		}
		if len(properties) > 0 {
			s["properties"] = properties
		}
		if len(required) > 0 {
			s["required"] = required
		}
	default:
		s["type"] = string(t.Kind)
	}
	if len(t.Enum) > 0 {
		s["enum"] = t.Enum
	}
	if t.Format != "" {
		s["format"] = t.Format
	}
	return s
}
