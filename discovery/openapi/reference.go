package openapi

import (
	"fmt"
	"net/url"
	"strings"
)

const (
	maxHops   = 16        // references that lead to references
	maxTokens = 16        // parts of one reference
	maxWork   = 128 << 20 // bytes of a document that are read because something refers to them
)

// resolve follows the reference that v is, if it is one, within the document. What it returns is none.
func (l *lister) resolve(v value) (value, error) {
	for range maxHops {
		ref := v.get("$ref")
		if ref.kind() != '"' {
			return v, nil
		}
		target, err := l.lookup(ref.text())
		if err != nil {
			return "", err
		}
		v = target
	}
	return "", fmt.Errorf("a reference leads to more than %d others", maxHops)
}

// lookup is what a reference leads to.
func (l *lister) lookup(ref string) (value, error) {
	pointer, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return "", fmt.Errorf("the reference %.100q leads out of the document, where nothing is read", ref)
	}
	if plain, err := url.PathUnescape(pointer); err == nil {
		pointer = plain
	}
	if strings.Count(pointer, "/") >= maxTokens {
		return "", fmt.Errorf("the reference %.100q has more than %d parts", ref, maxTokens)
	}
	if v := l.point(pointer); v != "" {
		if !l.afford(v) {
			return "", fmt.Errorf("the references of the document make it larger than %d MiB", maxWork>>20)
		}
		return v, nil
	}
	return "", fmt.Errorf("the reference %.100q leads nowhere", ref)
}

// afford says whether v may be read once more.
func (l *lister) afford(v value) bool {
	l.work += len(v)
	return l.work <= maxWork
}

// unescape is a part of a JSON pointer in clear.
var unescape = strings.NewReplacer("~1", "/", "~0", "~")

// point is the value at a JSON pointer without its first slash. The objects on the way are read once for all
// references.
func (l *lister) point(pointer string) value {
	parent, last := "", pointer
	if i := strings.LastIndexByte(pointer, '/'); i >= 0 {
		parent, last = pointer[:i], pointer[i+1:]
	}
	in, known := l.containers[parent]
	if !known {
		object := l.root
		if last != pointer {
			object = l.point(parent)
		}
		in = object.byName()
		l.containers[parent] = in
	}
	return in[unescape.Replace(last)]
}
