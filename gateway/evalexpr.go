package gateway

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// RequestContext is what an expression can see of a request. What is absent is null.
type RequestContext struct {
	Method   string
	Host     string
	ClientIP string
	ID       string
	Path     map[string]string // variables of the path template
	Query    map[string]string // first value of each parameter
	Headers  map[string]string // by lower-case name
	Body     any               // as encoding/json decodes it into any
	Auth     map[string]any    // client, subject, claims
	Args     map[string]any    // of the function that is called
	Response *ResponseContext  // nil where there is none yet
}

// ResponseContext is what an expression can see of a response.
type ResponseContext struct {
	Status  int
	Headers map[string]string // by lower-case name
	Body    any
}

// maxEvalSteps bounds an evaluation: loops inside loops over a large body. Every 32 bytes of text that are made are a
// step, too.
const maxEvalSteps = 500_000

// errTooManySteps ends an evaluation that takes too long.
var errTooManySteps = errors.New("the expression takes too many steps")

// Eval runs the expression. The result is nil, a bool, float64, json.Number, string, []any or map[string]any; a
// json.Number is one that stood in a JSON text and has not been touched: its text is as it stood. It equals what the
// configuration language computes, but for this list: what is absent is null; a loop over null has no rounds; null is
// nothing in a template, and leaves its key out of an object; numbers are doubles with their shortest text; objects are
// in the byte order of their keys; text is counted in code points. An error says why there is no result. Eval changes
// nothing, and may return parts of in.
func (e Expr) Eval(in RequestContext) (any, error) {
	r := &evalRun{in: in}
	return r.eval(e, nil)
}

// evalOperands is how many operands the operations have that have a fixed number.
var evalOperands = map[Op]int{OpCond: 3, OpFor: 4, OpSplat: 2, OpBinary: 2, OpUnary: 1, OpIndex: 2, OpAttr: 1}

type evalRun struct {
	in    RequestContext
	steps int
}

// evalVars is the chain of bound variables.
type evalVars struct {
	name  string
	value any
	outer *evalVars
}

func (v *evalVars) get(name string) any {
	for ; v != nil; v = v.outer {
		if v.name == name {
			return v.value
		}
	}
	return nil
}

func (r *evalRun) eval(e Expr, vars *evalVars) (any, error) {
	if r.steps++; r.steps > maxEvalSteps {
		return nil, errTooManySteps
	}
	if n, fixed := evalOperands[e.Op]; fixed && len(e.Args) != n {
		return nil, fmt.Errorf("operation %q with %d operands", e.Op, len(e.Args))
	}
	switch e.Op {
	case OpConst:
		return e.Value, nil
	case OpRequest, OpResponse, OpArg:
		return r.read(e), nil
	case OpVar:
		return vars.get(e.Name), nil
	case OpCond:
		return r.cond(e, vars)
	case OpFor:
		return r.loop(e, vars)
	case OpSplat:
		return r.splat(e, vars)
	case OpBinary:
		if e.Name == "&&" || e.Name == "||" {
			return r.logic(e, vars)
		}
	case OpCall:
		if e.Name == "try" || e.Name == "can" {
			return r.try(e, vars)
		}
	}
	args := make([]any, len(e.Args))
	for i, a := range e.Args {
		v, err := r.eval(a, vars)
		if err != nil {
			return nil, err
		}
		args[i] = v
	}
	v, err := r.apply(e, args)
	switch x := v.(type) { // what is made costs by its size; the next step finds out
	case string:
		r.steps += len(x) / 32
	case []any:
		r.steps += len(x)
	}
	return v, err
}

// apply computes an operation whose operands are all evaluated.
func (r *evalRun) apply(e Expr, args []any) (any, error) {
	switch e.Op {
	case OpTemplate:
		var b strings.Builder
		for _, a := range args {
			if a == nil {
				continue
			}
			s, err := evalText(a)
			if err != nil {
				return nil, fmt.Errorf("template: %w", err)
			}
			b.WriteString(s)
		}
		return b.String(), nil
	case OpBinary:
		return evalBinary(e.Name, args[0], args[1])
	case OpUnary:
		return evalUnary(e.Name, args[0])
	case OpTuple:
		return args, nil
	case OpObject:
		return evalObject(args)
	case OpIndex:
		return evalIndex(args[0], args[1])
	case OpAttr:
		return evalIndex(args[0], e.Name)
	case OpCall:
		return evalCall(e.Name, args)
	case OpConvert:
		if len(args) == 1 {
			return evalConvert(e, args[0])
		}
	case OpHTML, OpSegment, OpSegments:
		if len(args) == 1 {
			return evalEscape(e.Op, args[0])
		}
	}
	return nil, fmt.Errorf("unknown operation %q", e.Op)
}

// read looks up what the request, the response or the arguments hold; nil where there is nothing.
func (r *evalRun) read(e Expr) any {
	if len(e.Path) == 0 {
		return nil
	}
	head, rest := e.Path[0], e.Path[1:]
	switch e.Op {
	case OpArg:
		return evalPath(r.in.Args[head], rest)
	case OpResponse:
		resp := r.in.Response
		if resp == nil {
			return nil
		}
		switch head {
		case "status":
			return float64(resp.Status)
		case "headers":
			return evalNamed(resp.Headers, rest)
		case "body":
			return evalPath(resp.Body, rest)
		}
		return nil
	}
	switch head {
	case "method":
		return r.in.Method
	case "host":
		return r.in.Host
	case "client_ip":
		return r.in.ClientIP
	case "id":
		return r.in.ID
	case "path":
		return evalNamed(r.in.Path, rest)
	case "query":
		return evalNamed(r.in.Query, rest)
	case "headers":
		return evalNamed(r.in.Headers, rest)
	case "body":
		return evalPath(r.in.Body, rest)
	case "auth":
		return evalPath(r.in.Auth, rest)
	}
	return nil
}

func evalNamed(m map[string]string, rest []string) any {
	if len(rest) == 1 {
		if v, ok := m[rest[0]]; ok {
			return v
		}
	}
	return nil
}

func evalPath(v any, path []string) any {
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	if m, ok := v.(map[string]any); ok && m == nil {
		return nil
	}
	return v
}

func (r *evalRun) cond(e Expr, vars *evalVars) (any, error) {
	c, err := r.evalTruth(e.Args[0], vars, "the condition")
	if err != nil {
		return nil, err
	}
	if c {
		return r.eval(e.Args[1], vars)
	}
	return r.eval(e.Args[2], vars)
}

func (r *evalRun) evalTruth(e Expr, vars *evalVars, what string) (bool, error) {
	v, err := r.eval(e, vars)
	if err != nil {
		return false, err
	}
	b, ok := evalBool(v)
	if !ok {
		return false, fmt.Errorf("%s is %s, not true or false", what, evalKind(v))
	}
	return b, nil
}

func (r *evalRun) logic(e Expr, vars *evalVars) (any, error) {
	left, err := r.evalTruth(e.Args[0], vars, "the left side of "+e.Name)
	if err != nil || left == (e.Name == "||") {
		return left, err
	}
	return r.evalTruth(e.Args[1], vars, "the right side of "+e.Name)
}

// try is the first argument that has no error, or whether there is none.
func (r *evalRun) try(e Expr, vars *evalVars) (any, error) {
	var last error
	for _, a := range e.Args {
		v, err := r.eval(a, vars)
		if err == nil && e.Name == "can" {
			return true, nil
		}
		if err == nil {
			return v, nil
		}
		if _, ends := errors.AsType[*Refusal](err); ends {
			return nil, err
		}
		last = err
	}
	if e.Name == "can" {
		return false, nil
	}
	return nil, fmt.Errorf("no argument of try has a value: %w", last)
}

// evalPair is one round of a loop.
type evalPair struct{ key, value any }

func evalPairs(v any) ([]evalPair, error) {
	switch c := v.(type) {
	case nil:
		return nil, nil
	case []any:
		out := make([]evalPair, len(c))
		for i, x := range c {
			out[i] = evalPair{float64(i), x}
		}
		return out, nil
	case map[string]any:
		out := make([]evalPair, 0, len(c))
		for _, k := range slices.Sorted(maps.Keys(c)) {
			out = append(out, evalPair{k, c[k]})
		}
		return out, nil
	}
	return nil, fmt.Errorf("%s has no elements", evalKind(v))
}

func (r *evalRun) loop(e Expr, vars *evalVars) (any, error) {
	coll, err := r.eval(e.Args[0], vars)
	if err != nil {
		return nil, err
	}
	pairs, err := evalPairs(coll)
	if err != nil {
		return nil, err
	}
	list, object := []any{}, map[string]any{}
	for _, p := range pairs {
		inner := &evalVars{e.Vars[1], p.value, vars}
		if e.Vars[0] != "" {
			inner = &evalVars{e.Vars[0], p.key, inner}
		}
		if err := r.round(e, inner, &list, object); err != nil {
			return nil, err
		}
	}
	if e.Args[1].IsZero() {
		return list, nil
	}
	return object, nil
}

// round adds what one round of a loop makes to the list or the object.
func (r *evalRun) round(e Expr, vars *evalVars, list *[]any, object map[string]any) error {
	if !e.Args[3].IsZero() {
		if keep, err := r.evalTruth(e.Args[3], vars, "the condition"); err != nil || !keep {
			return err
		}
	}
	if e.Args[1].IsZero() {
		v, err := r.eval(e.Args[2], vars)
		*list = append(*list, v)
		return err
	}
	k, err := r.eval(e.Args[1], vars)
	if err != nil {
		return err
	}
	key, err := evalText(k)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	v, err := r.eval(e.Args[2], vars)
	if err != nil {
		return err
	}
	_, twice := object[key]
	switch {
	case e.Group:
		group, _ := object[key].([]any)
		object[key] = append(group, v)
	case twice:
		return fmt.Errorf("the key %q comes twice", key)
	case v != nil:
		object[key] = v
	}
	return nil
}

func (r *evalRun) splat(e Expr, vars *evalVars) (any, error) {
	coll, err := r.eval(e.Args[0], vars)
	if err != nil {
		return nil, err
	}
	items, ok := coll.([]any)
	if !ok && coll != nil {
		items = []any{coll}
	}
	out := make([]any, 0, len(items))
	for _, item := range items {
		v, err := r.eval(e.Args[1], &evalVars{"splat", item, vars})
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}
