package hcl

import (
	"fmt"
	"regexp"

	hclv2 "github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// What one document, and one block, may cost. The bounds are far above what people write; they keep a hostile document
// from costing memory, stack or time.
const (
	maxDocument  = 1 << 20 // bytes
	maxBlocks    = 2000    // in a document
	maxInstances = 1000    // of a for_each, and of a dynamic block
	maxNested    = 10_000  // blocks that the dynamic blocks of one block may make
	maxDepth     = 64      // of brackets and templates
	maxOperators = 500     // of one level of one expression
	maxValue     = 1 << 20 // bytes, roughly, of one evaluated value
	maxForDepth  = 2       // for expressions inside one another
	maxProgram   = 10_000  // nodes of one compiled expression
	maxExponent  = 4096    // bits of a number that one block hands to another
	maxRegex     = 1000    // instructions of a compiled regular expression
)

// checkLimits refuses documents that would cost too much to parse. Most pass by a count of bytes; only a suspicious one
// is lexed.
func checkLimits(name string, src []byte, start hclv2.Pos) hclv2.Diagnostics {
	if len(src) > maxDocument {
		return hclv2.Diagnostics{{
			Severity: hclv2.DiagError, Summary: "Document too large", Subject: fileStart(name),
			Detail: fmt.Sprintf("The document has %d bytes; %d are allowed. Split it: the blocks of all documents see each other.", len(src), maxDocument),
		}}
	}
	opens, ops := 0, 0
	for _, c := range src {
		switch c {
		case '(', '[', '{':
			opens++
		case '+', '-', '*', '/', '%', '!', '=', '<', '>', '&', '|', '?':
			ops++
		}
	}
	if opens <= maxDepth && ops+opens <= maxOperators && !hugeNumber.Match(src) {
		return nil
	}
	return checkTokens(name, src, start)
}

// Numbers have any exponent in HCL, and printing 1e99999999 takes minutes: exponents have three digits at most.
var (
	hugeNumber  = regexp.MustCompile(`[0-9.][eE][+-]?[0-9]{4}`)
	onlyANumber = regexp.MustCompile(`^\s*[+-]?[0-9.]+[eE][+-]?[0-9]{4,}\s*$`)
)

// checkTokens measures the depth of brackets and the length of expressions: the parser and the evaluator recurse.
func checkTokens(name string, src []byte, start hclv2.Pos) hclv2.Diagnostics {
	tokens, diags := hclsyntax.LexConfig(src, name, start)
	if diags.HasErrors() {
		return nil // the parser says it better, and stops there
	}
	levels := []int{0}
	braces := []bool{true} // a newline ends what stands in braces
	for i, t := range tokens {
		top := len(levels) - 1
		switch t.Type {
		case hclsyntax.TokenOParen, hclsyntax.TokenOBrack, hclsyntax.TokenOBrace, hclsyntax.TokenTemplateInterp,
			hclsyntax.TokenTemplateControl, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
			if t.Type == hclsyntax.TokenOBrack && i > 0 || t.Type == hclsyntax.TokenTemplateControl {
				levels[top]++ // an index; a directive may nest in what follows
			}
			levels = append(levels, 0)
			braces = append(braces, t.Type == hclsyntax.TokenOBrace)
		case hclsyntax.TokenCParen, hclsyntax.TokenCBrack, hclsyntax.TokenCBrace, hclsyntax.TokenTemplateSeqEnd,
			hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc:
			if top > 0 {
				levels, braces = levels[:top], braces[:top]
			}
		case hclsyntax.TokenNewline:
			if braces[top] {
				levels[top] = 0
			}
		case hclsyntax.TokenComma:
			levels[top] = 0
		case hclsyntax.TokenPlus, hclsyntax.TokenMinus, hclsyntax.TokenStar, hclsyntax.TokenSlash, hclsyntax.TokenPercent,
			hclsyntax.TokenBang, hclsyntax.TokenQuestion, hclsyntax.TokenAnd, hclsyntax.TokenOr, hclsyntax.TokenEqualOp,
			hclsyntax.TokenNotEqual, hclsyntax.TokenLessThan, hclsyntax.TokenGreaterThan, hclsyntax.TokenLessThanEq,
			hclsyntax.TokenGreaterThanEq:
			levels[top]++
		case hclsyntax.TokenNumberLit, hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit:
			if onlyANumber.Match(t.Bytes) {
				return hclv2.Diagnostics{{
					Severity: hclv2.DiagError, Summary: "Number out of range", Subject: t.Range.Ptr(),
					Detail: fmt.Sprintf("The exponent of %s has more than three digits.", t.Bytes[:min(len(t.Bytes), 40)]),
				}}
			}
		}
		if top = len(levels) - 1; top > maxDepth || levels[top] > maxOperators {
			return hclv2.Diagnostics{{
				Severity: hclv2.DiagError, Summary: "Expression too large", Subject: t.Range.Ptr(),
				Detail: fmt.Sprintf("Brackets and templates may nest %d deep, and one expression may have %d operators. Part it with locals.", maxDepth, maxOperators),
			}}
		}
	}
	return nil
}
