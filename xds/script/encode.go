package script

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// version of the encoding. The script refuses programs of another one.
const version = 1

// program is what the script reads, as JSON with short names.
type program struct {
	Version  int      `json:"v"`
	Limit    int      `json:"z"`           // bytes of a body
	Path     [][]any  `json:"p,omitempty"` // segments of the path template: literal, name, literal, …; or "**", name
	Regex    *regex   `json:"g,omitempty"` // in place of a template: the expression over the path
	Request  []change `json:"q,omitempty"`
	Response []change `json:"r,omitempty"`
	Lambda   *lambda  `json:"l,omitempty"`
}

// change is one change of a request or a response.
type change struct {
	Method    any      `json:"m,omitempty"`
	Path      any      `json:"p,omitempty"`
	DropQuery bool     `json:"d,omitempty"`
	Query     [][]any  `json:"u,omitempty"` // name, expression
	Headers   [][]any  `json:"h,omitempty"`
	Body      any      `json:"b,omitempty"`
	Type      string   `json:"t,omitempty"`
	DropBody  bool     `json:"x,omitempty"`
	Statuses  []string `json:"s,omitempty"`
	Status    any      `json:"c,omitempty"`
}

// lambda is the invocation of a Lambda.
type lambda struct {
	Path    string `json:"p,omitempty"` // of the invocation, with its query
	Event   string `json:"e"`
	Answer  string `json:"w"`
	Async   bool   `json:"a,omitempty"`
	Payload any    `json:"y,omitempty"`
	Route   string `json:"k"` // the route key of the event
}

// Encode is the compact form of a program: what stands in the filter context of its route. Equal programs give equal
// text. An error names what the script cannot do.
func Encode(p *gateway.Program) (string, error) {
	run, err := p.Prepared()
	if err != nil {
		return "", err
	}
	out := program{Version: version, Limit: run.Limit}
	if run.Template != "" {
		if out.Path, err = segments(run.Template); err != nil {
			return "", err
		}
	}
	if run.Regex != "" && run.ReadsPath() {
		if out.Regex, err = compileRegex(run.Regex); err != nil {
			return "", err
		}
	}
	enc := &encoder{}
	for _, s := range run.Request {
		out.Request = append(out.Request, change{
			Method: enc.expr(s.Method), Path: enc.expr(s.Path), DropQuery: s.DropQuery, Query: enc.named(s.Query),
			Headers: enc.named(s.Headers), Body: enc.expr(s.Body), Type: s.ContentType, DropBody: s.DropBody,
		})
	}
	for _, s := range run.Response {
		out.Response = append(out.Response, change{
			Statuses: s.Statuses, Status: enc.expr(s.SetStatus), Headers: enc.named(s.Headers),
			Body: enc.expr(s.Body), Type: s.ContentType,
		})
	}
	if l := run.Lambda; l != nil {
		out.Lambda = &lambda{Path: l.Path, Event: l.Event, Answer: l.Answer, Async: l.Async, Payload: enc.expr(l.Payload), Route: l.RouteKey}
	}
	if enc.err != nil {
		return "", enc.err
	}
	b, err := json.Marshal(out)
	if err != nil {
		return "", fmt.Errorf("encode a program: %w", err)
	}
	return string(b), nil
}

// segments parts a path template for the script.
func segments(template string) ([][]any, error) {
	list, err := gateway.ParsePathTemplate(template)
	if err != nil {
		return nil, err
	}
	var out [][]any
	current := []any{""}
	for i, p := range list {
		switch {
		case p.Rest:
			return append(out, []any{"**", p.Name}), nil
		case p.Name != "":
			current = append(current, p.Name, "")
		default:
			literal := p.Literal
			if i == 0 {
				literal = strings.TrimPrefix(literal, "/")
			}
			for n, piece := range strings.Split(literal, "/") {
				if n > 0 {
					out = append(out, current)
					current = []any{""}
				}
				current[len(current)-1] = current[len(current)-1].(string) + piece
			}
		}
	}
	return append(out, current), nil
}

type encoder struct{ err error }

func (c *encoder) named(m map[string]gateway.Expr) [][]any {
	var out [][]any
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, []any{name, c.expr(m[name])})
	}
	return out
}

// operands is how many operands the operations have that have a fixed number.
var operands = map[gateway.Op]int{
	gateway.OpCond: 3, gateway.OpFor: 4, gateway.OpSplat: 2, gateway.OpBinary: 2, gateway.OpUnary: 1, gateway.OpIndex: 2,
	gateway.OpAttr: 1, gateway.OpConvert: 1, gateway.OpHTML: 1, gateway.OpSegment: 1, gateway.OpSegments: 1,
}

var codes = map[gateway.Op]string{
	gateway.OpRequest: "q", gateway.OpResponse: "s", gateway.OpTemplate: "t", gateway.OpCond: "?", gateway.OpTuple: "l",
	gateway.OpObject: "o", gateway.OpIndex: "i", gateway.OpSplat: "@", gateway.OpHTML: "html",
	gateway.OpSegment: "segment", gateway.OpSegments: "segments",
}

// expr is an expression as a JSON array: its operation, then what belongs to it. A zero expression is nil.
func (c *encoder) expr(e gateway.Expr) any {
	if e.IsZero() {
		return nil
	}
	if n, fixed := operands[e.Op]; fixed && n != len(e.Args) {
		c.err = fmt.Errorf("operation %q with %d operands", e.Op, len(e.Args))
		return nil
	}
	out := []any{codes[e.Op]}
	switch e.Op {
	case gateway.OpConst:
		return []any{"c", e.Value}
	case gateway.OpVar:
		return []any{"v", e.Name}
	case gateway.OpRequest, gateway.OpResponse:
		for _, p := range e.Path {
			out = append(out, p)
		}
		return out
	case gateway.OpBinary:
		out[0] = e.Name
	case gateway.OpUnary:
		out[0] = map[string]string{"-": "neg", "!": "!"}[e.Name]
	case gateway.OpAttr:
		out = []any{"a", e.Name}
	case gateway.OpConvert:
		out = []any{"as", e.Name, gateway.ConvertRefusal(e).Says()}
	case gateway.OpCall:
		return c.call(e)
	case gateway.OpFor:
		return c.loop(e)
	default:
		if codes[e.Op] == "" {
			c.err = fmt.Errorf("operation %q is not known to the script", e.Op)
			return nil
		}
	}
	for _, a := range e.Args {
		out = append(out, c.expr(a))
	}
	return out
}

func (c *encoder) call(e gateway.Expr) any {
	least, most, ok := gateway.RequestFunction(e.Name)
	if !ok || len(e.Args) < least || most >= 0 && len(e.Args) > most {
		c.err = fmt.Errorf("no function %s with %d arguments", e.Name, len(e.Args))
		return nil
	}
	out := []any{"f", e.Name}
	for _, a := range e.Args {
		out = append(out, c.expr(a))
	}
	return out
}

// loop is "for", key, value, group, collection, key expression or 0, value expression, condition or 0.
func (c *encoder) loop(e gateway.Expr) any {
	orZero := func(x gateway.Expr) any {
		if x.IsZero() {
			return 0
		}
		return c.expr(x)
	}
	return []any{"for", e.Vars[0], e.Vars[1], e.Group, c.expr(e.Args[0]), orZero(e.Args[1]), c.expr(e.Args[2]), orZero(e.Args[3])}
}
