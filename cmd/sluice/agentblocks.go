package main

import (
	"fmt"

	hclv2 "github.com/hashicorp/hcl/v2"
)

// blockCheck gathers what is wrong with the blocks of one kind in an agent's configuration.
type blockCheck struct {
	kind  string // the block's type: "nomad"
	seen  map[string]bool
	diags hclv2.Diagnostics
}

// block begins with a block, whose name no other of the kind may have.
func (c *blockCheck) block(name string, at hclv2.Range) {
	if c.seen[name] {
		c.wrong(at, "Duplicate "+c.kind, "The %s block %q stands twice. Each connection needs a name of its own.", c.kind, name)
	}
	if c.seen == nil {
		c.seen = map[string]bool{}
	}
	c.seen[name] = true
}

// useless says that a block cannot work; a nil err is none.
func (c *blockCheck) useless(name string, at hclv2.Range, err error) {
	if err != nil {
		c.wrong(at, "Invalid "+c.kind+" block", "The %s block %q cannot work: %s.", c.kind, name, err)
	}
}

func (c *blockCheck) wrong(at hclv2.Range, summary, detail string, args ...any) {
	c.diags = append(c.diags, &hclv2.Diagnostic{Severity: hclv2.DiagError, Summary: summary, Detail: fmt.Sprintf(detail, args...), Subject: &at})
}

// orOwn is the blocks or, where there are none and the environment names a system, the one of the environment.
func orOwn[B any](blocks []B, ambient bool, own B) []B {
	if len(blocks) == 0 && ambient {
		return []B{own}
	}
	return blocks
}

// opened makes a connection of each block.
func opened[B, C any](kind string, blocks []B, open func(B) (name string, c C, err error)) (all []C, err error) {
	for _, b := range blocks {
		name, c, err := open(b)
		if err != nil {
			return nil, &exit{codeDocuments, fmt.Errorf("%s %s: %w", kind, name, err)}
		}
		all = append(all, c)
	}
	return all, nil
}
