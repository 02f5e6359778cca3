package console

import (
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// Position is a place in a document. Lines and columns count from 1, bytes from 0.
type Position struct {
	Line   int `json:"line"`   // from 1
	Column int `json:"column"` // in characters, from 1
	Byte   int `json:"byte"`   // from 0
}

// Range is a stretch of a document.
type Range struct {
	Document string   `json:"document"` // the document's name
	Start    Position `json:"start"`    // the first position
	End      Position `json:"end"`      // the position after the last
}

// Diagnostic is one mistake or warning about what somebody wrote.
type Diagnostic struct {
	Severity string `json:"severity"`          // "error" or "warning"
	Summary  string `json:"summary"`           // what is wrong, the same words every time
	Detail   string `json:"detail"`            // whole sentences: why, and what to do
	Range    *Range `json:"range,omitempty"`   // where, if there is a place
	Snippet  string `json:"snippet,omitempty"` // the line that it is about, where it is known
	Waits    bool   `json:"waits,omitempty"`   // it tells of a function that is not known yet: time may mend it
}

// Status is what is in force, how old it is and what is wrong: GET /v1/status.
type Status struct {
	Version   string         `json:"version"`          // of the server
	Time      time.Time      `json:"time"`             // when this was true
	Origin    string         `json:"origin"`           // where the documents are: "consul" or "files"
	Gate      Gate           `json:"gate"`             // whether Envoys are served
	Filters   Generation     `json:"filters"`          // which filter list the listeners have
	Frozen    bool           `json:"frozen"`           // no change of documents or values is accepted
	Reason    string         `json:"reason,omitempty"` // of the freeze
	Blocks    map[string]int `json:"blocks"`           // number of blocks by state
	Documents []Document     `json:"documents"`        // by name
	Problems  []Block        `json:"problems"`         // blocks that are rejected, waiting, retired or degraded, or have warnings
	BadValues []BadValue     `json:"bad_values"`       // values that are not in force
	Sources   []Source       `json:"sources"`          // where endpoints come from
	Finders   []Finder       `json:"finders"`          // where functions come from
	Secrets   []Secret       `json:"secrets"`          // what is used
	Watches   []Watch        `json:"watches"`          // what is watched in Consul
	Nodes     []NodeSummary  `json:"nodes"`            // the Envoys in short
}

// Gate says whether Envoys are served.
type Gate struct {
	Open    bool     `json:"open"`    // they are
	Waiting []string `json:"waiting"` // inputs that have not answered yet
}

// Generation says which generation of the fixed filter list the listeners have: the highest that every replica can serve.
type Generation struct {
	InForce  int       `json:"in_force"` // what the listeners have
	Newest   int       `json:"newest"`   // what this replica can serve at most
	Replicas []Replica `json:"replicas"` // those that are alive, by name; empty where documents are files
}

// Replica is one control plane that is alive.
type Replica struct {
	Name    string `json:"name"`     // of its host and process
	Version string `json:"version"`  // of the program
	Newest  int    `json:"newest"`   // the generation that it can serve at most
	InForce int    `json:"in_force"` // the one that it serves
}

// Document is one document and what became of it.
type Document struct {
	Name        string         `json:"name"`             // a path, or consul:KEY
	Index       uint64         `json:"index,omitempty"`  // CreateIndex of a KV value
	Modify      uint64         `json:"modify,omitempty"` // ModifyIndex of a KV value
	Broken      bool           `json:"broken"`           // its newest version does not parse; its last good one is in force
	Blocks      map[string]int `json:"blocks"`           // number of blocks by state
	Diagnostics []Diagnostic   `json:"diagnostics"`      // of the document itself and of all its blocks
}

// Block is one written block: GET /v1/blocks.
type Block struct {
	Kind        string       `json:"kind"`                // "gateway", "upstream", "route", "policy" or "local"
	Name        string       `json:"name"`                // as it is written
	State       string       `json:"state"`               // "pending", "accepted", "rejected", "waiting" or "retired"
	InForce     bool         `json:"in_force"`            // some form of it is
	Newest      bool         `json:"newest"`              // what is in force is what was written last
	Range       *Range       `json:"range,omitempty"`     // of its header
	Text        string       `json:"text,omitempty"`      // as written last
	Effective   string       `json:"effective,omitempty"` // the text in force, where it differs
	Hash        string       `json:"hash,omitempty"`      // of the form in force
	HeldBy      []string     `json:"held_by,omitempty"`   // of a retired block: who still names it
	Degraded    []string     `json:"degraded,omitempty"`  // of a route in force: functions that it calls and that are not found any more
	Diagnostics []Diagnostic `json:"diagnostics"`         // of what was written last
}

// BadValue is a value in KV that is not in force, since it would make a reader invalid.
type BadValue struct {
	Key         string       `json:"key"`         // below values/
	Diagnostics []Diagnostic `json:"diagnostics"` // what it would break
}

// Source is one listing of endpoints: GET /v1/sources.
type Source struct {
	Kind      string     `json:"kind"`              // of the source block: "consul", "dns", "static"
	Query     string     `json:"query"`             // what is listed
	State     string     `json:"state"`             // "starting", "ok" or "failing"
	Since     time.Time  `json:"since"`             // when it came into this state
	Contact   *time.Time `json:"contact,omitempty"` // when it last answered
	Age       float64    `json:"age_seconds"`       // since it last answered; negative: it never did
	Endpoints int        `json:"endpoints"`         // number in force
	Held      int        `json:"held"`              // endpoints missing from its last answer, which is not believed yet
	Stale     bool       `json:"stale"`             // what is in force comes from an earlier run
	Answered  bool       `json:"answered"`          // it has answered in this run
	Restarts  int        `json:"restarts"`          // failures so far
	Error     string     `json:"error,omitempty"`   // of its last failure, while it fails
	Upstreams []string   `json:"upstreams"`         // that it feeds
}

// Watch is one thing in Consul that is watched.
type Watch struct {
	Connection string     `json:"connection,omitempty"` // of the agent's configuration
	Name       string     `json:"name"`                 // what is watched
	State      string     `json:"state"`                // "starting", "ok", "absent", "held", "filtered", "leaderless" or "failing"
	Contact    *time.Time `json:"contact,omitempty"`    // when it last answered
	Age        float64    `json:"age_seconds"`          // since it last answered; negative: it never did
	Rows       int        `json:"rows"`                 // known ones, held ones included
	Held       []string   `json:"held,omitempty"`       // rows that are missing and still served
	Detail     string     `json:"detail,omitempty"`     // what to do about the state
	Faults     []string   `json:"faults,omitempty"`     // rows that cannot be used, with the reason
	Error      string     `json:"error,omitempty"`      // of the last call, if it failed
}

// SourceList is the answer of GET /v1/sources.
type SourceList struct {
	Sources []Source `json:"sources"` // where endpoints come from
	Watches []Watch  `json:"watches"` // what is watched in Consul
}

// NodeSummary is the Envoys of one gateway in short.
type NodeSummary struct {
	Gateway   string `json:"gateway"`   // their gateway
	Connected int    `json:"connected"` // how many
	Behind    int    `json:"behind"`    // that have not acknowledged everything yet
	Refusing  int    `json:"refusing"`  // whose last answer was a refusal
}

// Node is one connected Envoy: GET /v1/nodes.
type Node struct {
	ID       string              `json:"id"`                  // its node id
	Gateway  string              `json:"gateway"`             // that it serves
	Version  string              `json:"version,omitempty"`   // of Envoy
	Address  string              `json:"address,omitempty"`   // from which it connects
	Since    time.Time           `json:"since"`               // when it connected
	Unknown  bool                `json:"unknown"`             // no document has its gateway: it keeps what it has
	InFlight int                 `json:"in_flight"`           // responses that it has not answered
	Waiting  int                 `json:"waiting"`             // resources that wait for what they need
	Lacks    []string            `json:"lacks,omitempty"`     // what it is not sent, and for want of which extension
	LastNack string              `json:"last_nack,omitempty"` // its words when it last refused something
	NackedAt *time.Time          `json:"nacked_at,omitempty"` // when that was
	Types    map[string]NodeType `json:"types"`               // by kind of resource: "Cluster", "Listener", …
}

// NodeType is what happened to one kind of resource on one Envoy.
type NodeType struct {
	Sent   uint64 `json:"sent"`   // responses
	Acked  uint64 `json:"acked"`  // of these: accepted
	Nacked uint64 `json:"nacked"` // of these: refused
}

// Event is something that happened: GET /v1/events.
type Event struct {
	ID    uint64    `json:"id"`              // rises by one
	Time  time.Time `json:"time"`            // when
	Kind  string    `json:"kind"`            // "block", "connected", "disconnected", "nack", "quarantine", "freeze", "generation", "secret", "upstream" or "open"
	Block string    `json:"block,omitempty"` // that it is about
	Node  string    `json:"node,omitempty"`  // that it is about
	Text  string    `json:"text"`            // in words
}

// Error is the body of every answer that is no success.
type Error struct {
	Error string `json:"error"` // what is wrong, in words
}

// DrainRequest is the body of POST /v1/drain.
type DrainRequest struct {
	Address string `json:"address"` // ADDRESS:PORT of the endpoint
	Undo    bool   `json:"undo"`    // true puts it back
}

// FreezeRequest is the body of POST /v1/freeze.
type FreezeRequest struct {
	Undo   bool   `json:"undo"`   // true thaws
	Reason string `json:"reason"` // for those who look at the status
}

// Done is the answer to an action.
type Done struct {
	Text string `json:"text"` // what was done, in words
}

// WorldDump is the live world for offline checks: GET /v1/world.
type WorldDump struct {
	Documents []DumpedDocument  `json:"documents"` // by name
	Values    map[string]string `json:"values"`    // in force, by key below values/
	Functions []DumpedFunctions `json:"functions"` // what each finder found
}

// DumpedFunctions is what one finder last answered.
type DumpedFunctions struct {
	Upstream string              `json:"upstream"` // that asks for it
	Kind     string              `json:"kind"`     // "openapi", "grpc" or "lambda"
	Query    string              `json:"query"`    // the rest of the finder's key
	List     []*gateway.Function `json:"list"`     // sorted by name
}

// DumpedDocument is a document in force as its blocks.
type DumpedDocument struct {
	Name   string        `json:"name"`   // a path, or consul:KEY
	Index  uint64        `json:"index"`  // CreateIndex of a KV value
	Modify uint64        `json:"modify"` // ModifyIndex of a KV value
	Text   string        `json:"text"`   // as it was last written, which may not be what is in force
	Blocks []DumpedBlock `json:"blocks"` // in force, in the order of the document
}

// DumpedBlock is one block as it stands in its document.
type DumpedBlock struct {
	Kind  string   `json:"kind"`  // as in Block
	Name  string   `json:"name"`  // as in Block
	Start Position `json:"start"` // where its text starts in the document
	Text  string   `json:"text"`  // its own bytes
}
