package main

import (
	"context"

	"github.com/hashicorp/hcl/v2"
)

// mostTold is how many mistakes one change puts into the log; sluice status has them all.
const mostTold = 20

// logProblems puts each mistake in documents and values into the log, once, until ctx ends.
func (p *plane) logProblems(ctx context.Context) error {
	changed, end := p.loop.Subscribe()
	defer end()
	before := p.loop.World()
	said := map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
		now := p.loop.World()
		if now == before || !p.xds.IsOpen() {
			continue
		}
		before = now
		diags, _ := problems(now)
		said = p.tell(diags, said)
	}
}

// tell logs what was not said before and returns what is said now.
func (p *plane) tell(diags hcl.Diagnostics, said map[string]bool) map[string]bool {
	fresh, current := unsaid(diags, said)
	for i, x := range fresh {
		if i == mostTold {
			p.cfg.log.Warn("more mistakes are not logged, sluice status has them", "count", len(fresh)-mostTold)
			break
		}
		facts := []any{"error", x.Summary + ": " + x.Detail}
		if x.Subject != nil {
			facts = append(facts, "file", x.Subject.Filename, "line", x.Subject.Start.Line)
		}
		p.cfg.log.Warn("a mistake in a document, what was accepted before stays in force", facts...)
	}
	if len(said) > 0 && len(current) == 0 {
		p.cfg.log.Info("all documents are in force")
	}
	return current
}

// unsaid are the diagnostics that were not said before; current is what is said now.
func unsaid(diags hcl.Diagnostics, said map[string]bool) (fresh hcl.Diagnostics, current map[string]bool) {
	current = map[string]bool{}
	for _, x := range diags {
		key := diagnosticKey(x)
		if current[key] = true; !said[key] {
			fresh = append(fresh, x)
		}
	}
	return fresh, current
}

// diagnosticKey tells diagnostics apart.
func diagnosticKey(x *hcl.Diagnostic) string {
	key := x.Summary + "\x00" + x.Detail
	if x.Subject != nil {
		key += "\x00" + x.Subject.String()
	}
	return key
}
