package console

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
)

// argumentsOf lists what a destination's function takes and where each value comes from.
func argumentsOf(d *gateway.TableDestination, m *gateway.Match) []BoundArgument {
	out := []BoundArgument{}
	for _, a := range d.Arguments(m) {
		b := BoundArgument{
			Name: a.Name, In: string(a.In), Type: TypeText(&a.Type), Required: a.Required, From: string(a.From), Value: valueText(a.Value),
		}
		if a.From == gateway.FromArgs && a.Value.Range.Filename != "" {
			at := rangeOf(a.Value.Range)
			b.Range = &at
		}
		out = append(out, b)
	}
	return out
}

// valueText is an expression; what is looked for in two places reads as that.
func valueText(e gateway.Expr) string {
	if e.Op == gateway.OpCond && e.Args[0].Op == gateway.OpBinary && e.Args[0].Name == "!=" && len(e.Args[0].Args) == 2 {
		asked, null := e.Args[0].Args[0], e.Args[0].Args[1]
		if v, ok := null.Const(); ok && v == nil && ExprText(asked) == ExprText(e.Args[1]) {
			return ExprText(e.Args[1]) + ", else " + ExprText(e.Args[2])
		}
	}
	return ExprText(e)
}

// attempt notes what is sent, and what changes it and the answer.
func (l *Landing) attempt(a *Attempt, d *gateway.TableDestination) {
	l.RequestChanges, l.ResponseChanges = []MessageChange{}, []MessageChange{}
	if c := a.Program.Call; c != nil {
		if change := callChange(c, d); len(change.Sets) > 0 {
			l.RequestChanges = append(l.RequestChanges, change)
		}
	}
	for _, c := range a.Program.Request {
		if change := requestChange(c); len(change.Sets) > 0 {
			l.RequestChanges = append(l.RequestChanges, change)
		}
	}
	for _, c := range a.Program.Response {
		if change := responseChange(c); len(change.Sets) > 0 {
			l.ResponseChanges = append(l.ResponseChanges, change)
		}
	}
	if a.Refused != nil {
		l.Refused = refusedOf(a.Refused)
		l.Path = a.in.Target
		return
	}
	path, query, _ := strings.Cut(a.Sent.Target, "?")
	l.Path = path
	l.Sent = &SentRequest{Method: a.Sent.Method, Path: path, Query: query, Headers: headersOf(a.Sent.Headers), Body: string(a.Sent.Body)}
}

func refusedOf(r *gateway.Refusal) *Refused {
	out := &Refused{Status: r.Status, Reason: r.Reason, Text: r.Says()}
	if r.Err != nil {
		out.Cause = r.Err.Error()
	}
	return out
}

// headersOf joins the values of each header.
func headersOf(h http.Header) map[string]string {
	out := map[string]string{}
	for name, values := range h {
		out[strings.ToLower(name)] = strings.Join(values, ",")
	}
	return out
}

// callChange is what the call of a function does to the request.
func callChange(c *gateway.Call, d *gateway.TableDestination) MessageChange {
	out := MessageChange{By: "call"}
	if d.To != nil {
		out.at(d.To.Range)
	}
	if c.Method != "" {
		out.set("method", constText(c.Method))
	}
	out.setExpr("path", c.Path)
	if c.DropQuery {
		out.set("query", "{}")
	}
	out.setAll("query.", c.Query)
	out.setAll("header ", c.Headers)
	out.body(c.Body, c.ContentType)
	if c.DropBody {
		out.set("body", "null")
	}
	if g := c.GRPC; g != nil && g.Method != nil {
		out.set("gRPC method", g.Method.Service+"/"+g.Method.Method)
		out.setExpr("message", g.Message)
	}
	if f := c.Lambda; f != nil && f.Function != nil {
		event := f.Event
		if event == "" {
			event = "apigw_v2"
		}
		out.set("Lambda", f.Function.ARN)
		if f.Payload.IsZero() {
			out.set("event", event)
		} else {
			out.setExpr("event", f.Payload)
		}
	}
	return out
}

func requestChange(c *gateway.RequestChange) MessageChange {
	out := MessageChange{By: "request"}
	out.at(c.Range)
	out.setExpr("method", c.Method)
	out.setExpr("path", c.Path)
	out.setAll("query.", c.Query)
	out.setAll("header ", c.Headers)
	out.body(c.Body, c.ContentType)
	return out
}

func responseChange(c *gateway.ResponseChange) MessageChange {
	out := MessageChange{By: "response", Statuses: c.Statuses}
	out.at(c.Range)
	out.setExpr("status", c.SetStatus)
	out.setAll("header ", c.Headers)
	out.body(c.Body, c.ContentType)
	return out
}

func (c *MessageChange) at(r hcl.Range) {
	if r.Filename != "" {
		at := rangeOf(r)
		c.Range = &at
	}
}

func (c *MessageChange) set(what, value string) { c.Sets = append(c.Sets, SetPart{what, value}) }

func (c *MessageChange) setExpr(what string, e gateway.Expr) {
	if !e.IsZero() {
		c.set(what, valueText(e))
	}
}

func (c *MessageChange) setAll(prefix string, m map[string]gateway.Expr) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		c.setExpr(prefix+name, m[name])
	}
}

func (c *MessageChange) body(e gateway.Expr, contentType string) {
	c.setExpr("body", e)
	if contentType != "" {
		c.set("content type", fmt.Sprintf("%q", contentType))
	}
}
