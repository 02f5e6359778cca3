package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// readBody is what a body says: a value, or text that is no JSON, or neither.
type readBody struct {
	value any
	text  bool
	bad   bool
}

// refuses says that the body cannot be read where a path leads. A text has no fields.
func (b readBody) refuses(path []string) bool {
	return len(path) > 0 && path[0] == "body" && (b.bad || b.text && len(path) > 1)
}

func mediaType(contentType string) string { return Payload{ContentType: contentType}.Media() }

// parseBody reads a body by its content type. JSON types, and none, must be JSON; text may be.
func parseBody(raw []byte, contentType any) readBody {
	if len(raw) == 0 {
		return readBody{}
	}
	text, _ := contentType.(string)
	media := mediaType(text)
	if media == MediaForm {
		if !utf8.Valid(raw) {
			return readBody{bad: true}
		}
		fields := map[string]any{}
		for name, v := range queryValues(string(raw)) {
			fields[name] = v
		}
		return readBody{value: fields}
	}
	strict := media == "" || isJSON(media)
	if begin := bytes.TrimLeft(raw, " \t\r\n"); strict || len(begin) > 0 && (begin[0] == '{' || begin[0] == '[') {
		if v, err := decodeJSON(raw); err == nil {
			return readBody{value: v}
		} else if strict {
			return readBody{bad: true}
		}
	}
	if !utf8.Valid(raw) {
		return readBody{bad: true}
	}
	return readBody{value: string(raw), text: true}
}

// queryValues is the first value of each parameter of a query or a form, decoded; what is no text is absent.
func queryValues(query string) map[string]string {
	out, seen := map[string]string{}, map[string]bool{}
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(part, "=")
		name, ok := formField(rawName)
		if !ok || seen[name] {
			continue
		}
		seen[name] = true
		if v, ok := formField(rawValue); ok {
			out[name] = v
		}
	}
	return out
}

func formField(s string) (string, bool) { return percentDecode(strings.ReplaceAll(s, "+", " ")) }

// severalTexts are the texts that a value stands for where there may be several: of a list, its elements.
func severalTexts(v any) ([]string, error) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var out []string
	for _, x := range list {
		if x == nil {
			continue
		}
		s, err := evalText(x)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// setQuery removes parameters from a query and sets those that have a value.
func setQuery(query string, sets []namedValue) (string, error) {
	gone := map[string]bool{}
	for _, s := range sets {
		gone[s.name] = true
	}
	var out []string
	for part := range strings.SplitSeq(query, "&") {
		raw, _, _ := strings.Cut(part, "=")
		if name, ok := formField(raw); part != "" && (!ok || !gone[name]) {
			out = append(out, part)
		}
	}
	for _, s := range sets {
		if s.value == nil {
			continue
		}
		values, err := severalTexts(s.value)
		if err != nil {
			return "", err
		}
		for _, v := range values {
			out = append(out, percentEncode(s.name, queryPlain)+"="+percentEncode(v, queryPlain))
		}
	}
	return strings.Join(out, "&"), nil
}

// headerSet is a header to be set, or removed where it has no values.
type headerSet struct {
	name   string
	values []string
	add    bool // beside what is there
}

func (s headerSet) write(h http.Header) {
	if !s.add {
		delete(h, http.CanonicalHeaderKey(s.name))
		delete(h, s.name)
	}
	if len(s.values) > 0 {
		h[s.name] = append(h[s.name], s.values...)
	}
}

func evalHeaders(m map[string]Expr, ctx RequestContext) ([]headerSet, error) {
	sets, err := evalNames(m, ctx)
	if err != nil {
		return nil, err
	}
	out := make([]headerSet, len(sets))
	for i, s := range sets {
		out[i].name = s.name
		if s.value == nil {
			continue
		}
		values, err := severalTexts(s.value)
		if err != nil {
			return nil, err
		}
		for _, v := range values {
			out[i].values = append(out[i].values, withoutControls(v))
		}
	}
	return out, nil
}

// withoutControls drops what would end a header.
func withoutControls(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}

// newBody is a body that a program made.
type newBody struct{ text, contentType string }

// makeBody is the body that a value becomes. An object or a list is JSON, unless the type says that it is a form.
func makeBody(v any, contentType string) (*newBody, error) {
	switch x := v.(type) {
	case nil:
		return &newBody{"", contentType}, nil
	case []any, map[string]any:
		if mediaType(contentType) == MediaForm {
			fields, ok := x.(map[string]any)
			if !ok {
				return nil, errors.New("a form is made of an object")
			}
			var sets []namedValue
			for _, name := range slices.Sorted(maps.Keys(fields)) {
				sets = append(sets, namedValue{name, fields[name]})
			}
			text, err := setQuery("", sets)
			return &newBody{text, contentType}, err
		}
		if contentType == "" {
			contentType = MediaJSON
		}
		b, err := json.Marshal(v)
		return &newBody{string(b), contentType}, err
	}
	text, err := evalText(v)
	if contentType == "" && text != "" {
		contentType = "text/plain"
	}
	return &newBody{text, contentType}, err
}

// withCharset names the charset of a text.
func withCharset(contentType string) string {
	if strings.HasPrefix(contentType, "text/") && !strings.Contains(contentType, "charset") {
		return contentType + "; charset=utf-8"
	}
	return contentType
}

// What no longer holds when a body is another one.
var (
	droppedOfRequest = []string{"content-encoding", "content-md5", "digest", "content-digest", "repr-digest", "transfer-encoding", "expect"}
	droppedOfAnswer  = []string{
		"content-encoding", "content-length", "content-md5", "digest", "content-digest", "repr-digest", "etag",
		"accept-ranges", "content-range", "transfer-encoding",
	}
)

func (b *newBody) write(h http.Header, dropped []string) {
	for _, name := range dropped {
		headerSet{name: name}.write(h)
	}
	set := headerSet{name: "content-type"}
	if b.contentType != "" {
		set.values = []string{withCharset(b.contentType)}
	}
	set.write(h)
}
