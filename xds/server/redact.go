package server

import "strings"

// maxNackText bounds what is kept of an Envoy's words.
const maxNackText = 2 << 10

// dumpMarks stood before the dump of a whole resource, secrets included, in other versions of Envoy.
var dumpMarks = []string{"Proto constraint validation failed (", "Unable to parse JSON as proto (", "Unable to unpack as "}

// dumpStart marks the text form of a message in Envoy 1.40: the mark, a line for each field, and a line that goes on
// with a colon. Line ends within values are escaped.
const dumpStart = "goo.gle/debug"

// withoutDumps drops the text forms of messages.
func withoutDumps(text string) string {
	var out strings.Builder
	for {
		before, dump, found := strings.Cut(text, dumpStart)
		out.WriteString(before)
		if !found {
			return out.String()
		}
		out.WriteString("…")
		if _, text, found = strings.Cut(dump, "\n: "); found {
			out.WriteString(": ")
			continue
		}
		if i := strings.LastIndex(dump, ": "+dumpMarks[0]); i >= 0 {
			text = dump[i:]
		}
	}
}

// redact keeps what an Envoy says about a resource and drops the resource itself.
func (s *Server) redact(text string) string {
	marks := dumpMarks
	if strings.Contains(text, dumpStart) {
		text, marks = withoutDumps(text), nil
	}
	for _, mark := range marks {
		if i := strings.Index(text, mark); i >= 0 {
			text = text[:i+len(mark)] + reason(text[i+len(mark):], strings.HasSuffix(mark, "("))
		}
	}
	if s.opts.Redact != nil {
		text = s.opts.Redact(text) // before the cut, which might leave half of what it looks for
	}
	if len(text) > maxNackText {
		text = strings.ToValidUTF8(text[:maxNackText], "") + "…"
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
