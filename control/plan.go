package control

import (
	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
)

// Action is what a plan would do to a block.
type Action string

// The actions.
const (
	Create Action = "create"
	Update Action = "update"
	Delete Action = "delete"
	Reject Action = "reject" // the new form is invalid; what is in force stays
	Retire Action = "retire" // deleted, but kept because others name it
)

// PlannedBlock is one block that a plan would change.
type PlannedBlock struct {
	ID     gateway.ID
	Action Action
	Before string // text in force now; empty for none
	After  string // text that would be in force; empty for none
}

// Plan is what documents would do to the world. Nothing of it was published.
type Plan struct {
	Blocks []PlannedBlock  // sorted by ID; those that would not change are left out
	Diags  hcl.Diagnostics // of the documents and of every block that they touch
	World  *gateway.World  // as it would be
}

// Plan applies documents (nil: deleted) to a copy of the world. It is safe for concurrent use.
func (l *Loop) Plan(docs map[string]*gateway.Document) Plan {
	now := l.World()
	next, change := gateway.Apply(now, gateway.Input{Documents: docs})
	p := Plan{World: next}
	for _, d := range docs {
		if d != nil {
			p.Diags = append(p.Diags, d.Diags...)
		}
	}
	for _, id := range change.Blocks {
		was, will := now.Block(id), next.Block(id)
		b := PlannedBlock{ID: id, Before: textOf(was), After: textOf(will)}
		if will != nil {
			p.Diags = append(p.Diags, will.Diags...)
		}
		if b.Action = actionOf(was, will); b.Action != "" {
			p.Blocks = append(p.Blocks, b)
		}
	}
	return p
}

func actionOf(was, will *gateway.Block) Action {
	before, after := was != nil && was.InForce != nil, will != nil && will.InForce != nil
	switch {
	case will != nil && will.State == gateway.StateRejected:
		return Reject
	case will != nil && will.State == gateway.StateRetired:
		return Retire
	case !before && after:
		return Create
	case before && !after:
		return Delete
	case before && after && was.InForce.Hash != will.InForce.Hash:
		return Update
	}
	return ""
}

func textOf(b *gateway.Block) string {
	if b == nil || b.InForce == nil {
		return ""
	}
	return b.InForce.Written.Text()
}
