package discovery

import (
	"context"

	"github.com/sluice-gateway/sluice/gateway"
)

// Kind is one kind of source: the block's struct, how a source is made of it, and what else its system can be asked.
type Kind struct {
	Name string                                        // block type in an upstream: "consul"
	New  func() gateway.SourceSpec                     // pointer to a zero struct, filled by its tags
	Open func(spec gateway.SourceSpec) (Source, error) // does no I/O; an error is a configuration the agent cannot serve

	// Guard makes the Manager doubt answers that lose many endpoints. Nil where the source doubts them itself, or
	// where what it says is beyond doubt.
	Guard *Guard

	// Discover lists everything that the configured connections can see, sorted by Name, each as the block that would
	// list it. It returns what it could see beside an error. Nil where there is nothing to list, as of names.
	Discover func(ctx context.Context) ([]Found, error)

	// Doctor asks for every permission and limit that specs of this kind need, one by one; with none, for what the
	// configured connections need to be of use. It changes nothing. Nil where there is nothing to ask.
	Doctor func(ctx context.Context, specs []gateway.SourceSpec) []Finding
}

// Found is something that a platform runs and an upstream could be made of.
type Found struct {
	Name  string             // a proposal for the upstream: what the platform calls it
	Spec  gateway.SourceSpec // the source block that lists it
	Count int                // endpoints at the moment
	Note  string             // one line for who reads it; may be empty

	// Covered says whether a block of a document, of the same kind, lists it already, if in other words. Nil means that
	// their keys are equal.
	Covered func(spec gateway.SourceSpec) bool
}

// Finding is the answer to one question of the doctor. It holds nothing secret.
type Finding struct {
	Check string // what was asked: "nomad east: list services of namespace default"
	OK    bool
	Need  string // the missing right, or what to change; empty when OK
	Err   error  // what was answered; nil when OK
}

// Examination gathers what a doctor found out about one system. System stands before each check; empty: nothing does.
type Examination struct {
	System   string
	Findings []Finding
}

// Note adds the answer to one question, and says whether it was a good one: err is nil. Need counts where it is not.
func (e *Examination) Note(check string, err error, need string) bool {
	if e.System != "" {
		check = e.System + ": " + check
	}
	f := Finding{Check: check, OK: err == nil}
	if err != nil {
		f.Err, f.Need = err, need
	}
	e.Findings = append(e.Findings, f)
	return f.OK
}
