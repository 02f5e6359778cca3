package openapi

import (
	"encoding/json"
	"iter"
	"strings"
)

// value is one JSON value as it stands in a document that is valid: nothing of it has been read, there is no space
// around it. The zero value is one that is absent. Reading only what a function needs costs a fraction of decoding.
type value string

// kind is the first byte: one of {, [, ", t, f, n; of a number a digit or -; 0 of what is absent.
func (v value) kind() byte {
	if v == "" {
		return 0
	}
	return v[0]
}

// fields are those of an object, in the order of the document; of anything else there are none.
func (v value) fields() iter.Seq2[string, value] {
	return func(yield func(string, value) bool) {
		if v.kind() != '{' {
			return
		}
		for i := space(v, 1); v[i] != '}'; {
			end := text(v, i)
			name := v[i:end]
			i = space(v, space(v, end)+1) // beyond the colon
			end = element(v, i)
			field := v[i:end]
			if i = space(v, end); v[i] == ',' {
				i = space(v, i+1)
			}
			if !yield(name.text(), field) {
				return
			}
		}
	}
}

// items are those of a list; of anything else there are none.
func (v value) items() iter.Seq[value] {
	return func(yield func(value) bool) {
		if v.kind() != '[' {
			return
		}
		for i := space(v, 1); v[i] != ']'; {
			end := element(v, i)
			item := v[i:end]
			if i = space(v, end); v[i] == ',' {
				i = space(v, i+1)
			}
			if !yield(item) {
				return
			}
		}
	}
}

// get is a field of an object: the first of that name.
func (v value) get(name string) value {
	for n, field := range v.fields() {
		if n == name {
			return field
		}
	}
	return ""
}

// byName is the fields of an object by name, of several of one name the first.
func (v value) byName() map[string]value {
	out := make(map[string]value, 8)
	for name, field := range v.fields() {
		if _, there := out[name]; !there {
			out[name] = field
		}
	}
	return out
}

// text is the content of a string, "" of anything else. It may share the document's memory: see keep.
func (v value) text() string {
	if v.kind() != '"' {
		return ""
	}
	if plain := string(v[1 : len(v)-1]); strings.IndexByte(plain, '\\') < 0 {
		return plain
	}
	var s string
	if json.Unmarshal([]byte(v), &s) != nil {
		return ""
	}
	return s
}

func (v value) isTrue() bool { return v == "true" }

// keep is a text that outlives the document: a copy, and valid UTF-8.
func keep(s string) string { return strings.Clone(strings.ToValidUTF8(s, "\uFFFD")) }

// space is the first index from i that is no space.
func space(v value, i int) int {
	for v[i] == ' ' || v[i] == '\n' || v[i] == '\r' || v[i] == '\t' {
		i++
	}
	return i
}

// text is the end of the string that begins at i.
func text(v value, i int) int {
	for i++; ; i++ {
		i += strings.IndexByte(string(v[i:]), '"')
		escapes := 0
		for v[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i + 1
		}
	}
}

// element is the end of the value that begins at i.
func element(v value, i int) int {
	switch v[i] {
	case '"':
		return text(v, i)
	case '{', '[':
		for depth := 0; ; {
			switch v[i] {
			case '"':
				i = text(v, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
	}
	for i < len(v) && !strings.ContainsRune(",]} \n\r\t", rune(v[i])) {
		i++
	}
	return i
}
