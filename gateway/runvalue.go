package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"strings"
	"unicode/utf8"
)

// Bounds of JSON texts that the engine reads.
const (
	maxJSONDepth  = 100
	maxJSONValues = 100_000
)

var errNoJSON = errors.New("no JSON")

// decodeJSON reads one JSON text: strictly, of bounded depth and number of values. Of equal keys the last one wins. A
// number stays as it stands, but for short integers, which are what they look like.
func decodeJSON(text []byte) (any, error) {
	if !utf8.Valid(text) || jsonDepth(text) > maxJSONDepth {
		return nil, errNoJSON
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, errNoJSON
	}
	if len(bytes.TrimLeft(text[d.InputOffset():], " \t\r\n")) > 0 {
		return nil, errNoJSON
	}
	values := 0
	if v = shortIntegers(v, &values); values > maxJSONValues {
		return nil, errNoJSON
	}
	return v, nil
}

// jsonDepth is how deep the brackets of a text go.
func jsonDepth(text []byte) (deepest int) {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}

func shortIntegers(v any, values *int) any {
	*values++
	switch x := v.(type) {
	case []any:
		for i := range x {
			x[i] = shortIntegers(x[i], values)
		}
	case map[string]any:
		for k := range x {
			x[k] = shortIntegers(x[k], values)
		}
	case json.Number:
		if s := x.String(); len(s) <= 15 && s[0] != '-' && strings.Trim(s, "0123456789") == "" {
			if n, err := x.Float64(); err == nil {
				return n
			}
		}
	}
	return v
}

// errMissing ends a request whose path needs a value that is not there.
var errMissing = errors.New("a value that the path needs is null")

// emptySegment stands for an inserted text that is empty until the path is complete.
const emptySegment = "\x01"

func evalEscape(op Op, v any) (any, error) {
	if v == nil {
		if op == OpHTML {
			return nil, nil
		}
		return nil, &Refusal{Status: 400, Reason: "missing_path_value", Err: errMissing}
	}
	s, err := evalText(v)
	if err != nil {
		return nil, err
	}
	switch op {
	case OpHTML:
		return html.EscapeString(s), nil
	case OpSegments:
		return percentEncode(s, pathPlain+"/"), nil
	}
	if s == "" {
		return emptySegment, nil
	}
	return percentEncode(s, pathPlain), nil
}

// What stands in a path or a query unescaped, beside letters and digits.
const (
	queryPlain = "_.~-"
	pathPlain  = queryPlain + "!$&'()*+,;=:@"
)

func percentEncode(s, plain string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(plain, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// percentDecode decodes %XX; what is malformed stays. ok is false where the result is no text.
func percentDecode(s string) (string, bool) {
	if strings.IndexByte(s, '%') >= 0 {
		var b strings.Builder
		for i := 0; i < len(s); i++ {
			if s[i] == '%' && i+2 < len(s) && strings.IndexByte(hexAny, s[i+1]) >= 0 && strings.IndexByte(hexAny, s[i+2]) >= 0 {
				b.WriteByte(unhex(s[i+1 : i+3]))
				i += 2
				continue
			}
			b.WriteByte(s[i])
		}
		s = b.String()
	}
	return s, utf8.ValidString(s)
}

const hexAny = "0123456789abcdefABCDEF"
