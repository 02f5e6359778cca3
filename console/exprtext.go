package console

import (
	"encoding/json"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// ExprText is a compiled expression as it could be written in a document; empty for nothing.
func ExprText(e gateway.Expr) string {
	switch e.Op {
	case gateway.OpNone:
		return ""
	case gateway.OpConst:
		return constText(e.Value)
	case gateway.OpRequest, gateway.OpResponse, gateway.OpArg:
		return string(e.Op) + pathText(e.Path)
	case gateway.OpVar:
		return e.Name
	case gateway.OpTemplate:
		return templateText(e.Args)
	case gateway.OpCond:
		return operand(e.Args[0]) + " ? " + operand(e.Args[1]) + " : " + operand(e.Args[2])
	case gateway.OpBinary:
		return operand(e.Args[0]) + " " + e.Name + " " + operand(e.Args[1])
	case gateway.OpUnary:
		return e.Name + operand(e.Args[0])
	case gateway.OpTuple:
		return "[" + exprList(e.Args) + "]"
	case gateway.OpObject:
		return objectText(e.Args)
	case gateway.OpIndex:
		return operand(e.Args[0]) + "[" + ExprText(e.Args[1]) + "]"
	case gateway.OpAttr:
		return operand(e.Args[0]) + "." + e.Name
	case gateway.OpSplat:
		return operand(e.Args[0]) + "[*]" + strings.TrimPrefix(ExprText(e.Args[1]), "splat")
	case gateway.OpFor:
		return forText(e)
	case gateway.OpConvert:
		if e.Name == string(gateway.TypeBoolean) {
			return "tobool(" + exprList(e.Args) + ")"
		}
		return "tonumber(" + exprList(e.Args) + ")"
	}
	return e.Name + "(" + exprList(e.Args) + ")"
}

// operand is an expression inside of another.
func operand(e gateway.Expr) string {
	if e.Op == gateway.OpCond || e.Op == gateway.OpBinary {
		return "(" + ExprText(e) + ")"
	}
	return ExprText(e)
}

func exprList(list []gateway.Expr) string {
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = ExprText(e)
	}
	return strings.Join(parts, ", ")
}

func constText(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "?"
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// pathText is ".path.id", ".headers["x-team"]", ".body.items.0".
func pathText(path []string) string {
	var b strings.Builder
	for i, p := range path {
		if i == 0 || identifier(p) && path[0] != "headers" {
			b.WriteString("." + p)
		} else {
			b.WriteString("[" + constText(p) + "]")
		}
	}
	return b.String()
}

func templateText(parts []gateway.Expr) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, p := range parts {
		if s, ok := p.Value.(string); ok && p.Op == gateway.OpConst {
			text := constText(s)
			b.WriteString(strings.NewReplacer("${", "$${", "%{", "%%{").Replace(text[1 : len(text)-1]))
		} else {
			b.WriteString("${" + ExprText(p) + "}")
		}
	}
	return b.String() + `"`
}

func objectText(list []gateway.Expr) string {
	var parts []string
	for i := 0; i+1 < len(list); i += 2 {
		key := ExprText(list[i])
		if s, ok := list[i].Value.(string); ok && identifier(s) {
			key = s
		}
		parts = append(parts, key+" = "+ExprText(list[i+1]))
	}
	if len(parts) == 0 {
		return "{}"
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}

func forText(e gateway.Expr) string {
	names := e.Vars[1]
	if e.Vars[0] != "" {
		names = e.Vars[0] + ", " + names
	}
	opens, closes, value := "[", "]", ExprText(e.Args[2])
	if !e.Args[1].IsZero() {
		opens, closes, value = "{", "}", ExprText(e.Args[1])+" => "+value
	}
	s := opens + "for " + names + " in " + operand(e.Args[0]) + " : " + value
	if e.Group {
		s += "..."
	}
	if !e.Args[3].IsZero() {
		s += " if " + ExprText(e.Args[3])
	}
	return s + closes
}
