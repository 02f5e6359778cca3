package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// The limits of a document. What is larger is refused whole, with an error that says so.
const (
	maxDocument = 16 << 20 // bytes, unpacked
	maxYAML     = 8 << 20  // bytes, if it is YAML: its tree takes many times the memory of its text
	maxMarks    = 600_000  // of what can begin a node of YAML
	maxNesting  = 200      // levels of YAML, behind aliases too
)

// errNoDocument is of content that is no OpenAPI document, though it may be something else that makes sense.
var errNoDocument = errors.New("it is no OpenAPI document")

// read makes a value of a document's text: JSON is checked and kept as it is, YAML becomes JSON.
func read(data []byte) (value, error) {
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	switch {
	case len(data) > maxDocument:
		return "", fmt.Errorf("the document is larger than %d MiB", maxDocument>>20)
	case len(data) == 0:
		return "", fmt.Errorf("%w: it is empty", errNoDocument)
	case data[0] == '<':
		return "", fmt.Errorf("%w: it is HTML or XML, which begins with %.40q", errNoDocument, data)
	case data[0] == '{':
		if !json.Valid(data) {
			return "", invalid(data)
		}
		return value(data), nil
	}
	return readYAML(data)
}

// invalid says where JSON is none.
func invalid(data []byte) error {
	var raw json.RawMessage
	err := json.Unmarshal(data, &raw)
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		at := data[:min(int(syntax.Offset), len(data))]
		return fmt.Errorf("read JSON, line %d: %w", 1+bytes.Count(at, []byte("\n")), err)
	}
	return fmt.Errorf("read JSON: %w", err)
}

// readYAML turns YAML into JSON. Aliases are written out, within the bounds of a document.
func readYAML(data []byte) (value, error) {
	if !bytes.Contains(data, []byte("openapi")) && !bytes.Contains(data, []byte("swagger")) {
		return "", fmt.Errorf("%w: it begins with %.40q", errNoDocument, data)
	}
	if len(data) > maxYAML {
		return "", fmt.Errorf("the document is YAML of more than %d MiB: serve it as JSON", maxYAML>>20)
	}
	marks := 0
	for _, m := range []string{"\n", ",", ":", "[", "{", "- ", "?"} {
		marks += bytes.Count(data, []byte(m))
	}
	if marks > maxMarks {
		return "", fmt.Errorf("the document is YAML with more than %d values: serve it as JSON", maxMarks)
	}
	var node yaml.Node
	if err := yaml.Unmarshal(data, &node); err != nil {
		return "", fmt.Errorf("read YAML: %w", err)
	}
	if node.Kind != yaml.DocumentNode || len(node.Content) != 1 || node.Content[0].Kind != yaml.MappingNode {
		return "", fmt.Errorf("%w: it begins with %.40q", errNoDocument, data)
	}
	w := &writer{}
	w.node(node.Content[0], 0)
	if w.err != nil {
		return "", fmt.Errorf("read YAML: %w", w.err)
	}
	return value(w.out), nil
}

// writer writes nodes of YAML as JSON, until its first error.
type writer struct {
	out   []byte
	steps int
	err   error
}

// step says whether there is room for one more node.
func (w *writer) step(n *yaml.Node, depth int) bool {
	w.steps++
	switch {
	case w.err != nil:
	case depth > maxNesting:
		w.err = fmt.Errorf("line %d: it is nested more than %d levels deep", n.Line, maxNesting)
	case len(w.out) > maxDocument || w.steps > 4*maxMarks:
		w.err = fmt.Errorf("line %d: its aliases make it larger than %d MiB", n.Line, maxDocument>>20)
	}
	return w.err == nil
}

func (w *writer) node(n *yaml.Node, depth int) {
	if !w.step(n, depth) {
		return
	}
	switch n.Kind {
	case yaml.AliasNode:
		if n.Alias == nil {
			w.raw("null")
			return
		}
		w.node(n.Alias, depth+1)
	case yaml.MappingNode:
		w.raw("{")
		w.mapping(n, depth, map[string]bool{})
		w.raw("}")
	case yaml.SequenceNode:
		w.raw("[")
		for i, item := range n.Content {
			if i > 0 {
				w.raw(",")
			}
			w.node(item, depth+1)
		}
		w.raw("]")
	default:
		w.scalar(n)
	}
}

// mapping writes the fields of a mapping, then those that are merged into it and that it has not got itself.
func (w *writer) mapping(n *yaml.Node, depth int, seen map[string]bool) {
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content) && w.err == nil; i += 2 {
		key, field := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode && key.Alias != nil {
			key = key.Alias
		}
		switch {
		case key.Kind != yaml.ScalarNode || seen[key.Value]:
			continue
		case key.Value == "<<" && key.Style == 0:
			merged = append(merged, field)
			continue
		}
		if len(seen) > 0 {
			w.raw(",")
		}
		seen[key.Value] = true
		w.quote(key.Value)
		w.raw(":")
		w.node(field, depth+1)
	}
	for _, from := range merged {
		if from.Kind == yaml.AliasNode && from.Alias != nil {
			from = from.Alias
		}
		sources := []*yaml.Node{from}
		if from.Kind == yaml.SequenceNode {
			sources = slices.Clone(from.Content)
		}
		for _, s := range sources {
			if s.Kind == yaml.AliasNode && s.Alias != nil {
				s = s.Alias
			}
			if s.Kind == yaml.MappingNode && w.step(s, depth+1) {
				w.mapping(s, depth+1, seen)
			}
		}
	}
}

func (w *writer) scalar(n *yaml.Node) {
	switch n.ShortTag() {
	case "!!null":
		w.raw("null")
	case "!!bool":
		w.raw(strconv.FormatBool(strings.EqualFold(n.Value, "true")))
	case "!!int", "!!float":
		if f, err := strconv.ParseFloat(n.Value, 64); err == nil && !math.IsInf(f, 0) && json.Valid([]byte(n.Value)) {
			w.raw(n.Value)
			return
		}
		w.quote(n.Value)
	default:
		w.quote(n.Value)
	}
}

func (w *writer) raw(s string) { w.out = append(w.out, s...) }

func (w *writer) quote(s string) {
	text, err := json.Marshal(s)
	if err != nil {
		w.err = err
		return
	}
	w.out = append(w.out, text...)
}
