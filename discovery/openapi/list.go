package openapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	maxOperations = 20_000
	maxProblems   = 100  // that a Listing keeps
	maxName       = 256  // bytes of an operationId that is taken for a name
	maxPath       = 2048 // bytes of a path
	maxArguments  = 1000 // of one operation
	maxSummary    = 200  // bytes
)

// methods are those that a path item can have, in the order in which they are looked at.
var methods = [...]string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}

// Listing is what a document says of its operations.
type Listing struct {
	Functions []*gateway.Function // sorted by name
	Problems  []string            // what was left out, and why; the first hundred
}

// List reads an OpenAPI document, 2.0, 3.0 or 3.1, as JSON or YAML. at is the path that it was found at, which relative
// servers are relative to; "" is "/". Equal documents give equal listings.
//
// It is lenient: what is wrong in one operation costs that operation at most, and is a problem. A reference that leads
// nowhere (out of the document, for one: no other is ever read) costs what it stands for: a schema is any value then,
// and of an operation with a missing parameter the signature is not known to be whole. An error is a document of which
// nothing can be used.
func List(document []byte, at string) (Listing, error) {
	root, err := read(document)
	if err != nil {
		return Listing{}, err
	}
	l, err := newLister(root, at)
	if err != nil {
		return Listing{}, err
	}
	var found []operation
	paths := root.get("paths")
	if paths == "" && l.version == 2 {
		return Listing{}, errors.New("the document has no paths")
	}
	for path, item := range paths.fields() {
		if !strings.HasPrefix(path, "/") {
			continue // an extension, or no path
		}
		if found, err = l.item(found, path, item); err != nil {
			return Listing{}, err
		}
	}
	if len(found) == 0 && len(l.problems) > 0 {
		return Listing{}, fmt.Errorf("no operation of the document can be used: %s", l.problems[0])
	}
	return Listing{Functions: name(found), Problems: l.problems}, nil
}

// lister is one document while it is read.
type lister struct {
	root       value
	version    int                         // 2 or 3
	containers map[string]map[string]value // by JSON pointer: what references lead into
	schemas    map[schemaKey]typed
	parameters map[string]*parameter // by the reference to them
	base       string                // path before all others
	at         string                // of the document
	consumes   value                 // of version 2
	problems   []string
	doing      string // the operation at hand, for problems
	work       int    // bytes read for references; see maxWork
	partial    bool   // a parameter of it is missing
}

func newLister(root value, at string) (*lister, error) {
	l := &lister{
		root: root, at: at, containers: make(map[string]map[string]value), schemas: make(map[schemaKey]typed),
		parameters: make(map[string]*parameter),
	}
	new, old := root.get("openapi"), root.get("swagger")
	switch {
	case strings.HasPrefix(strings.Trim(string(new), `"`), "3"):
		l.version = 3
		base, err := l.server(root.get("servers"))
		if err != nil {
			l.problem("the document's servers are left out: %v", err)
		}
		l.base = base
	case strings.HasPrefix(strings.Trim(string(old), `"`), "2"):
		l.version = 2
		l.base = cleanBase(root.get("basePath").text())
		l.consumes = root.get("consumes")
	case new != "" || old != "":
		return nil, fmt.Errorf("OpenAPI %.20s is not known: 2.0, 3.0 and 3.1 are", new+old)
	default:
		return nil, fmt.Errorf("%w: it has neither a field openapi nor swagger", errNoDocument)
	}
	return l, nil
}

// operation is one that was found, before it has a name.
type operation struct {
	id       string // operationId, "" if it cannot be a name
	form     string // METHOD /path
	function *gateway.Function
}

// item adds the operations of one path. Its error is that there are too many.
func (l *lister) item(found []operation, path string, item value) ([]operation, error) {
	l.doing = path
	fields := item.byName()
	if fields["$ref"] != "" {
		target, err := l.resolve(item)
		if err != nil {
			l.problem("%v", err)
		}
		for name, field := range target.byName() {
			if _, there := fields[name]; !there {
				fields[name] = field
			}
		}
	}
	for _, method := range methods {
		op := fields[method]
		if op.kind() != '{' {
			continue
		}
		l.doing = strings.ToUpper(method) + " " + path
		l.partial = false
		function, err := l.operation(strings.ToUpper(method), path, fields, op)
		if err != nil {
			l.problem("%v", err)
			continue
		}
		if len(found) == maxOperations {
			return nil, fmt.Errorf("the document has more than %d operations", maxOperations)
		}
		found = append(found, operation{id: goodName(op.get("operationId").text()), form: keep(l.doing), function: function})
	}
	return found, nil
}

func (l *lister) operation(method, path string, item map[string]value, op value) (*gateway.Function, error) {
	base := l.base
	for _, servers := range []value{op.get("servers"), item["servers"]} {
		if servers.kind() != '[' || servers == "[]" || l.version == 2 {
			continue
		}
		own, err := l.server(servers)
		if err != nil {
			return nil, err
		}
		base = own
		break
	}
	template, variables, err := cleanPath(path)
	if err != nil {
		return nil, err
	}
	rest := &gateway.RESTOperation{Method: method, Path: base + template}
	args, body, err := l.arguments(item["parameters"], op, variables)
	if err != nil {
		return nil, err
	}
	rest.Body = body
	return &gateway.Function{
		Kind: gateway.FunctionREST, REST: rest, Summary: summary(op),
		Signature: gateway.Signature{Known: !l.partial, Args: args, Result: l.result(op.get("responses"))},
	}, nil
}

func (l *lister) problem(format string, args ...any) {
	if len(l.problems) < maxProblems {
		text := fmt.Sprintf(format, args...)
		if l.doing != "" {
			text = l.doing + ": " + text
		}
		l.problems = append(l.problems, keep(text))
	}
}

// name gives each operation its operationId, or its method and path if it has none that is its own alone.
func name(found []operation) []*gateway.Function {
	claims := make(map[string]int)
	for _, op := range found {
		claims[op.form]++
		claims[op.id]++
	}
	out := make([]*gateway.Function, 0, len(found))
	for _, op := range found {
		op.function.Name = op.form
		if op.id != "" && claims[op.id] == 1 {
			op.function.Name = keep(op.id)
		}
		out = append(out, op.function)
	}
	slices.SortStableFunc(out, func(a, b *gateway.Function) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(out, func(a, b *gateway.Function) bool { return a.Name == b.Name })
}

// goodName is "" for what cannot be the name of a function.
func goodName(id string) string {
	if len(id) > maxName || !utf8.ValidString(id) || strings.TrimSpace(id) == "" || strings.ContainsFunc(id, unicode.IsControl) {
		return ""
	}
	return id
}

// summary is one line about an operation.
func summary(op value) string {
	s := op.get("summary").text()
	if strings.TrimSpace(s) == "" {
		s, _, _ = strings.Cut(strings.TrimSpace(op.get("description").text()), "\n")
	}
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s[:min(len(s), 4*maxSummary)], "")), " ")
	if len(s) > maxSummary {
		cut := maxSummary - len("…")
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = strings.TrimSpace(s[:cut]) + "…"
	}
	return keep(s)
}
