package gateway

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
)

// What comes as text is in the body what it was, to its last digit, or the request ends with the argument's name.
func TestArgumentsOfTextBecomeWhatTheSignatureAsksFor(t *testing.T) {
	for name, c := range map[string]struct {
		kind TypeKind
		text any
		want string // "" is refused
	}{
		"small":                   {TypeInteger, "6", "6"},
		"beyond a double":         {TypeInteger, "9007199254740993", "9007199254740993"},
		"the smallest of 64 bits": {TypeInteger, "-9223372036854775808", "-9223372036854775808"},
		"with zeros before":       {TypeInteger, "-0009007199254740993", "-9007199254740993"},
		"with a plus":             {TypeInteger, "+9007199254740993", "9007199254740993"},
		"whole as a decimal":      {TypeInteger, "6.0", "6"},
		"whole by an exponent":    {TypeInteger, "1e3", "1000"},
		"too large for one":       {TypeInteger, "1e20", ""},
		"rounded by a double":     {TypeInteger, "9007199254740993.0", ""},
		"a part":                  {TypeInteger, "1.5", ""},
		"a word":                  {TypeInteger, "six", ""},
		"nothing":                 {TypeInteger, "", ""},
		"infinite":                {TypeInteger, "1e999", ""},
		"null":                    {TypeInteger, nil, "null"},
		"a list":                  {TypeInteger, []any{}, ""},
		"a number":                {TypeNumber, "1.50", "1.5"},
		"a long number":           {TypeNumber, "12345678901234567890", "12345678901234567890"},
		"no number":               {TypeNumber, "1,5", ""},
		"true":                    {TypeBoolean, "true", "true"},
		"false":                   {TypeBoolean, "false", "false"},
		"yes":                     {TypeBoolean, "yes", ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := Expr{Op: OpConvert, Name: string(c.kind), Path: []string{"n"}, Args: []Expr{{Op: OpConst, Value: c.text}}}
			v, err := Expr{Op: OpCall, Name: "try", Args: []Expr{e, constant("caught")}}.Eval(RequestContext{})
			if r, refused := errors.AsType[*Refusal](err); refused {
				if c.want != "" || r.Status != http.StatusBadRequest || r.Reason != "invalid_argument" {
					t.Errorf("refused: %v, want %s", r, c.want)
				}
				return
			}
			if b, _ := json.Marshal(v); err != nil || string(b) != c.want {
				t.Errorf("%s, %v, want %s", b, err, c.want)
			}
		})
	}
}

func TestARefusalNamesTheArgument(t *testing.T) {
	fn := restFunction("POST", "/sum", MediaJSON, "n body integer")
	b := &caller{w: New(&Rules{}), fn: fn, match: &Match{Method: "GET", Path: "/sum/{n}"}, to: &Destination{Function: Ref{ID: FunctionID("u", "f")}}}
	p := &Program{Path: "/sum/{n}", Call: b.build()}
	_, err := p.Send(RawRequest{Method: "GET", Target: "/sum/1.5"})
	r, refused := errors.AsType[*Refusal](err)
	if !refused || string(r.Body()) != `{"error":"the argument \"n\" of the call must be a whole number","reason":"invalid_argument"}` {
		t.Errorf("%v", err)
	}
	if out, err := p.Send(RawRequest{Method: "GET", Target: "/sum/9007199254740993"}); err != nil || string(out.Body) != `{"n":9007199254740993}` {
		t.Errorf("%s, %v", out.Body, err)
	}
}
