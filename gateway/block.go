package gateway

import "github.com/hashicorp/hcl/v2"

// Document is one HCL file or KV value, parsed and not yet evaluated.
type Document struct {
	Name   string          // a path, or consul:KEY
	Index  uint64          // CreateIndex of a KV value; 0 for a file. Decides between two new claims
	Modify uint64          // ModifyIndex of a KV value; 0 for a file
	Text   string          // as it was written
	Blocks []Written       // in the order of the document
	Diags  hcl.Diagnostics // what parsing found
	Broken bool            // it did not parse: its last good blocks stay
}

// Written is one block as it stands in a document. The language implements it; its methods are pure and safe for
// concurrent use.
type Written interface {
	ID() ID
	Document() string
	Range() hcl.Range // of the block's header
	Text() string     // the block's own bytes; two blocks with equal Document and Text are the same

	// Defaults are the defaults that the block states for values, by the value's ID; each in its canonical text. Two
	// blocks may not differ in one. Nil for most; not to be changed.
	Defaults() map[ID]string

	// Eval decodes the block. It reads leaf values and locals through scope alone, which records what was read.
	// The value may be partial where diagnostics have errors; then it must not be used.
	Eval(scope Scope) (Value, hcl.Diagnostics)
}

// Scope is what a block may read while it is evaluated.
type Scope interface {
	// Get returns the value of a local (the language's own representation), or of a kv, env or file leaf (a string).
	// ok is false where there is none.
	Get(id ID) (value any, ok bool)
	// Names lists the names of a kind, sorted, for "did you mean".
	Names(kind string) []string
}

// Value is what a written block decodes to.
type Value struct {
	// Instances is one entry for a plain block, named as the block; one a key for a block with for_each. Each is a
	// *Gateway, *Upstream, *Route, *Policy or, for a local, what only the language understands.
	Instances map[string]any
	// Refs are the blocks that it names, with the place of each.
	Refs []Ref
}

// Form is one evaluated form of a block: the text and the values that it read. It is immutable.
type Form struct {
	Written Written
	Value   Value
	Reads   map[ID]any // leaves and locals that Eval read; a nil value was absent
	Hash    string     // of text and reads: the identity of the form in ledger and quarantine

	// Detached says, of a form in the ledger, that its document does not hold the block any more: it is served for
	// want of a better one, or because others name it.
	Detached bool
}
