package gateway

// BoundArgument is one argument of a call, and where its value comes from.
type BoundArgument struct {
	Argument
	From  ArgumentOrigin
	Value Expr // over the client's request
}

// ArgumentOrigin says what decides an argument's value.
type ArgumentOrigin string

// The origins: args of the destination, the variable of the client's path, and, where nobody says anything, the query
// parameter or field of the body of the same name.
const (
	FromArgs   ArgumentOrigin = "args"
	FromPath   ArgumentOrigin = "path"
	FromClient ArgumentOrigin = "client"
)

// Arguments lists the arguments of the function that d calls for requests that m takes, sorted as the signature has
// them; none where d calls no function. Arguments that nobody gives are among them.
func (d *TableDestination) Arguments(m *Match) (out []BoundArgument) {
	if d.Function == nil || d.To == nil || m == nil {
		return nil
	}
	c := &caller{to: d.To, match: m, fn: d.Function}
	c.look()
	for _, a := range c.arguments() {
		e, from := c.value(a)
		b := BoundArgument{Argument: a, From: FromClient, Value: e}
		switch from {
		case fromArgs:
			b.From = FromArgs
		case fromPath:
			b.From = FromPath
		}
		out = append(out, b)
	}
	return out
}
