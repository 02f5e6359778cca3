package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	hclv2 "github.com/hashicorp/hcl/v2"
)

// failure is one thing that is not as a test says.
type failure struct {
	Destination string `json:"destination,omitempty"` // where the request went, if that matters
	What        string `json:"what"`                  // "sent.path", "response.body", …
	Text        string `json:"text"`                  // in words
	Diff        string `json:"diff,omitempty"`        // lines: - as expected, + as it is
	File        string `json:"file"`
	Line        int    `json:"line"`
}

// checks gathers what fails at one destination of one test.
type checks struct {
	t           *testBlock
	destination string
	failed      []failure
	diags       hclv2.Diagnostics // of the test itself
}

func (c *checks) fail(at hclv2.Range, what, text, diff string) {
	c.failed = append(c.failed, failure{Destination: c.destination, What: what, Text: text, Diff: diff, File: at.Filename, Line: at.Start.Line})
}

// value evaluates what is expected; ok is false where nothing is, or where it makes no sense.
func (c *checks) value(e hclv2.Expression) (v any, ok bool) {
	if !written(e) {
		return nil, false
	}
	v, diags := c.t.value(e)
	c.diags = append(c.diags, diags...)
	return v, !diags.HasErrors()
}

// equal compares a text, or a number with its text.
func (c *checks) equal(what string, e hclv2.Expression, got string) {
	v, ok := c.value(e)
	if !ok {
		return
	}
	if want := scalarText(v); want != got {
		c.differ(e.Range(), what, want, got)
	}
}

// differ reports two texts: short ones in one line.
func (c *checks) differ(at hclv2.Range, what, want, got string) {
	if !strings.Contains(want+got, "\n") && len(want)+len(got) < 120 {
		c.fail(at, what, fmt.Sprintf("%s is %q, expected %q", what, got, want), "")
		return
	}
	c.fail(at, what, what+" is not as expected", diffText(want, got))
}

// diffText shows two texts line by line.
func diffText(want, got string) string {
	var b strings.Builder
	for _, l := range diffLines(lines(want), lines(got)) {
		fmt.Fprintf(&b, "%c %s\n", l.mark, l.text)
	}
	if strings.HasSuffix(want, "\n") != strings.HasSuffix(got, "\n") {
		b.WriteString("(one of them ends in a new line, the other does not)\n")
	}
	return b.String()
}

// scalarText is a value of JSON as a text; a text is itself.
func scalarText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	raw, _ := json.Marshal(v)
	return string(raw)
}

// body compares a body: with an object, a list, a number or a truth value as JSON, with a text byte by byte, with null as
// empty.
func (c *checks) body(what string, e hclv2.Expression, got []byte) {
	v, ok := c.value(e)
	if !ok {
		return
	}
	switch want := v.(type) {
	case nil:
		c.text(what, e.Range(), "", string(got))
	case string:
		c.text(what, e.Range(), want, string(got))
	default:
		var have any
		if err := json.Unmarshal(got, &have); err != nil {
			c.fail(e.Range(), what, what+" is no JSON", diffText(pretty(want), string(got)))
			return
		}
		if !reflect.DeepEqual(want, have) {
			c.fail(e.Range(), what, what+" is not as expected", diffText(pretty(want), pretty(have)))
		}
	}
}

func (c *checks) text(what string, at hclv2.Range, want, got string) {
	if want != got {
		c.differ(at, what, want, got)
	}
}

func pretty(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return "?"
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// headers compares those that are named; null says that there is none.
func (c *checks) headers(what string, e hclv2.Expression, got http.Header) {
	v, ok := c.value(e)
	if !ok {
		return
	}
	want, ok := v.(map[string]any)
	if !ok {
		c.diags = append(c.diags, testProblem(e.Range(), "Invalid headers", "Headers are an object: { accept = \"text/html\" }."))
		return
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		have, present := headerValues(got, name)
		switch w := want[name]; {
		case w == nil && present:
			c.fail(e.Range(), what, fmt.Sprintf("%s has %s: %s, expected none", what, name, strings.Join(have, ", ")), "")
		case w == nil:
		case !present:
			c.fail(e.Range(), what, fmt.Sprintf("%s lacks %s, expected %q", what, name, strings.Join(textList(w), ", ")), "")
		case !slices.Equal(textList(w), have) && strings.Join(textList(w), ",") != strings.Join(have, ","):
			c.fail(e.Range(), what, fmt.Sprintf("%s has %s: %q, expected %q", what, name, strings.Join(have, ", "), strings.Join(textList(w), ", ")), "")
		}
	}
}

func headerValues(h http.Header, name string) ([]string, bool) {
	for n, values := range h {
		if strings.EqualFold(n, name) && len(values) > 0 {
			return values, true
		}
	}
	return nil, false
}

// textList is one text or a list of them.
func textList(v any) []string {
	list, ok := v.([]any)
	if !ok {
		return []string{scalarText(v)}
	}
	out := make([]string, len(list))
	for i, x := range list {
		out[i] = scalarText(x)
	}
	return out
}

// query compares the whole query string: as text, or parameter by parameter, decoded.
func (c *checks) query(what string, e hclv2.Expression, got string) {
	v, ok := c.value(e)
	if !ok {
		return
	}
	want, object := v.(map[string]any)
	if !object {
		text, _ := v.(string) // null is none
		c.text(what, e.Range(), text, got)
		return
	}
	have, err := url.ParseQuery(got)
	if err != nil {
		c.fail(e.Range(), what, fmt.Sprintf("%s is %q, which cannot be read", what, got), "")
		return
	}
	expected := url.Values{}
	for name, value := range want {
		if value != nil {
			expected[name] = textList(value)
		}
	}
	if !reflect.DeepEqual(map[string][]string(expected), map[string][]string(have)) {
		c.fail(e.Range(), what, what+" is not as expected", diffText(pretty(expected), pretty(have)))
	}
}

// contentType compares the media type, and parameters where some are expected.
func (c *checks) contentType(e hclv2.Expression, got http.Header) {
	v, ok := c.value(e)
	if !ok {
		return
	}
	values, _ := headerValues(got, "content-type")
	have, want := strings.Join(values, ","), scalarText(v)
	if v == nil {
		want = ""
	}
	if !strings.Contains(want, ";") {
		if media, _, err := mime.ParseMediaType(have); err == nil {
			have = media
		}
	}
	if !strings.EqualFold(strings.ReplaceAll(want, " ", ""), strings.ReplaceAll(have, " ", "")) {
		c.differ(e.Range(), "response.content_type", want, have)
	}
}
