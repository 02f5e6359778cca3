package console

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// OpenAPI is the API that the clients of a gateway see, as an OpenAPI 3.1 document: its routes with exact paths,
// templates and prefixes, whatever answers behind them. What a route's functions take and give types its parameters,
// bodies and answers. Host selects the routes of one host; empty takes all, and where two hosts have one path, the first
// in the order of names is described. Source: https://spec.openapis.org/oas/v3.1.1.html
func OpenAPI(w *gateway.World, gatewayName, host, version string) (map[string]any, error) {
	i := slices.IndexFunc(w.Gateways(), func(g *gateway.Gateway) bool { return g.Name == gatewayName })
	if i < 0 {
		return nil, fmt.Errorf("there is no gateway %q", gatewayName)
	}
	d := &apiDocument{paths: map[string]map[string]any{}, shapes: map[string]string{}, ids: map[string]bool{}, routes: map[string]string{}}
	for _, l := range w.Gateways()[i].Listeners {
		k := gateway.ListenerKey{Gateway: gatewayName, Listener: l.Name}
		for _, h := range w.Hosts(k) {
			if host == "" || h == host {
				d.table(h, w.Table(k, h))
			}
		}
	}
	return map[string]any{
		"openapi": "3.1.0",
		"info":    map[string]any{"title": gatewayName, "version": cmp.Or(version, "0")},
		"paths":   d.paths,
	}, nil
}

// apiDocument gathers operations. Paths that differ by the names of variables only are one path in OpenAPI; the names of
// the first stay.
type apiDocument struct {
	paths  map[string]map[string]any
	shapes map[string]string // path without the names of its variables → as it stands in paths
	ids    map[string]bool
	routes map[string]string // path and method → the route that is described
}

// table adds the entries of a host, the deciding ones first: what is there already stays. What is for requests with
// certain headers or parameters alone describes a path only where nothing is for the others.
func (d *apiDocument) table(host string, table []*gateway.TableRoute) {
	for _, special := range []bool{false, true} {
		for _, e := range table {
			if e.Variant == nil && special == (len(e.Match.Headers)+len(e.Match.Query) > 0) {
				d.entry(host, e)
			}
		}
	}
}

func (d *apiDocument) entry(host string, e *gateway.TableRoute) {
	path, names, ok := apiPath(e.Match)
	if !ok {
		return
	}
	shape := apiShape(path)
	at, known := d.shapes[shape]
	if !known {
		at = path
		d.shapes[shape] = path
		d.paths[path] = map[string]any{}
	}
	if known && at != path {
		names = renamed(names, at)
	}
	for _, method := range apiMethods(e) {
		op, taken := d.paths[at][method].(map[string]any)
		switch {
		case !taken:
			d.paths[at][method] = d.operation(host, method, e, names)
			d.routes[at+" "+method] = e.Route.Name
		case d.routes[at+" "+method] == e.Route.Name:
			also(op, host)
		}
	}
}

// also says that an operation is on one more host.
func also(op map[string]any, host string) {
	list, ok := op["servers"].([]any)
	if server := map[string]any{"url": "//" + host}; ok && !strings.Contains(host, "*") {
		op["servers"] = append(list, server)
	}
}

func (d *apiDocument) operation(host, method string, e *gateway.TableRoute, names []apiVariable) map[string]any {
	op := map[string]any{"operationId": d.id(e.Route.Name, method)}
	if host != "*" && !strings.Contains(host, "*") {
		op["servers"] = []any{map[string]any{"url": "//" + host}}
	}
	c := callOf(e)
	if !apiTakesBody(method) {
		c.bodyless()
	}
	if c.summary != "" {
		op["summary"] = c.summary
	}
	if p := c.parameters(names); len(p) > 0 {
		op["parameters"] = p
	}
	if body := c.requestBody(); body != nil {
		op["requestBody"] = body
	}
	op["responses"] = c.responses(e)
	return op
}

// id is the route's name; with the method where one route has several operations.
func (d *apiDocument) id(route, method string) string {
	route = strings.Trim(notInID.ReplaceAllString(route, "_"), "_")
	id := route
	for n := 1; d.ids[id]; n++ {
		if id = route + "_" + method; n > 1 {
			id = fmt.Sprintf("%s_%s_%d", route, method, n)
		}
	}
	d.ids[id] = true
	return id
}

var notInID = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// apiVariable is a variable of a path: as the route calls it, and as the document does.
type apiVariable struct{ name, shown string }

// apiPath writes a match as an OpenAPI path. A regular expression is none.
func apiPath(m *gateway.Match) (path string, names []apiVariable, ok bool) {
	switch m.PathKind() {
	case gateway.PathExact:
		return m.Path, nil, true
	case gateway.PathPrefix:
		return strings.TrimSuffix(cmp.Or(m.Prefix, "/"), "/") + "/{rest}", []apiVariable{{"", "rest"}}, true
	case gateway.PathTemplate:
		parts, err := gateway.ParsePathTemplate(m.Path)
		if err != nil {
			return "", nil, false
		}
		for _, p := range parts {
			if p.Name == "" {
				path += p.Literal
				continue
			}
			path += "{" + p.Name + "}"
			names = append(names, apiVariable{p.Name, p.Name})
		}
		return path, names, true
	}
	return "", nil, false
}

// apiShape is a path with nameless variables.
func apiShape(path string) string {
	var b strings.Builder
	inside := false
	for _, r := range path {
		if inside = inside && r != '}'; !inside {
			b.WriteRune(r)
		}
		inside = inside || r == '{'
	}
	return b.String()
}

// renamed gives variables the names that a path of the same shape has.
func renamed(names []apiVariable, path string) []apiVariable {
	out := slices.Clone(names)
	for i := range out {
		_, rest, _ := strings.Cut(path, "{")
		out[i].shown, path, _ = strings.Cut(rest, "}")
	}
	return out
}

// apiMethods lists the operations of an entry, in lower case. A route for every method is described by its function's,
// or by those that APIs use.
func apiMethods(e *gateway.TableRoute) (out []string) {
	methods := e.Match.Methods
	if e.Match.Method != "" {
		methods = []string{e.Match.Method}
	}
	if len(methods) == 0 {
		methods = []string{"GET", "POST", "PUT", "PATCH", "DELETE"}
		if f := leadingFunction(e); f != nil {
			methods = []string{"POST"}
			if f.REST != nil {
				methods = []string{f.REST.Method}
			}
		}
	}
	for _, m := range methods {
		if m = strings.ToLower(m); slices.Contains(apiMethodNames, m) {
			out = append(out, m)
		}
	}
	return out
}

// apiMethodNames are those that OpenAPI 3.1 knows.
var apiMethodNames = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}

// leadingFunction is the function of the destination that says most of what clients send and get: the first with a known
// signature, else the first at all. Nil where no destination calls one.
func leadingFunction(e *gateway.TableRoute) (f *gateway.Function) {
	if d := leadingDestination(e); d != nil {
		f = d.Function
	}
	return f
}

func leadingDestination(e *gateway.TableRoute) (lead *gateway.TableDestination) {
	for _, d := range e.Destinations {
		switch {
		case d.Function == nil:
		case d.Function.Signature.Known:
			return d
		case lead == nil:
			lead = d
		}
	}
	return lead
}
