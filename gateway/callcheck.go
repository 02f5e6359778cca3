package gateway

// check is filled in below.
func (c *caller) check() {}

// staticKind is the kind of value that an expression gives, where that is known; TypeAny where it is not.
func staticKind(e Expr) TypeKind {
	switch e.Op {
	case OpConst:
		return kindOf(e.Value)
	case OpTemplate:
		return TypeString
	case OpRequest, OpResponse:
		if len(e.Path) > 0 && e.Path[0] != "body" && e.Path[0] != "auth" && e.Path[0] != "status" {
			return TypeString
		}
	case OpBinary:
		switch e.Name {
		case "+", "-", "*", "/", "%":
			return TypeNumber
		}
		return TypeBoolean
	case OpUnary:
		if e.Name == "!" {
			return TypeBoolean
		}
		return TypeNumber
	case OpCond:
		if a, b := staticKind(e.Args[1]), staticKind(e.Args[2]); a == b {
			return a
		}
	case OpObject:
		return TypeObject
	case OpTuple, OpSplat:
		return TypeArray
	case OpFor:
		if len(e.Args) > 1 && !e.Args[1].IsZero() {
			return TypeObject
		}
		return TypeArray
	case OpCall:
		return resultKinds[e.Name]
	}
	return TypeAny
}

// resultKinds are the kinds that functions of the request time give, of those that give just one.
var resultKinds = map[string]TypeKind{
	"abs": TypeNumber, "ceil": TypeNumber, "floor": TypeNumber, "length": TypeNumber, "max": TypeNumber, "min": TypeNumber, "tonumber": TypeNumber,
	"base64decode": TypeString, "base64encode": TypeString, "htmlencode": TypeString, "join": TypeString, "jsonencode": TypeString, "lower": TypeString,
	"replace": TypeString, "substr": TypeString, "tostring": TypeString, "trim": TypeString, "trimprefix": TypeString, "trimspace": TypeString,
	"trimsuffix": TypeString, "upper": TypeString, "urlencode": TypeString,
	"can": TypeBoolean, "contains": TypeBoolean, "endswith": TypeBoolean, "startswith": TypeBoolean, "strcontains": TypeBoolean, "tobool": TypeBoolean,
	"concat": TypeArray, "keys": TypeArray, "split": TypeArray, "values": TypeArray, "merge": TypeObject,
}

// kindOf is the kind of a constant; TypeAny for null.
func kindOf(v any) TypeKind {
	switch v.(type) {
	case string:
		return TypeString
	case bool:
		return TypeBoolean
	case float64:
		return TypeNumber
	case []any:
		return TypeArray
	case map[string]any:
		return TypeObject
	}
	return TypeAny
}
