package script

import (
	"fmt"
	"regexp/syntax"
)

// regex is a regular expression over a whole path, as instructions for the script.
type regex struct {
	Start  int      `json:"s"` // the first instruction, from 1
	Insts  [][]any  `json:"i"`
	Groups []string `json:"n"` // the names of the groups; group i is captured between the places 2i-1 and 2i
}

// edges are the conditions on a place.
var edges = map[syntax.EmptyOp]string{
	syntax.EmptyBeginLine: "^", syntax.EmptyEndLine: "$", syntax.EmptyBeginText: "A", syntax.EmptyEndText: "z",
	syntax.EmptyWordBoundary: "b", syntax.EmptyNoWordBoundary: "B",
}

// compileRegex compiles an expression that a whole path has to match. The edge lets ASCII through alone.
func compileRegex(expr string) (*regex, error) {
	tree, err := syntax.Parse(`\A(?:`+expr+`)\z`, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("regular expression %q: %w", expr, err)
	}
	named := tree.CapNames()
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, fmt.Errorf("regular expression %q: %w", expr, err)
	}
	out := &regex{Start: prog.Start + 1, Groups: []string{}}
	slots := map[uint32]int{}
	for i, name := range named {
		if name != "" {
			out.Groups = append(out.Groups, name)
			slots[uint32(2*i)], slots[uint32(2*i+1)] = 2*len(out.Groups)-1, 2*len(out.Groups)
		}
	}
	for i := range prog.Inst {
		in := &prog.Inst[i]
		next := int(in.Out) + 1
		switch in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			out.Insts = append(out.Insts, []any{"a", next, int(in.Arg) + 1})
		case syntax.InstCapture:
			out.Insts = append(out.Insts, capture(next, slots[in.Arg]))
		case syntax.InstEmptyWidth:
			edge, ok := edges[syntax.EmptyOp(in.Arg)]
			if !ok {
				return nil, fmt.Errorf("regular expression %q has a condition %d", expr, in.Arg)
			}
			out.Insts = append(out.Insts, []any{"e", next, edge})
		case syntax.InstMatch:
			out.Insts = append(out.Insts, []any{"m"})
		case syntax.InstNop:
			out.Insts = append(out.Insts, capture(next, 0))
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			out.Insts = append(out.Insts, ranges(in, next))
		default:
			out.Insts = append(out.Insts, []any{"f"})
		}
	}
	return out, nil
}

// capture notes a place for a group that has a name; of others, it goes on.
func capture(next, slot int) []any {
	if slot == 0 {
		return []any{"n", next}
	}
	return []any{"c", next, slot}
}

// ranges is the instruction that takes one of the bytes that an instruction's runes stand for.
func ranges(in *syntax.Inst, next int) []any {
	out := []any{"r", next}
	takes := func(b rune) bool {
		switch in.Op {
		case syntax.InstRuneAny:
			return true
		case syntax.InstRuneAnyNotNL:
			return b != '\n'
		}
		return in.MatchRune(b)
	}
	for b := rune(0); b < 0x80; b++ {
		if !takes(b) {
			continue
		}
		last := b
		for last+1 < 0x80 && takes(last+1) {
			last++
		}
		out = append(out, int(b), int(last))
		b = last
	}
	return out
}
