package gateway

import "strings"

// PathAction is what the edge does with a request because of its path.
type PathAction uint8

// A path that holds an escaped slash is answered with a redirect to the plain one; one that is no path, with 400.
const (
	PathForward PathAction = iota
	PathRedirect
	PathReject
)

// NormalisePath is what the edge makes of a request's path, without its query, before any route sees it:
//
//   - %2F and %5C (escaped slashes) are unescaped, and the client is redirected (307) to the result;
//   - a backslash is a slash;
//   - the segments "." and "..", also written %2e, are resolved, and ".." at the top is dropped;
//   - repeated slashes are one;
//   - bytes that no path may hold are percent-encoded; what is percent-encoded stays so.
//
// A path that does not begin with a slash, or holds a fragment, is rejected.
func NormalisePath(path string) (string, PathAction) {
	if !strings.HasPrefix(path, "/") || strings.Contains(path, "#") {
		return path, PathReject
	}
	action := PathForward
	if plain := unescapeSlashes(path); plain != path {
		path, action = plain, PathRedirect
	}
	path = strings.ReplaceAll(path, `\`, "/")
	var out []string
	segments := strings.Split(path[1:], "/")
	for i, s := range segments {
		last := i == len(segments)-1
		switch dots(s) {
		case 1:
			s = ""
		case 2:
			// Slashes are merged after dots are resolved: an empty segment before ".." is the one it takes away.
			out, s = out[:max(len(out)-1, 0)], ""
		default:
			out = append(out, escapePath(s))
			continue
		}
		if last {
			out = append(out, s)
		}
	}
	merged := out[:0:0]
	for i, s := range out {
		if s != "" || i == len(out)-1 {
			merged = append(merged, s)
		}
	}
	return "/" + strings.Join(merged, "/"), action
}

// dots counts the dots of a segment that is nothing but one or two, written plain or as %2e; else it is 0.
func dots(segment string) int {
	n := 0
	for segment != "" {
		switch {
		case segment[0] == '.':
			segment = segment[1:]
		case len(segment) >= 3 && strings.EqualFold(segment[:3], "%2e"):
			segment = segment[3:]
		default:
			return 0
		}
		n++
	}
	if n > 2 {
		return 0
	}
	return n
}

func unescapeSlashes(path string) string {
	return strings.NewReplacer("%2F", "/", "%2f", "/", "%5C", `\`, "%5c", `\`).Replace(path)
}

const upperHex = "0123456789ABCDEF"

// escapePath percent-encodes what must be in a path.
func escapePath(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>`{}?#", c) >= 0 {
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
