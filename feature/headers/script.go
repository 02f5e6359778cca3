package headers

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// scripted moves to the program what Envoy's filter cannot do, or would do too early: it acts on a request before the
// script, which is to see the request as the client sent it, and to have changed it before the headers blocks do. On
// responses the script comes first anyway; but there Envoy's formats would read the request as it went out, with the
// changes of others and a credential in it, where the script knows what the client sent.
func scripted(request, response *final, out *translate.Route, at hcl.Range) {
	program := out.Program
	computed := func(h *header) bool {
		return out.Reference || slices.ContainsFunc(h.values, func(v value) bool { return v.computed })
	}
	early := touched(program)
	moved := map[string]gateway.Expr{}
	for again := true; again; {
		again = false
		for _, n := range slices.Sorted(maps.Keys(request.headers)) {
			if h := request.headers[n]; computed(h) || early[n] {
				moved[n] = h.expr(before(program, n))
				readsOf(moved[n], early)
				delete(request.headers, n)
				again = true
			}
		}
	}
	if len(moved) > 0 {
		program.Request = append(program.Request, &gateway.RequestChange{Headers: moved, Range: at})
	}
	moved = map[string]gateway.Expr{}
	changes := !program.IsZero()
	late := func(v value) bool { return v.computed || v.asks || v.asksLine && changes }
	for _, n := range slices.Sorted(maps.Keys(response.headers)) {
		if h := response.headers[n]; out.Reference || slices.ContainsFunc(h.values, late) {
			moved[n] = h.expr(gateway.Expr{Op: gateway.OpResponse, Path: []string{"headers", n}})
			delete(response.headers, n)
		}
	}
	if len(moved) > 0 {
		program.Response = append(program.Response, &gateway.ResponseChange{Headers: moved, Range: at})
	}
}

// before is what a request's header is when the headers blocks begin to act.
func before(program *gateway.Program, name string) gateway.Expr {
	for _, c := range slices.Backward(program.Request) {
		for n, e := range c.Headers {
			if strings.EqualFold(n, name) {
				return e
			}
		}
	}
	if c := program.Call; c != nil {
		for n, e := range c.Headers {
			if strings.EqualFold(n, name) {
				return e
			}
		}
	}
	return gateway.Expr{Op: gateway.OpRequest, Path: []string{"headers", name}}
}

// touched names the request headers that a program reads or writes, in lower case.
func touched(program *gateway.Program) map[string]bool {
	names := map[string]bool{}
	all := func(exprs ...gateway.Expr) {
		for _, e := range exprs {
			readsOf(e, names)
		}
	}
	writes := func(headers map[string]gateway.Expr) {
		for n, e := range headers {
			names[strings.ToLower(n)] = true
			readsOf(e, names)
		}
	}
	values := func(m map[string]gateway.Expr) { all(slices.Collect(maps.Values(m))...) }
	if c := program.Call; c != nil {
		all(c.Path, c.Body)
		values(c.Query)
		writes(c.Headers)
		if c.GRPC != nil {
			all(c.GRPC.Message)
		}
		if c.Lambda != nil {
			all(c.Lambda.Payload)
		}
	}
	for _, c := range program.Request {
		all(c.Method, c.Path, c.Body)
		values(c.Query)
		writes(c.Headers)
		if c.ContentType != "" {
			names["content-type"] = true
		}
	}
	for _, c := range program.Response {
		all(c.SetStatus, c.Body)
		values(c.Headers)
	}
	return names
}

// readsOf adds the names of the request's headers that an expression reads.
func readsOf(e gateway.Expr, names map[string]bool) {
	e.Walk(func(x gateway.Expr) {
		switch {
		case x.Op != gateway.OpRequest:
		case len(x.Path) == 2 && x.Path[0] == "headers":
			names[strings.ToLower(x.Path[1])] = true
		case len(x.Path) == 1 && x.Path[0] == "id":
			names["x-request-id"] = true
		}
	})
}

// expr is the header's outcome as one expression; was is what stood there. A list is several headers of the name, without
// those that are absent.
func (h *header) expr(was gateway.Expr) gateway.Expr {
	var parts []gateway.Expr
	if !h.cleared {
		parts = append(parts, was)
	}
	for _, v := range h.values {
		parts = append(parts, v.expr)
	}
	switch len(parts) {
	case 0:
		return gateway.Expr{Op: gateway.OpConst} // null: it goes
	case 1:
		return parts[0]
	}
	return gateway.Expr{Op: gateway.OpTuple, Args: parts}
}
