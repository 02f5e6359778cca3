package openapi

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// wholeBody is the name of an argument that is the body itself.
const wholeBody = "body"

// Media types of bodies whose fields can be told apart.
const (
	mediaJSON      = "application/json"
	mediaForm      = "application/x-www-form-urlencoded"
	mediaMultipart = "multipart/form-data"
)

// place is the identity of a parameter.
type place struct{ name, in string }

// parameter is one that was read. Operations share it where they refer to it.
type parameter struct {
	place
	value
	required bool
	typed    *gateway.Type // nil: not looked at yet
}

// read is the parameter that p is or refers to.
func (l *lister) read(p value) (*parameter, error) {
	ref := p.get("$ref").text()
	if known := l.parameters[ref]; known != nil {
		return known, nil
	}
	target, err := l.resolve(p)
	if err != nil {
		return nil, err
	}
	out := &parameter{
		place: place{target.get("name").text(), target.get("in").text()}, value: target, required: target.get("required").isTrue(),
	}
	if out.in == "body" {
		out.name = "" // there is only one
	}
	if ref != "" {
		l.parameters[ref] = out
	}
	return out, nil
}

// arguments are those of one operation, sorted by name, and the media type of its body.
func (l *lister) arguments(shared, op value, variables []string) (args []gateway.Argument, body string, err error) {
	parameters := make(map[place]*parameter)
	var order []place
	for _, list := range []value{shared, op.get("parameters")} {
		for p := range list.items() {
			found, err := l.read(p)
			if err != nil {
				l.partial = true
				l.problem("a parameter is left out: %v", err)
				continue
			}
			if _, there := parameters[found.place]; !there {
				if order = append(order, found.place); len(order) > maxArguments {
					return nil, "", fmt.Errorf("it has more than %d parameters", maxArguments)
				}
			}
			parameters[found.place] = found // an operation's own replaces its path's
		}
	}
	for _, name := range variables {
		args = append(args, gateway.Argument{Name: name, In: gateway.InPath, Required: true, Type: l.parameterType(parameters[place{name, "path"}])})
	}
	for _, at := range order {
		if a, ok := l.parameter(parameters[at]); ok {
			args = append(args, a)
		}
	}
	of, body := l.body(op, order, parameters)
	return arrange(append(args, of...)), body, nil
}

// parameter is the argument of a parameter in the query or a header. Those in the path are known by its template; a
// cookie cannot be an argument, and three headers are not a parameter's.
func (l *lister) parameter(p *parameter) (gateway.Argument, bool) {
	a := gateway.Argument{Name: keep(p.name), Required: p.required}
	switch {
	case p.name == "":
		return a, false
	case p.in == "query":
		a.In = gateway.InQuery
	case p.in == "header":
		a.In = gateway.InHeader
		if slices.Contains([]string{"accept", "content-type", "authorization"}, strings.ToLower(p.name)) {
			return a, false
		}
	default:
		if p.in == "cookie" && a.Required {
			l.problem("the cookie %.40q cannot be an argument", p.name)
		}
		return a, false
	}
	a.Type = l.parameterType(p)
	return a, true
}

// parameterType is the type of a parameter: its schema, or in version 2 the parameter itself. Of a variable that no
// parameter describes it is a string.
func (l *lister) parameterType(p *parameter) gateway.Type {
	if p == nil {
		return gateway.Type{Kind: gateway.TypeString}
	}
	if p.typed == nil {
		schema := p.value
		if l.version == 3 {
			schema = p.get("schema")
			for _, media := range p.get("content").fields() {
				schema = media.get("schema")
				break
			}
		}
		t := l.typeOf(schema, request)
		p.typed = &t
	}
	return *p.typed
}

// body is what an operation takes in its body, and the media type of it.
func (l *lister) body(op value, order []place, parameters map[place]*parameter) (args []gateway.Argument, media string) {
	if l.version == 2 {
		return l.body2(op, order, parameters)
	}
	body, err := l.resolve(op.get("requestBody"))
	if err != nil {
		l.partial = true
		l.problem("the body is left out: %v", err)
		return nil, ""
	}
	media, content := choose(body.get("content"))
	if media == "" {
		return nil, ""
	}
	return l.bodyOf(content.get("schema"), media, body.get("required").isTrue()), media
}

// body2 is that of version 2: one parameter, or the fields of a form.
func (l *lister) body2(op value, order []place, parameters map[place]*parameter) (args []gateway.Argument, media string) {
	consumes := op.get("consumes")
	if consumes == "" {
		consumes = l.consumes
	}
	var taken []string
	for m := range consumes.items() {
		taken = append(taken, essence(m.text()))
	}
	if p := parameters[place{"", "body"}]; p != nil {
		media = mediaJSON
		if i := slices.IndexFunc(taken, isJSON); i >= 0 {
			media = keep(taken[i])
		} else if len(taken) > 0 {
			media = keep(taken[0])
		}
		return l.bodyOf(p.get("schema"), media, p.required), media
	}
	for _, at := range order {
		if p := parameters[at]; at.in == "formData" && at.name != "" {
			args = append(args, gateway.Argument{
				Name: keep(at.name), In: gateway.InBody, Required: p.required, Type: l.parameterType(p),
			})
		}
	}
	switch {
	case len(args) == 0:
		return nil, ""
	case hasFile(args), slices.Contains(taken, mediaMultipart) && !slices.Contains(taken, mediaForm):
		return args, mediaMultipart
	}
	return args, mediaForm
}

func hasFile(args []gateway.Argument) bool {
	return slices.ContainsFunc(args, func(a gateway.Argument) bool { return a.Type.Format == "binary" })
}

// bodyOf is an argument for each field of an object in JSON or a form, else one that is the whole body.
func (l *lister) bodyOf(schema value, media string, required bool) []gateway.Argument {
	t := l.typeOf(schema, request)
	if t.Kind != gateway.TypeObject || !isJSON(media) && media != mediaForm && media != mediaMultipart {
		return []gateway.Argument{{Name: wholeBody, In: gateway.InWholeBody, Required: required, Type: t}}
	}
	out := make([]gateway.Argument, 0, len(t.Fields))
	for _, f := range t.Fields {
		f.In, f.Required = gateway.InBody, f.Required && required
		out = append(out, f)
	}
	return out
}

// choose picks from the contents of a body by media type: JSON, a form, or the first.
func choose(content value) (media string, of value) {
	rank := 0
	for name, c := range content.fields() {
		name = essence(name)
		r := 1
		switch {
		case isJSON(name):
			r = 5
		case name == "*/*" || name == "application/*":
			name, r = mediaJSON, 4
		case name == mediaForm:
			r = 3
		case name == mediaMultipart:
			r = 2
		}
		if r > rank {
			media, of, rank = name, c, r
		}
	}
	return keep(media), of
}

// essence is a media type without its parameters.
func essence(media string) string {
	media, _, _ = strings.Cut(media, ";")
	return strings.ToLower(strings.TrimSpace(media))
}

func isJSON(media string) bool { return media == mediaJSON || strings.HasSuffix(media, "+json") }

// result is the type of the first successful answer that is JSON; nil if there is none.
func (l *lister) result(responses value) *gateway.Type {
	answers := make(map[string]value)
	for status, response := range responses.fields() {
		if len(status) == 3 && status[0] == '2' {
			answers[strings.ToUpper(status)] = response
		}
	}
	for _, status := range slices.Sorted(maps.Keys(answers)) { // digits before XX
		response, err := l.resolve(answers[status])
		if err != nil {
			l.problem("the answer %s is left out: %v", status, err)
			continue
		}
		schema := response.get("schema") // version 2
		if l.version == 3 {
			media, content := choose(response.get("content"))
			if schema = content.get("schema"); !isJSON(media) {
				continue
			}
		}
		if schema != "" {
			t := l.typeOf(schema, answer)
			return &t
		}
	}
	return nil
}

// suffixes are what an argument's name gets if an argument of an earlier location has it.
var suffixes = []struct {
	in     gateway.Location
	suffix string
}{
	{gateway.InPath, "_path"}, {gateway.InQuery, "_query"}, {gateway.InHeader, "_header"}, {gateway.InBody, "_body"}, {gateway.InWholeBody, "_body"},
}

// arrange gives every argument a name of its own and sorts them. Where locations share a name, the first of path,
// query, header and body keeps it; the others are called NAME_query, NAME_header, NAME_body, and where that is a name
// too, get further underscores. Field says what it is called where it goes.
func arrange(args []gateway.Argument) []gateway.Argument {
	given := make(map[string]bool, len(args))
	for _, a := range args {
		given[a.Name] = true
	}
	used := make(map[string]bool, len(args))
	out := make([]gateway.Argument, 0, len(args))
	for _, s := range suffixes {
		for _, a := range args {
			if a.In != s.in {
				continue
			}
			if own := a.Name; used[own] {
				for a.Name += s.suffix; used[a.Name] || given[a.Name]; {
					a.Name += "_"
				}
				if a.In != gateway.InWholeBody {
					a.Field = own
				}
			}
			used[a.Name] = true
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(a, b gateway.Argument) int { return strings.Compare(a.Name, b.Name) })
	return out
}
