package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/console"
)

// showFinders prints where functions come from, and how old what is known is.
func (a *app) showFinders(finders []console.Finder) {
	if len(finders) == 0 {
		return
	}
	rows := [][]string{{"\nFINDER", "STATE", "FUNCTIONS", "ANSWERED"}}
	var errs []string
	for _, f := range finders {
		state := f.State
		switch {
		case f.Waiting:
			state += ", no endpoint to ask"
		case f.Stale:
			state += ", last run's"
		}
		if f.Held > 0 {
			state += fmt.Sprintf(", %d missing from the last answer", f.Held)
		}
		if n := len(f.Problems); n > 0 {
			state += ", " + plural(n, "problem")
		}
		upstream, query, _ := strings.Cut(f.Key, "/")
		name := upstream + "/" + shortSource(query)
		if f.Error != "" {
			errs = append(errs, name+": "+f.Error)
		}
		rows = append(rows, []string{name, state, fmt.Sprint(f.Functions), ago(f.Age)})
	}
	a.table(rows, "")
	a.showErrors(errs)
}

// expiresSoon is how much time a secret has left when status mentions it; what is renewed has more.
const expiresSoon = 10 * time.Minute

// showTroubledSecrets prints the secrets that are not well, or have little time left.
func (a *app) showTroubledSecrets(list []console.Secret, now time.Time) {
	rows := [][]string{{"\nSECRET", "STATE", "EXPIRES", "USED BY"}}
	for _, s := range list {
		left := ""
		if at, err := time.Parse(time.RFC3339, s.Expires); err == nil {
			if d := at.Sub(now); d > 0 {
				left = "in " + ago(d.Seconds())
			} else {
				left = "expired"
			}
			if s.State == "ok" && s.Error == "" && at.Sub(now) > expiresSoon {
				continue
			}
		} else if s.State == "ok" && s.Error == "" {
			continue
		}
		state := s.State
		if s.Error != "" {
			state += ": " + s.Error
		}
		rows = append(rows, []string{s.Name, state, left, strings.Join(s.UsedBy, " ")})
	}
	if len(rows) > 1 {
		a.table(rows, "")
	}
	a.showUnusable(list)
}
