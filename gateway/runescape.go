package gateway

// Operations that Prepared puts around what templates insert; nothing that a user writes compiles to them. Args: one.
const (
	OpHTML     Op = "html"     // text, escaped for HTML; null stays
	OpSegment  Op = "segment"  // text, escaped as one segment of a path; null ends the request
	OpSegments Op = "segments" // likewise, but a slash stays one
	// OpConvert makes of text what the argument Path of a call asks for: Name is a TypeKind. Null stays; what is no such
	// thing ends the request. It stands in calls alone.
	OpConvert Op = "convert"
)

// escapeWith puts op around every value that a template inserts, through conditions and loops; what an author wrote in
// the document stays. leaf makes the node around one value.
func escapeWith(e Expr, leaf func(Expr) Expr) Expr {
	switch {
	case e.Op == OpConst:
		return e
	case e.Op == OpTemplate:
		return escapeArgs(e, 0, leaf)
	case e.Op == OpCond && len(e.Args) == 3:
		return escapeArgs(e, 1, leaf)
	case e.Op == OpCall && e.Name == "raw" && len(e.Args) == 1:
		return e
	case e.Op == OpCall && (e.Name == "try" || e.Name == "coalesce") && leaf(Expr{}).Op == OpHTML: // null goes through
		return escapeArgs(e, 0, leaf)
	case e.Op == OpCall && e.Name == "join" && len(e.Args) == 2:
		e = escapeArgs(e, 0, func(x Expr) Expr { return x })
		if e.Args[0].Op != OpConst {
			e.Args[0] = leaf(e.Args[0])
		}
		e.Args[1] = escapeElements(e.Args[1], leaf)
		return e
	}
	return leaf(e)
}

// escapeArgs is e with its operands from the given one on escaped.
func escapeArgs(e Expr, from int, leaf func(Expr) Expr) Expr {
	args := make([]Expr, len(e.Args))
	copy(args, e.Args)
	for i := from; i < len(args); i++ {
		args[i] = escapeWith(args[i], leaf)
	}
	e.Args = args
	return e
}

// escapeElements is a list with its elements escaped.
func escapeElements(e Expr, leaf func(Expr) Expr) Expr {
	switch {
	case e.Op == OpConst:
		return e
	case e.Op == OpTuple:
		return escapeArgs(e, 0, leaf)
	case e.Op == OpFor && len(e.Args) == 4 && e.Args[1].IsZero():
		args := make([]Expr, 4)
		copy(args, e.Args)
		args[2] = escapeWith(args[2], leaf)
		e.Args = args
		return e
	}
	v := Expr{Op: OpVar, Name: "element"}
	return Expr{Op: OpFor, Vars: [2]string{"", "element"}, Args: []Expr{e, {}, leaf(v), {}}}
}

// escapeHTML is the template of an HTML body: what it inserts is escaped, but for raw().
func escapeHTML(e Expr) Expr {
	return escapeWith(e, func(x Expr) Expr { return Expr{Op: OpHTML, Args: []Expr{x}} })
}

// escapePath is the template of a path. A variable of the rest of the client's path may hold slashes.
func escapePath(e Expr, rest string) Expr {
	return escapeWith(e, func(x Expr) Expr {
		if rest != "" && x.Op == OpRequest && len(x.Path) == 2 && x.Path[0] == "path" && x.Path[1] == rest {
			return Expr{Op: OpSegments, Args: []Expr{x}}
		}
		return Expr{Op: OpSegment, Args: []Expr{x}}
	})
}
