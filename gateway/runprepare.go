package gateway

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Bounds of what the engine reads and makes.
const (
	// MaxProgramBody is the largest body that a program reads or replaces, in bytes. A larger request is answered with
	// 413, a larger response with 502.
	MaxProgramBody = 1 << 20
	// MaxLambdaBody is the same where a Lambda is called: what Lambda takes and gives.
	MaxLambdaBody = 6 << 20
	// MaxRegexProgram is the RE2 program size above which the Envoys that sluice starts refuse a regular expression.
	MaxRegexProgram = 1000
)

// Prepared is a program in the form in which it runs: the call is one more change of the request, and what templates
// insert is escaped as the place demands. The script in Envoy and the reference in Go both run it.
type Prepared struct {
	Template string // of the client's path; "" has no variables
	Regex    string // in place of a template, the expression over the path
	Limit    int    // bytes of a body that is read; what is made may be twice as large, but for a KiB
	Request  []PreparedRequest
	Response []PreparedResponse
	Lambda   *PreparedLambda
}

// PreparedRequest is one change of the request.
type PreparedRequest struct {
	Method, Path Expr // zero: as it was
	DropQuery    bool
	Query        map[string]Expr
	Headers      map[string]Expr // lower-case names
	Body         Expr
	ContentType  string
	DropBody     bool
}

// PreparedResponse is one change of the response.
type PreparedResponse struct {
	Statuses    []string
	SetStatus   Expr
	Headers     map[string]Expr // lower-case names
	Body        Expr
	ContentType string
}

// PreparedLambda is the invocation of a Lambda.
type PreparedLambda struct {
	Path     string // of the invocation, with its query
	Event    string // "apigw_v2", "alb", "raw", "payload"
	Answer   string // what the function's answer is: "apigw_v2", "alb", or "raw", the body
	Async    bool
	Payload  Expr
	RouteKey string
}

// Prepared is the program in the form in which it runs. An error is a mistake that the blocks' own checks did not find.
func (p *Program) Prepared() (*Prepared, error) {
	out := &Prepared{Template: p.Path, Regex: p.Regex, Limit: MaxProgramBody}
	rest := ""
	if p.Path != "" {
		parts, err := ParsePathTemplate(p.Path)
		if err != nil {
			return nil, err
		}
		if last := parts[len(parts)-1]; last.Rest {
			rest = last.Name
		}
	}
	if p.Call != nil {
		out.call(p.Call, rest, p.Path)
	}
	for _, c := range p.Request {
		out.Request = append(out.Request, PreparedRequest{
			Method: c.Method, Path: escapedPath(c.Path, rest), Query: c.Query, Headers: LowerHeaders(c.Headers),
			Body: c.Body, ContentType: c.ContentType,
		})
	}
	for _, c := range p.Response {
		body := c.Body
		if !body.IsZero() && IsHTML(c.ContentType) {
			body = escapeHTML(body)
		}
		out.Response = append(out.Response, PreparedResponse{
			Statuses: c.Statuses, SetStatus: c.SetStatus, Headers: LowerHeaders(c.Headers), Body: body, ContentType: c.ContentType,
		})
	}
	return out, out.check()
}

// call puts the call first.
func (p *Prepared) call(c *Call, rest, template string) {
	first := PreparedRequest{
		Path: escapedPath(c.Path, rest), DropQuery: c.DropQuery, Query: c.Query, Headers: LowerHeaders(c.Headers),
		Body: c.Body, ContentType: c.ContentType, DropBody: c.DropBody,
	}
	if c.Method != "" {
		first.Method = Expr{Op: OpConst, Value: c.Method}
	}
	if g := c.GRPC; g != nil && g.Method != nil && !g.Message.IsZero() {
		first.Method = Expr{Op: OpConst, Value: "POST"}
		first.Path = Expr{Op: OpConst, Value: "/" + g.Method.Service + "/" + g.Method.Method}
		first.DropQuery, first.Query, first.Body, first.ContentType = true, nil, g.Message, MediaJSON
	}
	p.Request = append(p.Request, first)
	l := c.Lambda
	if l == nil || l.Function == nil || l.Function.ARN == "" { // a Function URL takes the request as it is
		return
	}
	p.Limit = MaxLambdaBody
	p.Lambda = &PreparedLambda{Path: invocation(l.Function), Event: l.Event, Async: l.Async, Payload: l.Payload, RouteKey: "$default"}
	if template != "" {
		p.Lambda.RouteKey = "ANY " + template
	}
	if l.Event == "" {
		p.Lambda.Event = "apigw_v2"
	}
	p.Lambda.Answer = p.Lambda.Event
	if !l.Payload.IsZero() {
		p.Lambda.Event = "payload"
	}
}

// invocation is the path of Lambda's Invoke for a function. An ARN may end in its qualifier.
func invocation(f *LambdaFunction) string {
	arn, qualifier := f.ARN, f.Qualifier
	if parts := strings.Split(arn, ":"); len(parts) == 8 {
		arn, qualifier = strings.Join(parts[:7], ":"), parts[7]
	}
	path := "/2015-03-31/functions/" + url.PathEscape(arn) + "/invocations"
	if qualifier != "" {
		path += "?Qualifier=" + url.QueryEscape(qualifier)
	}
	return path
}

func escapedPath(e Expr, rest string) Expr {
	if e.IsZero() {
		return e
	}
	return escapePath(e, rest)
}

// IsHTML says that what templates insert into a body of this content type is escaped for HTML.
func IsHTML(contentType string) bool {
	media := mediaType(contentType)
	return media == MediaHTML || media == "application/xhtml+xml"
}

// refusedHeaders are those that a program cannot set: the edge or the protocol decides them.
var refusedHeaders = []string{"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "keep-alive"}

func (p *Prepared) check() error {
	names := func(m map[string]Expr) error {
		for name := range m {
			if name == "" || strings.HasPrefix(name, ":") || slices.Contains(refusedHeaders, name) {
				return fmt.Errorf("the header %q cannot be set", name)
			}
			if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == ':' }) {
				return fmt.Errorf("%q is no name of a header", name)
			}
		}
		return nil
	}
	for _, c := range p.Request {
		if err := names(c.Headers); err != nil {
			return err
		}
	}
	for _, c := range p.Response {
		if err := names(c.Headers); err != nil {
			return err
		}
		for _, s := range c.Statuses {
			if !statusPattern(s) {
				return fmt.Errorf("%q is neither a status nor a class of them", s)
			}
		}
	}
	return nil
}

// statusPattern says whether s is like "404" or "2xx".
func statusPattern(s string) bool {
	if len(s) != 3 || s[0] < '1' || s[0] > '5' {
		return false
	}
	return s[1:] == "xx" || s[1] >= '0' && s[1] <= '9' && s[2] >= '0' && s[2] <= '9'
}

// SetsPath says that the program decides the path of what is sent.
func (p *Prepared) SetsPath() bool {
	return p.Lambda != nil || slices.ContainsFunc(p.Request, func(c PreparedRequest) bool { return !c.Path.IsZero() })
}

// ReadsPath says that the program reads variables of the client's path.
func (p *Prepared) ReadsPath() bool {
	reads := p.Lambda != nil && p.Lambda.Event == "apigw_v2"
	p.walk(func(e Expr) { reads = reads || e.Op == OpRequest && len(e.Path) > 0 && e.Path[0] == "path" })
	return reads
}

// Answers says that the program changes answers alone, and that nothing of the request matters to it but whether an answer
// to it has a body.
func (p *Prepared) Answers() bool {
	reads := false
	p.walk(func(e Expr) { reads = reads || e.Op == OpRequest })
	return p.Lambda == nil && len(p.Request) == 0 && len(p.Response) > 0 && !reads
}

// Buffers says that the program reads or replaces the body of requests or of responses.
func (p *Prepared) Buffers() bool {
	if p.Lambda != nil {
		return true
	}
	body := false
	p.walk(func(e Expr) {
		body = body || (e.Op == OpRequest || e.Op == OpResponse) && len(e.Path) > 0 && e.Path[0] == "body"
	})
	return body || slices.ContainsFunc(p.Request, func(c PreparedRequest) bool { return c.DropBody || !c.Body.IsZero() }) ||
		slices.ContainsFunc(p.Response, func(c PreparedResponse) bool { return !c.Body.IsZero() })
}

// walk visits every expression.
func (p *Prepared) walk(visit func(Expr)) {
	for _, c := range p.Request {
		c.walk(visit)
	}
	if p.Lambda != nil {
		p.Lambda.Payload.Walk(visit)
	}
	for _, c := range p.Response {
		c.walk(visit)
	}
}

func (c PreparedRequest) walk(visit func(Expr)) {
	c.Method.Walk(visit)
	c.Path.Walk(visit)
	c.Body.Walk(visit)
	for _, m := range []map[string]Expr{c.Query, c.Headers} {
		for _, e := range m {
			e.Walk(visit)
		}
	}
}

func (c PreparedResponse) walk(visit func(Expr)) {
	c.SetStatus.Walk(visit)
	c.Body.Walk(visit)
	for _, e := range c.Headers {
		e.Walk(visit)
	}
}
