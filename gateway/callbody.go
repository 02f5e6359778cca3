package gateway

import "fmt"

// hasFields says that a body of a media type is made of fields, which arguments can be.
func hasFields(media string) bool { return isJSON(media) || media == MediaForm }

// body builds the body where an argument in it is given or comes from elsewhere; else the client's passes, if the
// function takes one.
func (c *caller) body(call *Call, op *RESTOperation, args []Argument) {
	var fields []Argument
	given := false
	for _, a := range args {
		switch a.In {
		case InWholeBody:
			if e, ok := c.to.Args[a.Name]; ok {
				c.wholeBody(call, op.Body, a, e)
			}
			return // else the client's passes
		case InBody:
			fields = append(fields, a)
			_, from := c.value(a)
			given = given || from != fromClient
		}
	}
	switch {
	case len(fields) > 0 && op.Body != "" && !hasFields(op.Body): // only the client can make one
	case len(fields) > 0 && (given || !c.always):
		call.Body, call.ContentType = c.object(fields), contentType(op.Body)
	case len(fields) > 0:
	case c.fn.Signature.Known && op.Body == "", !hasBody(op.Method):
		call.DropBody = c.some
	}
}

// wholeBody sends one argument as the body. In JSON a text stands in quotes, and a number is one.
func (c *caller) wholeBody(call *Call, media string, a Argument, e Expr) {
	call.Body, call.ContentType = e, contentType(media)
	if !isJSON(media) {
		return
	}
	e = convertText(e, a)
	if kind := staticKind(e); kind == TypeObject || kind == TypeArray {
		return
	}
	encoded := Expr{Op: OpCall, Name: "jsonencode", Args: []Expr{e}, Range: e.Range}
	call.Body, call.ContentType = either(e, Expr{Op: OpConst, Range: e.Range}).withThen(encoded), media
}

// contentType is the type of a built body, where it is not the usual one.
func contentType(media string) string {
	if media == MediaJSON {
		return ""
	}
	return media
}

// textBody says that an argument is in a body of which no fields are made: its type describes what the text of the body
// means, and not the value.
func (c *caller) textBody(a Argument) bool {
	op := c.fn.REST
	return op != nil && op.Declared == nil && op.Body != "" && !hasFields(op.Body) && (a.In == InBody || a.In == InWholeBody)
}

// checkBody reports an argument in a body that cannot be made of it, and says whether it did.
func (c *caller) checkBody(a Argument) (told bool) {
	op := c.fn.REST
	if op == nil || op.Declared != nil || op.Body == "" || a.In != InBody && a.In != InWholeBody {
		return false
	}
	e, from := c.value(a)
	why := ""
	switch {
	case a.In == InWholeBody:
		if from == fromArgs {
			why = wholeFault(op.Body, e)
		}
	case !hasFields(op.Body):
		why = c.fieldFault(op.Body, a, from)
	case op.Body == MediaForm && from == fromArgs && staticKind(e) == TypeObject:
		why = fmt.Sprintf("a field of a form is a text or a list of texts, and %q is an object here. jsonencode() makes text of it", a.Name)
	}
	if why == "" {
		return false
	}
	if from != fromArgs {
		e = Expr{}
	}
	c.error(e, "Unsupported body", "%s takes a body of the type %s: %s.", c.what(), op.Body, why)
	return true
}

// fieldFault says why an argument cannot be a field of a body that has none that could be made; "" where it is left to
// the client's own body.
func (c *caller) fieldFault(media string, a Argument, from origin) string {
	const made = "only bodies of JSON and forms (" + MediaForm + ") are made of arguments"
	switch {
	case from == fromArgs:
		return fmt.Sprintf("%s. Leave %q out of args: the client's own body passes as it is", made, a.Name)
	case from == fromPath:
		v := c.variable(a)
		return fmt.Sprintf("%s, and the variable {%s} of the path would be its field %q. Give the variable another name: the client's own body passes as it is", made, v, fieldOf(a))
	case !c.some && a.Required:
		return fmt.Sprintf("%s, and the match takes no method that has a body of its own. Match a method that has: POST, PUT or PATCH", made)
	}
	return ""
}

// wholeFault says why a body of a media type that is neither JSON nor a form cannot be what an expression makes.
func wholeFault(media string, e Expr) string {
	switch kind := staticKind(e); {
	case hasFields(media):
	case mediaType(media) == "multipart/form-data":
		return "no expression makes its parts. Leave the argument out of args: the client's own body passes as it is"
	case kind == TypeObject || kind == TypeArray:
		return fmt.Sprintf("%s cannot be sent as that. Write a text, such as a template, or leave the argument out of args: the client's own body passes as it is", kindText(kind))
	}
	return ""
}
