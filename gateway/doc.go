// Package gateway holds sluice's nouns and the pure merge of documents with discovered state.
//
// A newcomer's map:
//
//   - id.go: how a block is named and referenced.
//   - block.go: a written block as the language hands it over, and its evaluated value.
//   - gatewayblock.go, upstream.go, route.go, policy.go: what the blocks of a document decode to.
//   - feature.go: what a feature is, and how features of several levels combine.
//   - expr.go: a compiled request-time expression, as data; evalexpr.go runs it in Go.
//   - endpoint.go: endpoints as sources report them, and their merge into one upstream.
//   - world.go, apply.go: the immutable merged state and its only transition.
//   - accept.go: which form of a block is in force, and why; claim.go: who owns a host and match.
//   - function.go, finder.go, secret.go: functions, what finds them, and secrets; listing.go: what finders said; lead.go:
//     what a reference to a function leads to; call.go, callrest.go: the call of it; callcheck.go: its arguments.
//   - table.go, match.go: the order of routes, and route matching in Go.
//   - unit.go: which xDS resources a change touches, and what each is built from.
//
// Nothing in this package does I/O, reads a clock, or logs. Equal inputs give equal results, in any order of arrival.
package gateway
