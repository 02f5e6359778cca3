package gateway

import (
	"strings"
	"testing"
)

// A body that no argument can be part of is refused where it is asked for, with what to do instead.
func TestBodiesThatCannotBeMadeOfArguments(t *testing.T) {
	const multipart = "multipart/form-data"
	parts := []string{"name body string", "size query integer", "must body string!"}
	text := Expr{Op: OpTemplate, Args: []Expr{request("host")}}
	for name, c := range map[string]struct {
		body  string
		args  []string
		match Match
		given map[string]Expr
		says  string
	}{
		"a part":                  {multipart, parts, Match{Method: "POST", Path: "/up"}, map[string]Expr{"name": text}, `type multipart/form-data: only bodies of JSON and forms (application/x-www-form-urlencoded) are made of arguments. Leave "name" out of args`},
		"a part from the path":    {multipart, parts, Match{Method: "POST", Path: "/up/{name}"}, nil, `the variable {name} of the path would be its field "name". Give the variable another name`},
		"a part that is required": {multipart, parts, Match{Method: "GET", Path: "/up"}, nil, "Match a method that has: POST, PUT or PATCH"},
		"the client's parts":      {multipart, parts, Match{Path: "/up"}, map[string]Expr{"size": {Op: OpConst, Value: 1.0}}, ""},
		"all parts":               {multipart, []string{"body whole_body string"}, Match{Path: "/up"}, map[string]Expr{"body": text}, "no expression makes its parts"},
		"a text":                  {"text/plain", []string{"body whole_body string"}, Match{Path: "/up"}, map[string]Expr{"body": text}, ""},
		"an object as text":       {"text/plain", []string{"body whole_body string"}, Match{Path: "/up"}, map[string]Expr{"body": {Op: OpObject}}, "an object cannot be sent as that. Write a text"},
		"XML":                     {"application/xml", []string{"body whole_body object"}, Match{Path: "/up"}, map[string]Expr{"body": text}, ""},
		"an object as XML":        {"application/xml", []string{"body whole_body object"}, Match{Path: "/up"}, map[string]Expr{"body": {Op: OpObject}}, "an object cannot be sent as that"},
		"a field of a form":       {MediaForm, parts, Match{Method: "POST", Path: "/up"}, map[string]Expr{"name": text}, ""},
		"an object in a form":     {MediaForm, []string{"name body object"}, Match{Method: "POST", Path: "/up"}, map[string]Expr{"name": {Op: OpObject}}, `"name" is an object here. jsonencode()`},
		"an object in JSON":       {MediaJSON, []string{"name body object"}, Match{Method: "POST", Path: "/up"}, map[string]Expr{"name": {Op: OpObject}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := &caller{w: New(&Rules{}), fn: restFunction("POST", "/up", c.body, c.args...), match: &c.match, to: &Destination{Function: Ref{ID: FunctionID("u", "f")}, Args: c.given}}
			call := b.build()
			if c.says == "" && len(b.diags) > 0 || c.says != "" && (len(b.diags) != 1 || b.diags[0].Summary != "Unsupported body" || !strings.Contains(b.diags.Error(), c.says)) {
				t.Errorf("said %v, want %q", b.diags, c.says)
			}
			if c.body == multipart && c.says == "" && !call.Body.IsZero() {
				t.Errorf("a body is made: %s", say(call.Body))
			}
		})
	}
	unknown := restFunction("POST", "/up", multipart)
	unknown.Signature.Known = false
	b := &caller{w: New(&Rules{}), fn: unknown, match: &Match{Method: "POST", Path: "/up"}, to: &Destination{Function: Ref{ID: FunctionID("u", "f")}, Args: map[string]Expr{"any": text}}}
	if b.build(); !strings.Contains(b.diags.Error(), `Leave "any" out`) {
		t.Errorf("said %v", b.diags)
	}
}
