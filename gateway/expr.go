package gateway

import "github.com/hashicorp/hcl/v2"

// Op is the kind of a node of a compiled request-time expression.
type Op string

// The operations. Args are evaluated left to right.
const (
	OpNone     Op = ""         // nothing was written
	OpConst    Op = "const"    // Value: nil, bool, float64, string, []any, map[string]any
	OpRequest  Op = "request"  // Path: "method" | "host" | "client_ip" | "id" | "path",N | "query",N | "headers",n | "body",… | "auth",…
	OpResponse Op = "response" // Path: "status" | "headers",n | "body",…
	OpArg      Op = "arg"      // Path: argument name, then attributes; in a function block
	OpVar      Op = "var"      // Name: a variable bound by OpFor
	OpTemplate Op = "template" // concatenation of Args; null is nothing
	OpCond     Op = "cond"     // Args: condition, then, else
	OpBinary   Op = "binary"   // Name: + - * / % == != < <= > >= && ||; Args: left, right
	OpUnary    Op = "unary"    // Name: - !; Args: operand
	OpCall     Op = "call"     // Name: function; Args: arguments
	OpObject   Op = "object"   // Args: key, value, key, value…
	OpTuple    Op = "tuple"    // Args: elements
	OpIndex    Op = "index"    // Args: collection, key
	OpAttr     Op = "attr"     // Name: attribute; Args: object
	OpSplat    Op = "splat"    // Args: collection, each (sees OpVar "splat")
	OpFor      Op = "for"      // Vars: key (may be ""), value; Args: collection, key (OpNone for a tuple), value, condition (or OpNone)
)

// Expr is a compiled request-time expression: data only, no code. Its zero value is "nothing written". It is immutable.
type Expr struct {
	Op    Op        `json:"op,omitempty"`
	Value any       `json:"value,omitempty"`
	Name  string    `json:"name,omitempty"`
	Path  []string  `json:"path,omitempty"`
	Vars  [2]string `json:"vars,omitzero"`
	Group bool      `json:"group,omitempty"` // OpFor with "...": values of equal keys are grouped
	Args  []Expr    `json:"args,omitempty"`
	Range hcl.Range `json:"-"`
}

// IsZero says that nothing was written.
func (e Expr) IsZero() bool { return e.Op == OpNone }

// Const returns the value of an expression that needs no request.
func (e Expr) Const() (any, bool) { return e.Value, e.Op == OpConst }

// Walk calls visit for e and every expression below it, parents first.
func (e Expr) Walk(visit func(Expr)) {
	visit(e)
	for _, a := range e.Args {
		a.Walk(visit)
	}
}
