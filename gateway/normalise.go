package gateway

import (
	"slices"
	"strconv"
	"strings"
)

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
//   - repeated slashes are one, but a path of nothing else keeps two;
//   - letters, digits and -._~ are never percent-encoded, "<>^`{|} always; all else stays as sent.
//
// A path is rejected that does not begin with a slash or holds a space, a control character, a zero byte even if it is
// percent-encoded, a byte beyond ASCII, or a fragment.
func NormalisePath(path string) (string, PathAction) {
	if !strings.HasPrefix(path, "/") || strings.Contains(path, "%00") ||
		strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '#' }) {
		return path, PathReject
	}
	action := PathForward
	if plain := unescapeSlashes(path); plain != path {
		path, action = plain, PathRedirect
	}
	return mergeSlashes(resolveDots(strings.ReplaceAll(path, `\`, "/"))), action
}

// resolveDots returns the segments after the first slash; the last one is empty where the path ends in a slash. Empty
// segments count: one before ".." is what it takes away.
func resolveDots(path string) []string {
	var out []string
	segments := strings.Split(path[1:], "/")
	for i, s := range segments {
		n := dots(s)
		if n == 0 {
			out = append(out, recode(s))
			continue
		}
		if n == 2 && len(out) > 0 {
			out = out[:len(out)-1]
		}
		if i == len(segments)-1 {
			out = append(out, "")
		}
	}
	return out
}

func mergeSlashes(segments []string) string {
	full := slices.DeleteFunc(slices.Clone(segments), func(s string) bool { return s == "" })
	switch {
	case len(full) > 0 && segments[len(segments)-1] == "":
		return "/" + strings.Join(full, "/") + "/"
	case len(full) == 0 && len(segments) > 1:
		return "//"
	}
	return "/" + strings.Join(full, "/")
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

const hexDigits = "0123456789ABCDEF"

// recode percent-encodes what must be in a path, and nothing that need not be.
func recode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case strings.IndexByte("\"<>^`{|}", c) >= 0:
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		case c == '%' && i+2 < len(s) && unreserved(unhex(s[i+1:i+3])):
			b.WriteByte(unhex(s[i+1 : i+3]))
			i += 2
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unhex reads two hexadecimal digits; what is none is 0.
func unhex(digits string) byte {
	n, err := strconv.ParseUint(digits, 16, 8)
	if err != nil {
		return 0
	}
	return byte(n)
}

func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c != 0 && strings.IndexByte("-._~", c) >= 0
}
