package translate

import (
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// nativeCall is the rewrite that is all a program does: a call with the client's method, query and body, to a path that
// is made of text and of variables of the client's path. ok is false where the script has to do it.
func nativeCall(program *gateway.Program, m *gateway.Match, p path) (rewrite, bool) {
	c := program.Call
	if c == nil || len(program.Request) > 0 || len(program.Response) > 0 {
		return rewrite{}, false
	}
	if c.GRPC != nil || c.Lambda != nil && (c.Lambda.Function == nil || c.Lambda.Function.ARN != "") {
		return rewrite{}, false
	}
	if len(c.Query) > 0 || len(c.Headers) > 0 || !c.Body.IsZero() || c.DropQuery || c.DropBody || !sameMethod(c.Method, m) {
		return rewrite{}, false
	}
	if c.Path.IsZero() {
		return rewrite{}, true
	}
	template, ok := pathTemplate(c.Path)
	if !ok || !keepsSegments(template, m) {
		return rewrite{}, false
	}
	w, err := p.rewriteWhole(template)
	return w, err == nil
}

// sameMethod says that all requests of a match have the method already.
func sameMethod(method string, m *gateway.Match) bool {
	if method == "" {
		return true
	}
	list := m.Methods
	if m.Method != "" {
		list = []string{m.Method}
	}
	return len(list) > 0 && !slices.ContainsFunc(list, func(s string) bool { return s != method })
}

// pathTemplate writes an expression as a path template, where it is text and variables of the client's path.
func pathTemplate(e gateway.Expr) (string, bool) {
	parts := []gateway.Expr{e}
	if e.Op == gateway.OpTemplate {
		parts = e.Args
	}
	var b strings.Builder
	for _, part := range parts {
		switch text, isText := part.Value.(string); {
		case part.Op == gateway.OpConst && isText && !strings.ContainsAny(text, "{}?#"):
			b.WriteString(text)
		case part.Op == gateway.OpRequest && len(part.Path) == 2 && part.Path[0] == "path":
			b.WriteString("{" + part.Path[1] + "}")
		default:
			return "", false
		}
	}
	return b.String(), strings.HasPrefix(b.String(), "/")
}

// keepsSegments says that no value can become a segment of dots, or several segments: a variable that is a segment of
// its own was one in the client's path, where the edge leaves no such segments, or has text beside it.
func keepsSegments(template string, m *gateway.Match) bool {
	if m.PathKind() != gateway.PathTemplate {
		return true // of a regular expression, the groups are what its author says
	}
	whole := map[string]bool{}
	for s := range strings.SplitSeq(m.Path, "/") {
		name, rest := strings.CutSuffix(strings.TrimSuffix(strings.TrimPrefix(s, "{"), "}"), "=**")
		if strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") && !strings.ContainsAny(name, "{}") {
			whole[name] = true
			if rest && !strings.HasSuffix(template, "/{"+name+"}") && strings.Contains(template, "{"+name+"}") {
				return false
			}
		}
	}
	for s := range strings.SplitSeq(template, "/") {
		open := strings.IndexByte(s, '{')
		if open < 0 {
			continue
		}
		if strings.Trim(outside(s), ".") == "" && !(strings.Count(s, "{") == 1 && open == 0 && strings.HasSuffix(s, "}") && whole[s[1:len(s)-1]]) {
			return false
		}
	}
	return true
}

// outside is the text of a segment around its variables.
func outside(segment string) string {
	var b strings.Builder
	for segment != "" {
		text, rest, opens := strings.Cut(segment, "{")
		b.WriteString(text)
		if !opens {
			break
		}
		_, segment, _ = strings.Cut(rest, "}")
	}
	return b.String()
}
