// Package hcl is sluice's language: bytes become blocks with their places, blocks become the structs of package gateway,
// expressions that mention a request become programs, and every mistake becomes a diagnostic. It does no I/O.
//
// A newcomer's map, in the order in which a document travels:
//
//   - schema.go, plan.go: what blocks exist. A block is a tagged struct; a plan is its tags, read once.
//   - parse.go, limits.go, written.go: a document's bytes become gateway.Written values, one a block.
//   - traps.go: HCL's own traps, with their cures.
//   - decode.go, attr.go, convert.go, dynamic.go: Written.Eval fills the struct of a block by its plan.
//   - refs.go: upstream.shop, function.shop["GET /pets"]: references to other blocks.
//   - scope.go, leaf.go, functions.go: what an expression may read and call at configuration time.
//   - compile.go, compileparts.go: expressions of the request time become gateway.Expr.
//   - checkroute.go, pathtemplate.go, checkhost.go: what the tags cannot say about a route.
//   - reads.go: what a block read, as canonical JSON for the ledger.
//   - format.go, print.go, json.go: sluice fmt, and diagnostics for people and for machines.
//
// # Tags
//
// A field `hcl:"x"` is a required attribute, `hcl:"x,optional"` an optional one, `hcl:"x,label"` a label,
// `hcl:"x,block"` nested blocks, `hcl:",features"` and `hcl:",sources"` the blocks of the schema's features and sources,
// `hcl:",def_range"` the place of the block's header. Beside it stand `min` and `max` (numbers, or durations),
// `oneof` (words), `default` (as it would be written, strings without quotes), `ref` (the kinds that a reference may
// have, parted by |) and `names` (the request-time names that an Expr may use; default "request").
//
// Mistakes in tags are the programmer's and panic when a Schema is made; nothing that a user writes panics.
package hcl
