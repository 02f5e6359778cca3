// Package store holds the xDS resources of all gateways: each marshalled once, with an append-only change log that
// every stream reads with a cursor of its own.
//
// A newcomer reads Resource and Change (this file), Publish (one transaction), View (what a stream reads) and Watch
// (how a stream learns that there is something to read). Nothing here knows about streams: publishing appends to the
// log and wakes, and the cost of a change is the cost of what changed.
package store

import (
	"sync"
	"sync/atomic"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// Key names a resource: its type URL and its name.
type Key struct{ Type, Name string }

// Resource is one immutable version of a resource. Make it with NewResource.
type Resource struct {
	Key
	Version  string     // 128-bit hash of Body's bytes, hex
	Body     *anypb.Any // marshalled once, shared by all streams; never changed
	Needs    []Key      // what an Envoy must have acknowledged before it gets this; empty for most
	Gateways []string   // sorted roles that see it
	Requires []string   // extensions without which an Envoy is not sent it; set before it is published
	StandIn  bool       // for Envoys that have nothing of the name: another is never replaced by it; set before it is published

	assignment string // of an EDS cluster: the name that it asks for

	mu    sync.Mutex
	wires map[string]*discoveryv3.Resource // by the name that was asked for; never cleared, dies with the resource
}

// Change is one transaction: a stream sees all of it or nothing, but for the order of make before break.
// A key stands in one of the three lists only.
type Change struct {
	Set    []*Resource
	Remove []Key
	Hold   []Key // inputs unknown: neither sent, updated nor removed until a Set or Remove of the key
}

// Store is safe for concurrent use. Make it with New.
type Store struct {
	logLimit int

	latest atomic.Uint64 // generation, for those who only want to know whether there is something new

	mu         sync.RWMutex
	generation uint64
	types      map[string]*collection
	visible    map[string]int // gateway → number of resources that it sees
	watches    map[string]map[*Watch]struct{}

	aliases aliasIndex
}

// collection is all resources of one type.
type collection struct {
	entries map[string]*entry
	log     []logged // ascending by generation
	from    uint64   // changes up to and with this generation are no longer in the log
}

// entry is the present state of one name. An entry without a resource is held and was never set.
type entry struct {
	resource   *Resource
	generation uint64
	published  time.Time
	held       bool
}

type logged struct {
	generation uint64
	name       string
}

// defaultLogLimit bounds the log of one type; a stream that fell behind it compares everything once.
const defaultLogLimit = 4096

// New returns an empty store.
func New() *Store { return NewLimited(defaultLogLimit) }

// NewLimited returns an empty store whose logs keep at most limit changes of each type (at least one). A stream that
// is further behind than its log reaches compares all resources of the type once.
func NewLimited(limit int) *Store {
	return &Store{
		logLimit: max(limit, 1),
		types:    map[string]*collection{},
		visible:  map[string]int{},
		watches:  map[string]map[*Watch]struct{}{},
		aliases:  aliasIndex{byBase: map[string]map[string]int{}},
	}
}
