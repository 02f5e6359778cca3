// Package secrets keeps the secrets that blocks name: it logs in to Vault, reads, renews, proves, rotates and revokes.
// What leaves it are versions, which say that something changed, and material, which Reveal hands to xds.
//
// A newcomer reads in this order:
//
//	config.go    what is configured: connections, and how to log in on each
//	keeper.go    the Keeper: one goroutine that owns all entries, swaps material and publishes versions
//	feed.go      one goroutine a secret: steps of a reader, with the waits between them
//	kv.go aws.go file.go   the readers: one step each, and what a step does
//	prove.go     AWS credentials are used before they are believed
//	conn.go      one Vault: one login, shared by all secrets; call.go sends requests, hold.go renews the token
//	login.go     the ways to log in
//	errors.go    what went wrong, in words that can hold no secret
//
// The rule of the house: an error changes nothing. What is in force stays until a better one is at hand, or until its
// own lease has ended, which is the only thing that takes a secret away.
package secrets
