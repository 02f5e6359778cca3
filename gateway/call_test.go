package gateway

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// say writes an expression for people: what tests compare.
func say(e Expr) string {
	args := make([]string, len(e.Args))
	for i, a := range e.Args {
		args[i] = say(a)
	}
	switch e.Op {
	case OpNone:
		return "-"
	case OpConst:
		b, _ := json.Marshal(e.Value)
		return string(b)
	case OpRequest, OpArg:
		return string(e.Op) + "." + strings.Join(e.Path, ".")
	case OpTemplate:
		return "`" + strings.Join(args, " ") + "`"
	case OpCond:
		return "(" + args[0] + " ? " + args[1] + " : " + args[2] + ")"
	case OpBinary:
		return args[0] + e.Name + args[1]
	case OpObject:
		var pairs []string
		for i := 0; i+1 < len(args); i += 2 {
			pairs = append(pairs, args[i]+":"+args[i+1])
		}
		return "{" + strings.Join(pairs, " ") + "}"
	}
	return e.Name + "(" + strings.Join(args, ",") + ")"
}

// sayCall writes what a call changes.
func sayCall(c *Call) string {
	var out []string
	add := func(name string, e Expr) {
		if !e.IsZero() {
			out = append(out, name+"="+say(e))
		}
	}
	if c.Method != "" {
		out = append(out, c.Method)
	}
	add("path", c.Path)
	for _, k := range slices.Sorted(maps.Keys(c.Query)) {
		add("?"+k, c.Query[k])
	}
	for _, k := range slices.Sorted(maps.Keys(c.Headers)) {
		add(k, c.Headers[k])
	}
	add("body", c.Body)
	for _, flag := range []struct {
		set  bool
		name string
	}{{c.DropQuery, "noquery"}, {c.DropBody, "nobody"}, {c.ContentType != "", c.ContentType}} {
		if flag.set {
			out = append(out, flag.name)
		}
	}
	if g := c.GRPC; g != nil {
		out = append(out, fmt.Sprintf("grpc %s %v %s", say(g.Message), g.Fields, g.Stream))
	}
	if l := c.Lambda; l != nil {
		out = append(out, fmt.Sprintf("lambda %s %s %v %s", l.Function.ARN, l.Event, l.Async, say(l.Payload)))
	}
	return strings.Join(out, " ")
}

// args reads "NAME IN TYPE" with "!" behind a required one's type; "NAME>FIELD" for one of another name in its place.
func arguments(words ...string) (out []Argument) {
	for _, w := range words {
		f := strings.Fields(w)
		a := Argument{In: Location(f[1])}
		a.Name, a.Field, _ = strings.Cut(f[0], ">")
		kind, required := strings.CutSuffix(f[2], "!")
		a.Required, a.Type.Kind = required, TypeKind(kind)
		out = append(out, a)
	}
	return out
}

func restFunction(method, path, body string, args ...string) *Function {
	return &Function{Name: "f", Kind: FunctionREST, Signature: Signature{Known: true, Args: arguments(args...)},
		REST: &RESTOperation{Method: method, Path: path, Body: body}}
}

func request(path ...string) Expr { return Expr{Op: OpRequest, Path: path} }

func TestCalls(t *testing.T) {
	const anyBody = "application/json"
	same := restFunction("PUT", "/items/{id}", anyBody, "id path string!", "id_body>id body integer", "id_query>id query integer", "size body integer")
	get := restFunction("GET", "/pets/{id}", "", "id path string!", "limit query integer", "X-Who header string")
	post := restFunction("POST", "/sum", anyBody, "a body integer!", "b body number", "c.d body boolean")
	grpc := &Function{Name: "g", Kind: FunctionGRPC, Signature: Signature{Known: true, Args: arguments("id body integer", "ok body boolean", "name body string")}, GRPC: &GRPCMethod{Service: "s.S", Method: "M", Descriptor: []byte("described")}}
	lambda := &Function{Name: "l:live", Kind: FunctionLambda, Lambda: &LambdaFunction{ARN: "arn:l:live", Qualifier: "live"}}
	for name, c := range map[string]struct {
		fn    *Function
		match Match
		args  map[string]Expr
		want  string
	}{
		"the same path passes":            {get, Match{Method: "GET", Path: "/pets/{id}"}, nil, ""},
		"another path":                    {get, Match{Method: "GET", Path: "/p/{id}"}, nil, "path=`\"/pets/\" request.path.id`"},
		"another order of variables":      {get, Match{Method: "GET", Path: "/pets/{x}"}, map[string]Expr{"id": request("path", "x")}, "path=`\"/pets/\" request.path.x`"},
		"another method":                  {get, Match{Method: "POST", Path: "/pets/{id}"}, nil, "GET ?limit=(request.query.limit!=null ? request.query.limit : request.body.limit) nobody"},
		"any method":                      {get, Match{Path: "/pets/{id}"}, nil, "GET ?limit=(request.query.limit!=null ? request.query.limit : request.body.limit) nobody"},
		"a query parameter from the path": {get, Match{Method: "GET", Path: "/pets/{id}/{limit}"}, nil, "path=`\"/pets/\" request.path.id` ?limit=request.path.limit"},
		"given arguments":                 {get, Match{Method: "GET", Path: "/pets/{id}"}, map[string]Expr{"limit": {Op: OpConst, Value: 5.0}, "X-Who": request("host")}, "?limit=5 x-who=request.host"},
		"a constant path":                 {restFunction("GET", "/all", ""), Match{Method: "GET", Prefix: "/x"}, nil, `path="/all"`},
		"a body passes to a body":         {post, Match{Method: "POST", Path: "/sum"}, nil, ""},
		"a body of path and query":        {post, Match{Method: "GET", Path: "/sum/{a}"}, nil, `POST path="/sum" body={"a":integer(request.path.a) "b":number(request.query.b) "c":{"d":boolean(request.query.c.d)}}`},
		"a body where there may be one":   {post, Match{Path: "/sum"}, nil, `POST body={"a":(request.query.a!=null ? integer(request.query.a) : request.body.a) "b":(request.query.b!=null ? number(request.query.b) : request.body.b) "c":{"d":(request.query.c.d!=null ? boolean(request.query.c.d) : request.body.c.d)}}`},
		"a constant is converted":         {post, Match{Method: "GET", Path: "/sum"}, map[string]Expr{"a": {Op: OpConst, Value: "6"}, "b": request("body", "n")}, `POST body={"a":6 "b":request.body.n "c":{"d":boolean(request.query.c.d)}}`},
		"a form":                          {restFunction("POST", "/f", "application/x-www-form-urlencoded", "a body string"), Match{Method: "POST", Path: "/f/{a}"}, nil, `path="/f" body={"a":request.path.a} application/x-www-form-urlencoded`},
		"a whole body":                    {restFunction("PUT", "/b", "text/plain", "body whole_body string"), Match{Method: "PUT", Path: "/b"}, map[string]Expr{"body": request("body", "text")}, `body=request.body.text text/plain`},
		"a field of another name":         {restFunction("GET", "/{pet-id}", "", "id>pet-id path string!"), Match{Method: "GET", Path: "/x/{id}"}, nil, "path=`\"/\" request.path.id`"},
		"the variable of another name":    {restFunction("GET", "/{pet-id}", "", "id>pet-id path string!"), Match{Method: "GET", Path: "/{pet_id}"}, nil, ""},
		"one name in three places":        {same, Match{Method: "PUT", Path: "/items/{id}"}, nil, "?id=(request.query.id!=null ? request.query.id : request.body.id_query)"},
		"one name in three places, moved": {same, Match{Method: "PUT", Path: "/x/{id}"}, nil, "path=`\"/items/\" request.path.id` ?id=(request.query.id!=null ? request.query.id : request.body.id_query)"},
		"one name, the others by their own": {same, Match{Method: "GET", Path: "/items/{id}/{id_query}"}, nil,
			"PUT path=`\"/items/\" request.path.id` ?id=request.path.id_query body={\"id\":integer(request.query.id_body) \"size\":integer(request.query.size)}"},
		"one name where there may be a body": {same, Match{Path: "/items/{id}"}, nil,
			`PUT ?id=(request.query.id!=null ? request.query.id : request.body.id_query) body={"id":(request.query.id_body!=null ? integer(request.query.id_body) : request.body.id) "size":(request.query.size!=null ? integer(request.query.size) : request.body.size)}`},
		"one name, given":                     {same, Match{Method: "PUT", Path: "/items/{id}"}, map[string]Expr{"id_body": {Op: OpConst, Value: "9007199254740993"}}, `?id=(request.query.id!=null ? request.query.id : request.body.id_query) body={"id":9007199254740993 "size":(request.query.size!=null ? integer(request.query.size) : request.body.size)}`},
		"a query beside a body of parts":      {restFunction("POST", "/up", "multipart/form-data", "file body string", "q query string"), Match{Method: "POST", Path: "/up"}, nil, ""},
		"a query beside a text":               {restFunction("POST", "/up", "text/plain", "body whole_body string", "q query string"), Match{Path: "/up"}, nil, "POST"},
		"JSON that is a text":                 {restFunction("PUT", "/b", anyBody, "body whole_body string"), Match{Method: "PUT", Path: "/b"}, map[string]Expr{"body": request("query", "q")}, `body=(request.query.q!=null ? jsonencode(request.query.q) : null) application/json`},
		"JSON that is a number":               {restFunction("PUT", "/b", anyBody, "body whole_body integer"), Match{Method: "PUT", Path: "/b"}, map[string]Expr{"body": request("query", "q")}, `body=(integer(request.query.q)!=null ? jsonencode(integer(request.query.q)) : null) application/json`},
		"JSON that is a list":                 {restFunction("PUT", "/b", anyBody, "body whole_body array"), Match{Method: "PUT", Path: "/b"}, map[string]Expr{"body": {Op: OpTuple, Args: []Expr{request("host")}}}, `body=(request.host)`},
		"no body where none is taken":         {restFunction("POST", "/ping", ""), Match{Method: "POST", Path: "/ping"}, nil, "nobody"},
		"an unknown signature takes the rest": {&Function{Name: "f", REST: &RESTOperation{Method: "POST", Path: "/x/{id}"}}, Match{Method: "POST", Path: "/x/{id}"}, map[string]Expr{"z": {Op: OpConst, Value: true}}, `body={"z":true}`},
		"grpc by name":                        {grpc, Match{Method: "GET", Path: "/u/{id}/{other}"}, nil, "grpc - map[id:id] array"},
		"grpc by args":                        {grpc, Match{Method: "GET", Path: "/u/{id}"}, map[string]Expr{"ok": {Op: OpConst, Value: "true"}}, `grpc {"id":request.path.id "name":request.query.name "ok":true} map[] array`},
		"lambda event":                        {lambda, Match{Prefix: "/"}, nil, "lambda arn:l:live apigw_v2 false -"},
		"lambda payload":                      {lambda, Match{Path: "/{a}"}, map[string]Expr{"n": request("path", "a")}, `lambda arn:l:live apigw_v2 false {"n":request.path.a}`},
	} {
		t.Run(name, func(t *testing.T) {
			b := &caller{w: New(&Rules{}), fn: c.fn, match: &c.match, to: &Destination{Function: Ref{ID: FunctionID("u", c.fn.Name)}, Args: c.args}}
			if got := sayCall(b.build()); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if len(b.diags) > 0 {
				t.Error(b.diags)
			}
		})
	}
}

// A method that nothing describes could not be translated, and its host with it.
func TestAMethodThatNothingDescribesIsNotCalled(t *testing.T) {
	for name, fn := range map[string]*Function{
		"no descriptor": {Name: "g", Kind: FunctionGRPC, Signature: Signature{Known: true}, GRPC: &GRPCMethod{Service: "s.S", Method: "M"}},
		"no signature":  {Name: "g", Kind: FunctionGRPC, GRPC: &GRPCMethod{Service: "s.S", Method: "M", Descriptor: []byte("described")}},
	} {
		b := &caller{w: New(&Rules{}), fn: fn, match: &Match{Path: "/g/{id}"}, to: &Destination{Function: Ref{ID: FunctionID("u", "g")}}}
		b.build()
		if len(b.diags) != 1 || !strings.Contains(b.diags.Error(), "Nothing describes the messages of function.u.g") {
			t.Errorf("%s: %v", name, b.diags)
		}
	}
}

func TestDeclaredCalls(t *testing.T) {
	arg := func(path ...string) Expr { return Expr{Op: OpArg, Path: path} }
	for name, c := range map[string]struct {
		block FunctionBlock
		match Match
		args  map[string]Expr
		want  string
	}{
		"what is not mentioned passes": {FunctionBlock{Method: "POST", Path: "/x"}, Match{Method: "POST", Path: "/x"}, nil, ""},
		"path and query": {FunctionBlock{Path: "/x/{id}", Query: map[string]Expr{"q": arg("q")}}, Match{Method: "GET", Path: "/y/{id}"}, nil,
			"path=`\"/x/\" request.path.id` ?q=request.query.q noquery"},
		"body": {FunctionBlock{Method: "POST", Path: "/x", Body: Expr{Op: OpObject, Args: []Expr{{Op: OpConst, Value: "a"}, arg("a", "b")}}}, Match{Method: "POST", Path: "/x"},
			map[string]Expr{"a": request("body", "in")}, `body={"a":request.body.in.b}`},
		"a text of fields": {FunctionBlock{Method: "POST", Path: "/x", ContentType: "text/plain", Body: Expr{Op: OpTemplate, Args: []Expr{arg("a")}}}, Match{Method: "POST", Path: "/x"}, nil,
			"body=`(request.query.a!=null ? request.query.a : request.body.a)` text/plain"},
		"attribute": {FunctionBlock{Method: "POST", Path: "/x", Headers: map[string]Expr{"X-A": arg("a", "b")}}, Match{Method: "POST", Path: "/x"},
			map[string]Expr{"a": {Op: OpObject}}, `x-a=b({})`},
	} {
		t.Run(name, func(t *testing.T) {
			b := &caller{w: New(&Rules{}), fn: declaredFunction(&c.block), match: &c.match, to: &Destination{Function: Ref{ID: FunctionID("u", "f")}, Args: c.args}}
			if got := sayCall(b.build()); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestArgumentsAreCheckedAgainstTheSignature(t *testing.T) {
	fn := restFunction("POST", "/x/{id}", "application/json", "id path string!", "n body integer!", "flag body boolean", "list body array", "tags query array", "o body object", "color body string")
	for i := range fn.Signature.Args {
		a := &fn.Signature.Args[i]
		switch a.Name {
		case "color":
			a.Type.Enum = []string{"red", "green"}
		case "list":
			a.Type.Elem = &Type{Kind: TypeNumber}
		case "o":
			a.Type.Fields = []Argument{{Name: "name", Type: Type{Kind: TypeString}, Required: true}, {Name: "age", Type: Type{Kind: TypeInteger}}}
		}
	}
	value := func(v any) Expr { return Expr{Op: OpConst, Value: v} }
	object := func(args ...Expr) Expr { return Expr{Op: OpObject, Args: args} }
	for name, c := range map[string]struct {
		arg  string
		e    Expr
		says string
	}{
		"misspelt":                    {"flagg", value(true), `Unknown argument; function.u.f has no argument "flagg". Did you mean "flag"?`},
		"fits":                        {"n", value(6.0), ""},
		"text that is a number":       {"n", value("6"), ""},
		"no number":                   {"n", value("six"), `a whole number is required, not "six"`},
		"no whole number":             {"n", value(1.5), "a whole number is required, not 1.5"},
		"text of the request":         {"n", request("query", "n"), ""},
		"truth for a number":          {"n", Expr{Op: OpBinary, Name: "==", Args: []Expr{value(1.0), value(1.0)}}, "a whole number is required, and this gives true or false"},
		"null for a required one":     {"n", value(nil), "null leaves it out"},
		"null for another":            {"flag", value(nil), ""},
		"an object for a scalar":      {"flag", object(), "true or false is required, and this gives an object"},
		"a list of numbers":           {"list", value([]any{1.0, "2"}), ""},
		"a list of something else":    {"list", value([]any{1.0, true}), "in an element, a number is required, not true"},
		"a text for a list in a body": {"list", value("1"), "a list is required"},
		"a text for a list in a path": {"tags", value("1"), ""},
		"none of the values":          {"color", value("blue"), `"blue" is none of red, green`},
		"one of the values":           {"color", value("red"), ""},
		"an unknown field":            {"o", object(value("nam"), value("x")), `there is no field "nam". Did you mean "name"?`},
		"a missing field":             {"o", object(value("age"), value(1.0)), `the field "name" is required`},
		"a field of another type":     {"o", value(map[string]any{"name": "x", "age": "old"}), `in "age", a whole number is required, not "old"`},
		"either branch":               {"n", Expr{Op: OpCond, Args: []Expr{value(true), value(1.0), value("x")}}, `a whole number is required, not "x"`},
		"a field of the body":         {"n", request("body", "n"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := &caller{w: New(&Rules{}), fn: fn, match: &Match{Method: "POST", Path: "/y/{id}"}, to: &Destination{Function: Ref{ID: FunctionID("u", "f")}, Args: map[string]Expr{c.arg: c.e}}}
			b.build()
			if c.says == "" && len(b.diags) > 0 || c.says != "" && (len(b.diags) != 1 || !strings.Contains(b.diags.Error(), c.says)) {
				t.Errorf("said %v, want %q", b.diags, c.says)
			}
		})
	}
	b := &caller{w: New(&Rules{}), fn: fn, match: &Match{Method: "POST", Path: "/y"}, to: &Destination{Function: Ref{ID: FunctionID("u", "f")}}}
	if b.build(); !strings.Contains(b.diags.Error(), `needs the argument "id"`) {
		t.Errorf("said %v", b.diags)
	}
}
