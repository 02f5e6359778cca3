package openapi

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// server is the path of the first of a list of servers, without a slash at its end. A server's host is not looked at:
// the upstream says where the service runs.
func (l *lister) server(servers value) (string, error) {
	var first value
	for s := range servers.items() {
		first = s
		break
	}
	address := first.get("url").text()
	for name, variable := range first.get("variables").fields() {
		address = strings.ReplaceAll(address, "{"+name+"}", variable.get("default").text())
	}
	if len(address) > maxPath {
		return "", fmt.Errorf("the server's URL has more than %d bytes", maxPath)
	}
	if _, after, absolute := strings.Cut(address, "://"); absolute {
		// Only the path counts: what is odd in front of it does no harm.
		i := strings.IndexAny(after, "/?#")
		if i < 0 {
			return "", nil
		}
		address = after[i:]
	}
	if strings.ContainsAny(address, "{}") {
		return "", fmt.Errorf("the server %.100q has a variable without a default", address)
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("the server %.100q is no URL", address)
	}
	if u.Path == "" {
		return "", nil // none is written: "/" is the default, not the document's own place
	}
	at := &url.URL{Path: "/"}
	if found, err := url.Parse(l.at); err == nil && strings.HasPrefix(found.Path, "/") {
		at.Path = found.Path
	}
	return cleanBase(at.ResolveReference(&url.URL{Path: u.Path, RawPath: u.RawPath}).EscapedPath()), nil
}

// cleanBase is a path that others are put behind: "" or with a slash in front and none at the end.
func cleanBase(path string) string {
	path = strings.Trim(path, "/")
	if path == "" || strings.ContainsAny(path, "{}?#") {
		return ""
	}
	return keep("/" + escape(path))
}

// cleanPath is a path's template with {name} for each variable, and their names. What it does not change is kept
// byte for byte, a slash at the end too.
func cleanPath(path string) (template string, variables []string, err error) {
	if len(path) > maxPath {
		return "", nil, fmt.Errorf("the path has more than %d bytes", maxPath)
	}
	var out strings.Builder
	for rest := path; rest != ""; {
		i := strings.IndexAny(rest, "{}?#")
		if i < 0 {
			out.WriteString(escape(rest))
			break
		}
		out.WriteString(escape(rest[:i]))
		if rest[i] != '{' {
			return "", nil, fmt.Errorf("a path cannot have a %q", rest[i])
		}
		end := closing(rest[i:])
		if end < 0 {
			return "", nil, fmt.Errorf("a variable of the path does not end")
		}
		name, _, _ := strings.Cut(rest[i+1:i+end], ":") // frameworks leak their patterns: {id:[0-9]+}
		name = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(name), "+"), "*")
		if name == "" || strings.ContainsAny(name, "{}/?#,;&") {
			return "", nil, fmt.Errorf("a variable of the path cannot be named %.40q", name)
		}
		if slices.Contains(variables, name) {
			return "", nil, fmt.Errorf("the path has the variable %.40q twice", name)
		}
		name = keep(name)
		variables = append(variables, name)
		out.WriteString("{" + name + "}")
		rest = rest[i+end+1:]
	}
	return out.String(), variables, nil
}

// closing is the index of the brace that closes the first byte of s; -1 if there is none.
func closing(s string) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// escape percent-encodes what cannot stand in a path; what is encoded stays.
func escape(path string) string {
	const digits = "0123456789ABCDEF"
	var out strings.Builder
	for i := range len(path) {
		c := path[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`|", c) >= 0 {
			out.WriteByte('%')
			out.WriteByte(digits[c>>4])
			out.WriteByte(digits[c&15])
			continue
		}
		out.WriteByte(c)
	}
	return out.String()
}
