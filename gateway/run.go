package gateway

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// RawRequest is a request as it stands on the wire. Names of headers are lower case.
type RawRequest struct {
	Method   string
	Host     string
	Target   string // the path and, behind a question mark, the query
	Headers  http.Header
	Body     []byte
	ClientIP string
	ID       string
	Auth     map[string]any // client, subject, claims
	Time     int64          // of its arrival, in milliseconds; in the event of a Lambda
}

// RawResponse is a response as it stands on the wire. Names of headers are lower case.
type RawResponse struct {
	Status  int
	Headers http.Header
	Body    []byte
}

// Send is the request that a program makes of the client's. It is the reference for what the script in Envoy does. The
// error is a *Refusal, which the client gets instead, but for a program that makes no sense.
func (p *Program) Send(in RawRequest) (RawRequest, error) {
	out, _, err := p.send(in)
	return out, err
}

// send is Send. The method is that of the request before it becomes the invocation of a Lambda.
func (p *Program) send(in RawRequest) (out RawRequest, method string, err error) {
	run, err := p.Prepared()
	if err != nil {
		return in, "", err
	}
	s := &sending{run: run, in: in, out: in}
	s.out.Headers = in.Headers.Clone()
	if s.out.Headers == nil {
		s.out.Headers = http.Header{}
	}
	if err := s.readBody(); err != nil {
		return in, "", err
	}
	s.path, s.query, _ = strings.Cut(in.Target, "?")
	if s.ctx, err = run.Context(in); err != nil {
		return in, "", err
	}
	if err := s.changes(); err != nil {
		return in, "", refusal(err, http.StatusBadRequest)
	}
	return s.out, s.method, nil
}

// sending is one run of Send.
type sending struct {
	run         *Prepared
	in, out     RawRequest
	ctx         RequestContext
	path, query string
	method      string // before it becomes the invocation of a Lambda
}

// refusal is the outcome that an error has.
func refusal(err error, status int) error {
	var r *Refusal
	switch {
	case errors.As(err, &r):
		return r
	case errors.Is(err, errTooManySteps):
		return &Refusal{Status: status, Reason: "too_much_work", Err: err}
	}
	return &Refusal{Status: status, Reason: "template_error", Err: err}
}

// readsBody says whether the program reads the body of requests (OpRequest) or of responses (OpResponse).
func (p *Prepared) readsBody(op Op) (reads bool) {
	p.walk(func(e Expr) { reads = reads || e.Op == op && len(e.Path) > 0 && e.Path[0] == "body" })
	return reads
}

// readBody refuses bodies that the program cannot read.
func (s *sending) readBody() error {
	if !s.run.Buffers() {
		return nil
	}
	reads := s.run.readsBody(OpRequest)
	coding := strings.ToLower(s.in.Headers.Get("content-encoding"))
	takes := reads || s.run.Lambda != nil && s.run.Lambda.Event != "payload" ||
		slices.ContainsFunc(s.run.Request, func(c PreparedRequest) bool { return c.DropBody || !c.Body.IsZero() })
	switch {
	case reads && headerIn(s.in.Headers, "content-encoding") != nil && coding != "identity":
		return &Refusal{Status: http.StatusUnsupportedMediaType, Reason: "encoded_request"}
	case takes && len(s.in.Body) > s.run.Limit:
		return &Refusal{Status: http.StatusRequestEntityTooLarge, Reason: "request_too_large"}
	}
	return nil
}

// headerIn is the value of a header: several are joined by a comma; nil for none.
func headerIn(h http.Header, name string) any {
	values := h[name]
	if len(values) == 0 {
		values = h[http.CanonicalHeaderKey(name)]
	}
	if len(values) == 0 {
		return nil
	}
	return strings.Join(values, ",")
}

// Context is what the program's expressions see of a request. The error is a *Refusal.
func (p *Prepared) Context(in RawRequest) (RequestContext, error) {
	path, query, _ := strings.Cut(in.Target, "?")
	ctx := RequestContext{
		Method: in.Method, Host: in.Host, ClientIP: in.ClientIP, ID: in.ID, Auth: in.Auth,
		Query: queryValues(query), Headers: headerValues(in.Headers),
	}
	if in.Host != "" {
		ctx.Headers["host"] = in.Host
	}
	ctx.Path = p.pathValues(path)
	if !p.readsBody(OpRequest) {
		return ctx, nil
	}
	body := parseBody(in.Body, headerIn(in.Headers, "content-type"))
	bad := false
	p.walk(func(e Expr) { bad = bad || e.Op == OpRequest && body.refuses(e.Path) })
	if bad {
		return ctx, &Refusal{Status: http.StatusBadRequest, Reason: "bad_request_body"}
	}
	ctx.Body = body.value
	return ctx, nil
}

// pathValues are the variables of the path, decoded; what is no text is absent.
func (p *Prepared) pathValues(path string) map[string]string {
	expr := p.Regex
	if p.Template != "" {
		var err error
		if expr, err = templateRegex(p.Template); err != nil {
			return nil
		}
	}
	if expr == "" {
		return nil
	}
	raw, _ := fullMatch(expr, path)
	out := map[string]string{}
	for name, v := range raw {
		if text, ok := percentDecode(v); ok {
			out[name] = text
		}
	}
	return out
}

// headerValues are the headers that are text, by lower-case name.
func headerValues(h http.Header) map[string]string {
	out := map[string]string{}
	for name := range h {
		lower := strings.ToLower(name)
		if v, _ := headerIn(h, lower).(string); utf8.ValidString(v) {
			out[lower] = v
		}
	}
	return out
}

// changes runs the changes in order and writes the outcome.
func (s *sending) changes() error {
	heads := []headerSet{}
	var body *newBody
	for _, c := range s.run.Request {
		more, err := s.change(c, &body)
		if err != nil {
			return err
		}
		heads = append(heads, more...)
	}
	h := s.out.Headers
	if s.run.ReadsResponses() {
		for _, name := range []string{"accept-encoding", "range", "if-range"} {
			h.Del(name)
			delete(h, name)
		}
	}
	for _, set := range heads {
		set.write(h)
	}
	s.out.Target = s.path
	if s.query != "" {
		s.out.Target += "?" + s.query
	}
	if body != nil {
		body.write(h, droppedOfRequest)
		s.out.Body = []byte(body.text)
	}
	s.method = s.out.Method
	if s.run.Lambda != nil {
		if err := s.invoke(); err != nil {
			return err
		}
	}
	if (body != nil || s.run.Lambda != nil) && len(s.out.Body) > s.run.most() {
		return &Refusal{Status: http.StatusRequestEntityTooLarge, Reason: "request_too_large"}
	}
	return nil
}

// most is how large a body may be that the program makes, in bytes.
func (p *Prepared) most() int { return 2*p.Limit - 1024 }

// ReadsResponses says that responses have to come uncompressed and whole.
func (p *Prepared) ReadsResponses() bool {
	return p.Lambda != nil || slices.ContainsFunc(p.Response, func(c PreparedResponse) bool {
		return !c.Body.IsZero() || c.readsBody()
	})
}

func (c PreparedResponse) readsBody() (reads bool) {
	c.walk(func(e Expr) { reads = reads || e.Op == OpResponse && len(e.Path) > 0 && e.Path[0] == "body" })
	return reads
}

func (s *sending) change(c PreparedRequest, body **newBody) ([]headerSet, error) {
	if !c.Method.IsZero() {
		v, err := c.Method.Eval(s.ctx)
		if err != nil {
			return nil, err
		}
		m, err := evalText(v)
		if m = strings.ToUpper(m); err != nil || m == "" || m == http.MethodConnect || m == http.MethodTrace || strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" {
			return nil, fmt.Errorf("%s is no method", evalKind(v))
		}
		s.out.Method = m
	}
	if !c.Path.IsZero() {
		v, err := c.Path.Eval(s.ctx)
		if err != nil {
			return nil, err
		}
		if s.path, err = callPath(v); err != nil {
			return nil, err
		}
	}
	if c.DropQuery {
		s.query = ""
	}
	if len(c.Query) > 0 {
		sets, err := evalNames(c.Query, s.ctx)
		if err != nil {
			return nil, err
		}
		if s.query, err = setQuery(s.query, sets); err != nil {
			return nil, err
		}
	}
	heads, err := evalHeaders(c.Headers, s.ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case !c.Body.IsZero():
		v, err := c.Body.Eval(s.ctx)
		if err != nil {
			return nil, err
		}
		if *body, err = makeBody(v, c.ContentType); err != nil {
			return nil, err
		}
	case c.DropBody:
		*body = &newBody{}
	}
	return heads, nil
}

// callPath is a path that a template made.
func callPath(v any) (string, error) {
	if v == nil {
		return "", &Refusal{Status: http.StatusBadRequest, Reason: "missing_path_value", Err: errMissing}
	}
	p, err := evalText(v)
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(p, "/") || strings.ContainsFunc(p, func(r rune) bool {
		return r == '?' || r == '#' || r <= ' ' && r != 1 || r >= 0x7f
	}) {
		return "", errors.New("the template of a path makes no path")
	}
	for seg := range strings.SplitSeq(p[1:], "/") {
		if seg != "" && strings.Trim(seg, emptySegment) == "" {
			return "", &Refusal{Status: http.StatusBadRequest, Reason: "empty_path_segment"}
		}
	}
	p = strings.ReplaceAll(p, emptySegment, "")
	for seg := range strings.SplitSeq(p[1:], "/") {
		if dots(seg) > 0 {
			return "", &Refusal{Status: http.StatusBadRequest, Reason: "path_traversal"}
		}
	}
	return p, nil
}

// namedValue is one value by name.
type namedValue struct {
	name  string
	value any
}

// evalNames evaluates values by name, in the order of the names.
func evalNames(m map[string]Expr, ctx RequestContext) ([]namedValue, error) {
	out := make([]namedValue, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		v, err := m[name].Eval(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, namedValue{name, v})
	}
	return out, nil
}

// wholeStatus is a status that an expression made.
func wholeStatus(v any) (int, error) {
	n, ok := evalNumber(v)
	if !ok || n != math.Trunc(n) || n < 200 || n > 599 {
		return 0, fmt.Errorf("%s is no status", evalKind(v))
	}
	return int(n), nil
}
