package gateway

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// missing is the diagnostic of a reference that leads nowhere; nil where it leads somewhere.
func (a *application) missing(from ID, ref Ref) *hcl.Diagnostic {
	if ref.Kind == KindFunction {
		return a.missingFunction(from, ref)
	}
	target := a.w.blocks.get(ref.ID.Written())
	var form *Form
	if target != nil {
		form = target.InForce
		if form == nil && ranks[ref.Kind] == ranks[from.Kind] && target.Newest != nil && usable(target.own) {
			form = target.Newest
		}
	}
	at := ref.Range
	if form == nil {
		return &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Unknown " + ref.Kind, Subject: &at,
			Detail: fmt.Sprintf("There is no %s %q.%s", ref.Kind, ref.Name, a.instead(ref.ID)),
		}
	}
	v, ok := form.Value.Instances[ref.Name]
	if !ok {
		return &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Unknown " + ref.Kind, Subject: &at,
			Detail: fmt.Sprintf("%s has no instance %s.", ref.ID.Written(), ref.ID),
		}
	}
	if g, isGateway := v.(*Gateway); isGateway && ref.Part != "" && g.listener(ref.Part) == nil {
		return &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Unknown listener", Subject: &at,
			Detail: fmt.Sprintf("gateway %q has no listener %q.%s", g.Name, ref.Part, suggest(ref.Part, slices.Sorted(slices.Values(g.listenerNames())))),
		}
	}
	return nil
}

// instead suggests a block for a name that leads nowhere, or says that the one meant has errors of its own.
func (a *application) instead(id ID) string {
	if b := a.w.blocks.get(id.Written()); b != nil && b.Newest != nil {
		return " The block of that name is itself not accepted; its own diagnostics say why."
	}
	hint, known := a.hints[id]
	if !known {
		hint = suggest(id.Name, a.namesOf(id.Kind))
		a.hints[id] = hint
	}
	return hint
}

// namesOf lists the names of a kind, sorted, as things stand when it is first asked.
func (a *application) namesOf(kind string) []string {
	names, known := a.names[kind]
	if !known {
		for id, b := range a.w.blocks.entries() {
			if id.Kind == kind && (b.InForce != nil || b.Newest != nil) {
				names = append(names, id.Name)
			}
		}
		slices.Sort(names)
		a.names[kind] = names
	}
	return names
}

// suggest is " Did you mean …?" for the nearest of sorted names, empty where none is near.
func suggest(name string, from []string) string {
	best, at := "", 3
	for _, n := range from {
		if len(n)-len(name) >= at || len(name)-len(n) >= at {
			continue
		}
		if d := distance(name, n); d < at {
			best, at = n, d
		}
	}
	if best != "" {
		return fmt.Sprintf(" Did you mean %q?", best)
	}
	if len(from) > 0 && len(from) <= 5 {
		return " There is " + strings.Join(from, ", ") + "."
	}
	return ""
}

// distance is the Levenshtein distance of two short names.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		prev := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := prev
			if a[i] != b[j] {
				cost++
			}
			prev = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
