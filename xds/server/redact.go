package server

import "strings"

// maxNackText bounds what is kept of an Envoy's words.
const maxNackText = 2 << 10

// dumpMarks stand before Envoy's dump of a whole resource, secrets included.
var dumpMarks = []string{"Proto constraint validation failed (", "Unable to parse JSON as proto (", "Unable to unpack as "}

// redact keeps what an Envoy says about a resource and drops the resource itself.
func (s *Server) redact(text string) string {
	for _, mark := range dumpMarks {
		if i := strings.Index(text, mark); i >= 0 {
			text = text[:i+len(mark)] + reason(text[i+len(mark):], strings.HasSuffix(mark, "("))
		}
	}
	if len(text) > maxNackText {
		text = strings.ToValidUTF8(text[:maxNackText], "") + "…"
	}
	if s.opts.Redact != nil {
		text = s.opts.Redact(text)
	}
	return text
}

// reason is what stands before the dump: up to the parenthesis that closes the mark's, or the first word.
func reason(rest string, parenthesis bool) string {
	depth := 1
	for i, c := range rest {
		switch {
		case !parenthesis && (c == ':' || c == ' ' || c == '\n'):
			return rest[:i] + ": …"
		case c == '(':
			depth++
		case c == ')':
			if depth--; parenthesis && depth == 0 {
				return rest[:i+1] + "…"
			}
		}
	}
	return "…"
}
