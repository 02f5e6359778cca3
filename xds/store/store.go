// Package store holds the xDS resources of all gateways: each marshalled once, with an append-only change log that
// every stream reads with a cursor of its own.
package store

import (
	"google.golang.org/protobuf/types/known/anypb"
)

// Key names a resource: its type URL and its name.
type Key struct{ Type, Name string }

// Resource is one immutable version of a resource.
type Resource struct {
	Key
	Version  string     // 128-bit hash of Body's bytes, hex
	Body     *anypb.Any // marshalled once, shared by all streams; never changed
	Needs    []Key      // what an Envoy must have acknowledged before it gets this; empty for most
	Gateways []string   // sorted roles that see it
}

// Change is one transaction: a stream sees all of it or nothing, but for the order of make before break.
type Change struct {
	Set    []*Resource
	Remove []Key
	Hold   []Key // inputs unknown: neither sent, updated nor removed until a Set or Remove of the key
}
