package main

import (
	"context"
	"time"

	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/control"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/secrets"
)

// Finders implements console.Facts.
func (f *facts) Finders() []console.Finder {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	status, err := f.plane.finders.Snapshot(ctx)
	if err != nil {
		return nil
	}
	now := time.Now()
	out := make([]console.Finder, 0, len(status.Finders))
	for _, s := range status.Finders {
		j := console.Finder{
			Key: s.Key.String(), Upstream: s.Key.Upstream, Kind: s.Key.Kind, State: s.State.String(), Functions: s.Functions,
			Held: s.Held, Stale: s.Stale, Waiting: s.Waiting, Problems: console.OrEmpty(f.plane.leftOut.of(s.Key)),
		}
		_, j.Age = console.Contact(s.Contact, now)
		if s.Err != nil {
			j.Error = s.Err.Error()
		}
		out = append(out, j)
	}
	return out
}

// Secrets implements console.Facts.
func (f *facts) Secrets() []console.Secret {
	out := []console.Secret{}
	unusable := unusable(f.plane.loop.Unfit())
	for _, s := range f.plane.secrets.Status() {
		j := console.Secret{
			Name: s.ID.Name, Source: s.Source, State: string(s.State), Note: s.Note, Since: stamp(s.Since), Age: s.Age.Seconds(),
			Expires: stamp(s.Expires), Renews: stamp(s.Renews), Error: s.LastError, Renewals: s.Renewals,
			Rotations: s.Rotations, Errors: s.Errors,
		}
		if s.Age == 0 && s.State == "starting" {
			j.Age = -1
		}
		if j.Unusable = unusable[s.ID]; len(j.Unusable) > 0 && s.State == secrets.OK {
			j.State = "unusable"
		}
		out = append(out, j)
	}
	return out
}

// unusable is what the loop cannot use, by secret.
func unusable(list []control.Unfit) map[gateway.ID][]console.Unusable {
	out := map[gateway.ID][]console.Unusable{}
	for _, u := range list {
		j := console.Unusable{Problem: u.Problem, Remedy: u.Remedy, Uses: []console.UsePlace{}}
		for _, use := range u.Uses {
			j.Uses = append(j.Uses, console.UsePlace{Block: use.Block.String(), Range: console.RangeOf(use.At)})
		}
		out[u.Secret] = append(out[u.Secret], j)
	}
	return out
}

// stamp is a moment as the API writes it; empty for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
