package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/console"
)

func (a *app) statusCommand() *cobra.Command {
	c := &cobra.Command{Use: "status", Short: "What is in force, how old it is, and what is wrong", Args: cobra.NoArgs}
	return look(a, c, func([]string) string { return "/v1/status" }, a.showStatus)
}

func (a *app) showStatus(s console.Status) {
	switch {
	case !s.Gate.Open:
		fmt.Fprintf(a.out, "%s waiting for %s\n", a.paint(yellow, "starting:"), strings.Join(s.Gate.Waiting, ", "))
	case s.Frozen && s.Reason != "":
		fmt.Fprintf(a.out, "%s %s\n", a.paint(yellow, "serving, frozen:"), s.Reason)
	case s.Frozen:
		fmt.Fprintln(a.out, a.paint(yellow, "serving, frozen"))
	default:
		fmt.Fprintln(a.out, a.paint(green, "serving"))
	}
	fmt.Fprintf(a.out, "version %s, blocks: %s\n\n", s.Version, countsOf(s.Blocks))
	a.showGeneration(s.Filters)
	rows := [][]string{{"DOCUMENT", "BLOCKS", "PROBLEMS"}}
	for _, d := range s.Documents {
		problems := "-"
		if n := len(d.Diagnostics); n > 0 {
			problems = fmt.Sprint(n)
		}
		if d.Broken {
			problems = "does not parse; the last good version is in force"
		}
		rows = append(rows, []string{d.Name, countsOf(d.Blocks), problems})
	}
	a.table(rows, "No document is there.")
	if len(s.Nodes) > 0 {
		rows = [][]string{{"\nGATEWAY", "ENVOYS", "BEHIND", "REFUSING"}}
		for _, n := range s.Nodes {
			rows = append(rows, []string{n.Gateway, fmt.Sprint(n.Connected), fmt.Sprint(n.Behind), fmt.Sprint(n.Refusing)})
		}
		a.table(rows, "")
	}
	a.showSources(s.Sources, s.Watches)
	a.showFinders(s.Finders)
	a.showTroubledSecrets(s.Secrets, s.Time)
	for _, d := range s.Documents {
		if len(d.Diagnostics) > 0 {
			fmt.Fprintln(a.out)
			a.showDiagnostics(a.out, d.Diagnostics, nil)
		}
	}
	for _, v := range s.BadValues {
		fmt.Fprintf(a.out, "\nvalue %s is not in force: its last accepted one stays\n", v.Key)
		a.showDiagnostics(a.out, v.Diagnostics, nil)
	}
	for _, b := range s.Problems {
		if len(b.Degraded) > 0 {
			fmt.Fprintf(a.out, "\n%s.%s is %s: it calls what is not found any more: %s\n", b.Kind, b.Name, a.paint(yellow, "degraded"), strings.Join(b.Degraded, ", "))
		}
		if b.State == "retired" {
			fmt.Fprintf(a.out, "\n%s.%s is deleted, but stays while it is named by %s\n", b.Kind, b.Name, strings.Join(b.HeldBy, ", "))
		}
	}
}

// showGeneration says that a newer filter list waits, and for whom.
func (a *app) showGeneration(g console.Generation) {
	if g.InForce >= g.Newest {
		return
	}
	var older []string
	for _, r := range g.Replicas {
		if r.Newest < g.Newest {
			older = append(older, fmt.Sprintf("%s (version %s, generation %d)", r.Name, r.Version, r.Newest))
		}
	}
	why := "a replica that could not serve more has just left"
	if len(older) > 0 {
		why = "for " + strings.Join(older, ", ")
	}
	fmt.Fprintf(a.out, "%s generation %d of the filter list is in force, and this replica has %d: %s\n\n", a.paint(yellow, "older filters:"), g.InForce, g.Newest, why)
}

func (a *app) showSources(sources []console.Source, watches []console.Watch) {
	var errs []string
	if len(sources) > 0 {
		rows := [][]string{{"\nSOURCE", "STATE", "ENDPOINTS", "ANSWERED", "FEEDS"}}
		for _, s := range sources {
			state := s.State
			if s.Stale {
				state += ", last run's"
			}
			if s.Error != "" {
				errs = append(errs, shortSource(s.Kind+":"+s.Query)+": "+s.Error)
			}
			rows = append(rows, []string{shortSource(s.Kind + ":" + s.Query), state, fmt.Sprint(s.Endpoints), ago(s.Age), strings.Join(s.Upstreams, ", ")})
		}
		a.table(rows, "")
		a.showErrors(errs)
	}
	if len(watches) > 0 {
		rows := [][]string{{"\nWATCH", "STATE", "ROWS", "ANSWERED"}}
		told, failed := map[string]bool{}, []string{}
		for _, w := range watches {
			state := w.State
			if w.Detail != "" {
				state += ": " + w.Detail
			}
			if w.Error != "" && !told[w.Connection+w.Detail] {
				told[w.Connection+w.Detail] = true // the others fail for the same reason
				failed = append(failed, strings.TrimSpace(w.Connection+" "+w.Name)+": "+w.Error)
			}
			rows = append(rows, []string{strings.TrimSpace(w.Connection + " " + w.Name), state, fmt.Sprint(w.Rows), ago(w.Age)})
		}
		a.table(rows, "")
		a.showErrors(failed)
	}
}

// showErrors prints below a table what its cells have no room for.
func (a *app) showErrors(errs []string) {
	for _, e := range errs {
		fmt.Fprintf(a.out, "  %s\n", e)
	}
}

// countsOf is "3 accepted, 1 rejected".
func countsOf(m map[string]int) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%d %s", m[k], k))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}
