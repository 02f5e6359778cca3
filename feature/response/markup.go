package response

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
)

// activeTypes are media types besides HTML in which text can act, and for which nothing is escaped by itself.
var activeTypes = []string{
	"application/xml", "text/xml", "image/svg+xml", "text/javascript", "application/javascript", "text/css",
}

// encoders are the functions whose results can stand in some text that acts; raw says that the author knows.
var encoders = []string{"raw", "htmlencode", "urlencode", "jsonencode", "base64encode", "tonumber", "tobool", "length"}

// checkMarkup finds the places of a body at which a value could become more than a value.
func checkMarkup(p gateway.Payload) hcl.Diagnostics {
	if p.Body.IsZero() || p.IsEmpty() {
		return nil
	}
	switch media := p.Media(); {
	case gateway.IsHTML(media):
		w := &walker{insert: func(e gateway.Expr, s place) (place, string, string) {
			why, cure := s.refuses()
			return s.inserted(), why, cure
		}}
		if end := w.part(p.Body, place{}); w.diags == nil && !end.whole() {
			w.refuse(p.Body.Range, "Unfinished HTML", fmt.Sprintf("The body ends %s.", end))
		}
		return w.diags
	case slices.Contains(activeTypes, media):
		w := &walker{insert: func(e gateway.Expr, s place) (place, string, string) {
			if e.Op == gateway.OpCall && slices.Contains(encoders, e.Name) || e.Op == gateway.OpBinary || e.Op == gateway.OpUnary {
				return s, "", ""
			}
			return s, "into " + media, "Encode the value for where it stands, with htmlencode(), jsonencode() or urlencode(), or say raw()."
		}, plain: true}
		w.part(p.Body, place{})
		return w.diags
	}
	return nil
}

// walker follows the text of a template through its conditions and loops.
type walker struct {
	insert func(gateway.Expr, place) (after place, why, cure string)
	plain  bool // the text has no places
	diags  hcl.Diagnostics
}

func (w *walker) refuse(at hcl.Range, summary, detail string) {
	w.diags = append(w.diags, problem(at, summary, detail)...)
}

// part is the place after e, which begins at s. Text is what the documents say; all else is inserted.
func (w *walker) part(e gateway.Expr, s place) place {
	switch e.Op {
	case gateway.OpConst:
		return w.text(e, s)
	case gateway.OpTemplate:
		for _, a := range e.Args {
			s = w.part(a, s)
		}
		return s
	case gateway.OpCond:
		return w.branches(e, s, e.Args[1:])
	case gateway.OpCall:
		switch {
		case e.Name == "raw":
			return s
		case e.Name == "try" || e.Name == "coalesce":
			return w.branches(e, s, e.Args)
		case e.Name == "join" && len(e.Args) == 2:
			return w.join(e, s)
		}
	}
	after, why, cure := w.insert(e, s)
	if why != "" {
		w.refuse(e.Range, "Unsafe place for a value", fmt.Sprintf("A value is inserted %s. %s", why, cure))
	}
	return after
}

// branches is the place behind one of several parts.
func (w *walker) branches(e gateway.Expr, s place, parts []gateway.Expr) place {
	end := w.part(parts[0], s)
	for _, p := range parts[1:] {
		other := w.part(p, s)
		both, ok := end.merge(other)
		if !ok {
			w.refuse(e.Range, "Template leaves HTML undecided", fmt.Sprintf(
				"One branch of this condition ends %s, another %s. Let all end at the same place.", end, other))
		}
		end = both
	}
	return end
}

func (w *walker) text(e gateway.Expr, s place) place {
	if w.plain {
		return s
	}
	switch v := e.Value.(type) {
	case string:
		return s.after(v)
	case bool:
		return s.after(strconv.FormatBool(v))
	case float64:
		return s.after(strconv.FormatFloat(v, 'f', -1, 64))
	}
	return s
}

// join is the place behind a list, which a template's for is, too.
func (w *walker) join(e gateway.Expr, s place) place {
	separator, list := e.Args[0], e.Args[1]
	switch {
	case list.Op == gateway.OpTuple:
		return w.sequence(list.Args, separator, s)
	case list.Op == gateway.OpConst:
		values, _ := list.Value.([]any)
		parts := make([]gateway.Expr, len(values))
		for i, v := range values {
			parts[i] = gateway.Expr{Op: gateway.OpConst, Value: v, Range: list.Range}
		}
		return w.sequence(parts, separator, s)
	case list.Op == gateway.OpFor && list.Args[1].IsZero():
		return w.loop(e, list.Args[2], s)
	}
	return w.loop(e, gateway.Expr{Op: gateway.OpVar, Range: list.Range}, s)
}

func (w *walker) sequence(parts []gateway.Expr, separator gateway.Expr, s place) place {
	for i, p := range parts {
		if i > 0 {
			s = w.part(separator, s)
		}
		s = w.part(p, s)
	}
	return s
}

// loop is any number of rounds, none included.
func (w *walker) loop(e, body gateway.Expr, s place) place {
	after := w.part(body, s)
	if !w.plain && (after != s || w.part(e.Args[0], after) != s) {
		w.refuse(e.Range, "Template leaves HTML undecided", fmt.Sprintf(
			"A round of this loop begins %s and ends %s. Let it end where it begins.", s, after))
	}
	return s
}

// isOneOf says that name is among words parted by spaces.
func isOneOf(name, words string) bool { return slices.Contains(strings.Fields(words), name) }
