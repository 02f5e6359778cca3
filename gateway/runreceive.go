package gateway

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Receive is the response that a program makes of the upstream's, for the client's request in. It is the reference for
// what the script in Envoy does. The error is a *Refusal, which the client gets instead, but for a program that makes no
// sense.
func (p *Program) Receive(in RawRequest, resp RawResponse) (RawResponse, error) {
	run, err := p.Prepared()
	if err != nil {
		return resp, err
	}
	r := &receiving{run: run, out: resp, raw: resp.Body}
	r.out.Headers = resp.Headers.Clone()
	if r.out.Headers == nil {
		r.out.Headers = http.Header{}
	}
	if r.ctx, err = run.Context(in); err != nil {
		return resp, err
	}
	if err := r.framing(p, in); err != nil {
		return resp, err
	}
	r.contentType = headerIn(resp.Headers, "content-type")
	if run.Lambda != nil {
		if err := r.unwrap(); err != nil {
			return resp, err
		}
	}
	for _, c := range run.Response {
		if !matchesStatus(c.Statuses, r.out.Status) {
			continue
		}
		if err := r.change(c); err != nil {
			return resp, refusal(err, http.StatusBadGateway)
		}
	}
	if r.replaced && len(r.raw) > run.most() {
		return resp, &Refusal{Status: http.StatusBadGateway, Reason: "response_too_large"}
	}
	r.write()
	r.finish(resp.Status)
	return r.out, nil
}

// framing finds out who of client and upstream expects no body.
func (r *receiving) framing(p *Program, in RawRequest) error {
	sent, method, err := p.send(in)
	if err != nil {
		return err
	}
	lambda := r.run.Lambda
	switch {
	case in.Method == http.MethodHead:
		r.head = method == http.MethodHead && (lambda == nil || lambda.Payload.IsZero())
		r.drop = !r.head || lambda != nil
	case sent.Method == http.MethodHead:
		r.bare = true
	}
	if sent.Method == http.MethodHead { // whatever is said of it, there is no body
		r.raw, r.out.Body = nil, nil
	}
	return nil
}

// finish makes the answer one of the length that its client expects: what it has too much, or too little, would be taken
// from the next answer of the connection.
func (r *receiving) finish(before int) {
	none := func(status int) bool { return status == http.StatusNoContent || status == http.StatusNotModified }
	length := headerSet{name: "content-length"}
	switch status := r.out.Status; {
	case r.drop:
		if none(status) {
			length.write(r.out.Headers)
		}
		r.out.Body = nil
	case none(status) && status != before:
		length.write(r.out.Headers)
		r.out.Body = nil
	case !r.replaced && (r.bare || none(before) && status != before):
		length.write(r.out.Headers)
	}
}

// receiving is one run of Receive.
type receiving struct {
	run         *Prepared
	ctx         RequestContext
	out         RawResponse
	head        bool   // the client asked for no body, and the upstream or the function knows
	drop        bool   // the client asked for no body, and the upstream does not know
	bare        bool   // the upstream was asked for no body, and the client wants one
	raw         []byte // the body as it now is
	contentType any    // of raw
	heads       []headerSet
	changed     bool // the body is another one
	replaced    bool
	typed       bool
}

// matchesStatus says whether a status is one of the patterns; none are all.
func matchesStatus(patterns []string, status int) bool {
	s := strconv.Itoa(status)
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool {
		return p == s || strings.HasSuffix(p, "xx") && p[:1] == s[:1]
	})
}

func (r *receiving) bodiless(status int) bool {
	return r.head || status == http.StatusNoContent || status == http.StatusNotModified
}

// view is the response as the changes before left it.
func (r *receiving) view(c PreparedResponse) (*ResponseContext, error) {
	h := r.out.Headers.Clone()
	if r.typed {
		headerSet{name: "content-type", values: []string{fmt.Sprint(r.contentType)}}.write(h)
	}
	for _, set := range r.heads {
		set.write(h)
	}
	out := &ResponseContext{Status: r.out.Status, Headers: headerValues(h)}
	if !c.readsBody() && c.Body.IsZero() {
		return out, nil
	}
	if coding := headerIn(r.out.Headers, "content-encoding"); !r.changed && coding != nil && !r.bare && !r.bodiless(r.out.Status) &&
		!strings.EqualFold(coding.(string), "identity") {
		return nil, &Refusal{Status: http.StatusBadGateway, Reason: "encoded_response"}
	}
	if len(r.raw) > r.run.Limit {
		return nil, &Refusal{Status: http.StatusBadGateway, Reason: "response_too_large"}
	}
	body := parseBody(r.raw, r.contentType)
	bad := false
	c.walk(func(e Expr) { bad = bad || e.Op == OpResponse && body.refuses(e.Path) })
	if bad {
		return nil, &Refusal{Status: http.StatusBadGateway, Reason: "bad_response_body"}
	}
	out.Body = body.value
	return out, nil
}

func (r *receiving) change(c PreparedResponse) (err error) {
	ctx := r.ctx
	if ctx.Response, err = r.view(c); err != nil {
		return err
	}
	status := r.out.Status
	if !c.SetStatus.IsZero() {
		v, err := c.SetStatus.Eval(ctx)
		if err != nil {
			return err
		}
		if status, err = wholeStatus(v); err != nil {
			return err
		}
	}
	heads, err := evalHeaders(c.Headers, ctx)
	if err != nil {
		return err
	}
	made := &newBody{contentType: c.ContentType}
	if !c.Body.IsZero() && !r.bodiless(status) {
		v, err := c.Body.Eval(ctx)
		if err != nil {
			return err
		}
		if made, err = makeBody(v, c.ContentType); err != nil {
			return err
		}
		r.raw, r.replaced = []byte(made.text), true
	}
	r.out.Status = status
	r.heads = append(r.heads, heads...)
	if !c.Body.IsZero() {
		r.changed = true
		if made.contentType != "" {
			r.contentType, r.typed = withCharset(made.contentType), true
		}
	}
	return nil
}

func (r *receiving) write() {
	if r.changed {
		for _, name := range droppedOfAnswer {
			headerSet{name: name}.write(r.out.Headers)
		}
		if r.typed {
			headerSet{name: "content-type", values: []string{fmt.Sprint(r.contentType)}}.write(r.out.Headers)
		}
	}
	for _, set := range r.heads {
		set.write(r.out.Headers)
	}
	if r.replaced {
		r.out.Body = r.raw
	}
}
