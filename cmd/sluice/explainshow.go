package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/console"
)

// showLanding prints what becomes of a request at one destination.
func (a *app) showLanding(l console.Landing) {
	to := "upstream." + l.Upstream
	if l.Function != "" {
		to = "function." + l.Function
	}
	fmt.Fprintf(a.out, "  → %s %g%%, as %s", to, l.Share*100, l.Path)
	if !l.Lambda {
		fmt.Fprintf(a.out, ", %d of %s healthy", l.Healthy, plural(l.Known, "endpoint"))
	}
	fmt.Fprintln(a.out)
	const indent = "      "
	if l.Degraded != "" {
		fmt.Fprintf(a.out, "%s%s\n", indent, a.paint(yellow, "degraded: "+l.Degraded))
	}
	switch {
	case l.Denied:
		fmt.Fprintf(a.out, "%s%s\n", indent, a.paint(red, "nobody may call: the gateway denies by default, the client gets 403"))
		return
	case len(l.Admits) == 0:
		fmt.Fprintf(a.out, "%severybody may call\n", indent)
	}
	for i, who := range l.Admits {
		fmt.Fprintf(a.out, "%s%s%s\n", indent, []string{"admits ", "and only "}[min(i, 1)], who)
	}
	for _, b := range l.Arguments {
		fmt.Fprintf(a.out, "%s%s\n", indent, argumentLine(b))
	}
	for _, c := range l.RequestChanges {
		fmt.Fprintf(a.out, "%s%s\n", indent, changeLine(c))
	}
	switch {
	case l.Refused != nil:
		a.showRefused(indent, l.Refused)
	case l.Sent != nil:
		a.showSent(indent, l.Sent)
	}
	for _, c := range l.ResponseChanges {
		fmt.Fprintf(a.out, "%s%s\n", indent, changeLine(c))
	}
	a.showFeatures(indent, slices.DeleteFunc(slices.Clone(l.Features), func(f console.Feature) bool {
		return f.Type == "request" || f.Type == "response" // told above, as changes
	}))
}

func argumentLine(b console.BoundArgument) string {
	name := b.Name
	if !b.Required {
		name += "?"
	}
	s := fmt.Sprintf("argument %s (%s, %s) = %s", name, b.Type, strings.ReplaceAll(b.In, "_", " "), shorten(b.Value))
	if b.Range != nil {
		s += fmt.Sprintf(", by args at %s:%d", b.Range.Document, b.Range.Start.Line)
	}
	return s
}

func changeLine(c console.MessageChange) string {
	s := c.By
	if c.Range != nil {
		s += fmt.Sprintf(" at %s:%d", c.Range.Document, c.Range.Start.Line)
	}
	if len(c.Statuses) > 0 {
		s += " of " + strings.Join(c.Statuses, ", ")
	}
	var parts []string
	for _, p := range c.Sets {
		parts = append(parts, p.Part+" = "+shorten(p.Value))
	}
	return s + ": " + strings.Join(parts, ", ")
}

func (a *app) showRefused(indent string, r *console.Refused) {
	fmt.Fprintf(a.out, "%s%s\n", indent, a.paint(red, fmt.Sprintf("not sent: the client gets %d, %s", r.Status, r.Text)))
	if r.Cause != "" {
		fmt.Fprintf(a.out, "%s  %s: %s\n", indent, r.Reason, r.Cause)
	}
}

func (a *app) showSent(indent string, s *console.SentRequest) {
	target := s.Path
	if s.Query != "" {
		target += "?" + s.Query
	}
	fmt.Fprintf(a.out, "%ssends %s %s\n", indent, s.Method, target)
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		fmt.Fprintf(a.out, "%s  %s: %s\n", indent, name, s.Headers[name])
	}
	if s.Body != "" {
		fmt.Fprintf(a.out, "%s  %s\n", indent, shorten(s.Body))
	}
}

// shorten keeps a text to what a line has room for.
func shorten(s string) string { return cut(s, 160) }

// cut is the beginning of a text that has more characters than there is room for.
func cut(s string, room int) string {
	if list := []rune(s); len(list) > room {
		return string(list[:room-1]) + "…"
	}
	return s
}
