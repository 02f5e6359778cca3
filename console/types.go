package console

import "time"

// Position is a place in a document. Lines and columns count from 1, bytes from 0.
type Position struct {
	Line   int `json:"line"`
	Column int `json:"column"`
	Byte   int `json:"byte"`
}

// Range is a stretch of a document.
type Range struct {
	Document string   `json:"document"`
	Start    Position `json:"start"`
	End      Position `json:"end"`
}

// Diagnostic is one mistake or warning about what somebody wrote.
type Diagnostic struct {
	Severity string `json:"severity"` // "error" or "warning"
	Summary  string `json:"summary"`
	Detail   string `json:"detail"`
	Range    *Range `json:"range,omitempty"`
	Snippet  string `json:"snippet,omitempty"` // the line that it is about, where it is known
}

// Status is what is in force, how old it is and what is wrong: GET /v1/status.
type Status struct {
	Version   string         `json:"version"`
	Time      time.Time      `json:"time"`
	Origin    string         `json:"origin"` // where the documents are: "consul" or "files"
	Gate      Gate           `json:"gate"`
	Frozen    bool           `json:"frozen"`           // no change of documents or values is accepted
	Reason    string         `json:"reason,omitempty"` // of the freeze
	Blocks    map[string]int `json:"blocks"`           // number of blocks by state
	Documents []Document     `json:"documents"`
	Problems  []Block        `json:"problems"` // blocks that are rejected, retired, or have warnings
	BadValues []BadValue     `json:"bad_values"`
	Sources   []Source       `json:"sources"`
	Watches   []Watch        `json:"watches"`
	Nodes     []NodeSummary  `json:"nodes"`
}

// Gate says whether Envoys are served.
type Gate struct {
	Open    bool     `json:"open"`
	Waiting []string `json:"waiting"` // inputs that have not answered yet
}

// Document is one document and what became of it.
type Document struct {
	Name        string         `json:"name"`
	Index       uint64         `json:"index,omitempty"`  // CreateIndex of a KV value
	Modify      uint64         `json:"modify,omitempty"` // ModifyIndex of a KV value
	Broken      bool           `json:"broken"`           // its newest version does not parse; its last good one is in force
	Blocks      map[string]int `json:"blocks"`           // number of blocks by state
	Diagnostics []Diagnostic   `json:"diagnostics"`      // of the document itself and of all its blocks
}

// Block is one written block: GET /v1/blocks.
type Block struct {
	Kind        string       `json:"kind"`
	Name        string       `json:"name"`
	State       string       `json:"state"` // "pending", "accepted", "rejected" or "retired"
	InForce     bool         `json:"in_force"`
	Newest      bool         `json:"newest"` // what is in force is what was written last
	Range       *Range       `json:"range,omitempty"`
	Text        string       `json:"text,omitempty"`      // as written last
	Effective   string       `json:"effective,omitempty"` // the text in force, where it differs
	Hash        string       `json:"hash,omitempty"`      // of the form in force
	HeldBy      []string     `json:"held_by,omitempty"`   // of a retired block: who still names it
	Diagnostics []Diagnostic `json:"diagnostics"`
}

// BadValue is a value in KV that is not in force, since it would make a reader invalid.
type BadValue struct {
	Key         string       `json:"key"`
	Diagnostics []Diagnostic `json:"diagnostics"`
}

// Source is one listing of endpoints: GET /v1/sources.
type Source struct {
	Kind      string     `json:"kind"`
	Query     string     `json:"query"`
	State     string     `json:"state"` // "starting", "ok" or "failing"
	Since     time.Time  `json:"since"` // when it came into this state
	Contact   *time.Time `json:"contact,omitempty"`
	Age       float64    `json:"age_seconds"` // since it last answered; negative: it never did
	Endpoints int        `json:"endpoints"`
	Held      int        `json:"held"`  // endpoints missing from its last answer, which is not believed yet
	Stale     bool       `json:"stale"` // what is in force comes from an earlier run
	Answered  bool       `json:"answered"`
	Restarts  int        `json:"restarts"`
	Error     string     `json:"error,omitempty"` // of its last failure, while it fails
	Upstreams []string   `json:"upstreams"`       // that it feeds
}

// Watch is one thing in Consul that is watched.
type Watch struct {
	Connection string     `json:"connection,omitempty"`
	Name       string     `json:"name"`
	State      string     `json:"state"`
	Contact    *time.Time `json:"contact,omitempty"`
	Age        float64    `json:"age_seconds"` // since it last answered; negative: it never did
	Rows       int        `json:"rows"`
	Held       []string   `json:"held,omitempty"` // rows that are missing and still served
	Detail     string     `json:"detail,omitempty"`
	Faults     []string   `json:"faults,omitempty"`
	Error      string     `json:"error,omitempty"`
}

// SourceList is the answer of GET /v1/sources.
type SourceList struct {
	Sources []Source `json:"sources"`
	Watches []Watch  `json:"watches"`
}

// NodeSummary is the Envoys of one gateway in short.
type NodeSummary struct {
	Gateway   string `json:"gateway"`
	Connected int    `json:"connected"`
	Behind    int    `json:"behind"` // that have not acknowledged everything yet
	Refusing  int    `json:"refusing"`
}

// Node is one connected Envoy: GET /v1/nodes.
type Node struct {
	ID       string              `json:"id"`
	Gateway  string              `json:"gateway"`
	Version  string              `json:"version,omitempty"`
	Address  string              `json:"address,omitempty"`
	Since    time.Time           `json:"since"`
	Unknown  bool                `json:"unknown"`             // no document has its gateway: it keeps what it has
	InFlight int                 `json:"in_flight"`           // responses that it has not answered
	Waiting  int                 `json:"waiting"`             // resources that wait for what they need
	LastNack string              `json:"last_nack,omitempty"` // its words when it last refused something
	NackedAt *time.Time          `json:"nacked_at,omitempty"`
	Types    map[string]NodeType `json:"types"` // by kind of resource: "Cluster", "Listener", …
}

// NodeType is what happened to one kind of resource on one Envoy.
type NodeType struct {
	Sent   uint64 `json:"sent"`
	Acked  uint64 `json:"acked"`
	Nacked uint64 `json:"nacked"`
}

// Event is something that happened: GET /v1/events.
type Event struct {
	ID    uint64    `json:"id"`
	Time  time.Time `json:"time"`
	Kind  string    `json:"kind"` // "block", "connected", "disconnected", "nack", "quarantine", "freeze" or "open"
	Block string    `json:"block,omitempty"`
	Node  string    `json:"node,omitempty"`
	Text  string    `json:"text"`
}

// Error is the body of every answer that is no success.
type Error struct {
	Error string `json:"error"`
}

// DrainRequest is the body of POST /v1/drain.
type DrainRequest struct {
	Address string `json:"address"` // ADDRESS:PORT of the endpoint
	Undo    bool   `json:"undo"`    // true puts it back
}

// FreezeRequest is the body of POST /v1/freeze.
type FreezeRequest struct {
	Undo   bool   `json:"undo"` // true thaws
	Reason string `json:"reason"`
}

// Done is the answer to an action.
type Done struct {
	Text string `json:"text"` // what was done, in words
}

// WorldDump is the live world for offline checks: GET /v1/world.
type WorldDump struct {
	Documents []DumpedDocument  `json:"documents"`
	Values    map[string]string `json:"values"` // in force, by key below values/
}

// DumpedDocument is a document in force as its blocks.
type DumpedDocument struct {
	Name   string        `json:"name"`
	Index  uint64        `json:"index"`
	Modify uint64        `json:"modify"`
	Text   string        `json:"text"` // as it was last written, which may not be what is in force
	Blocks []DumpedBlock `json:"blocks"`
}

// DumpedBlock is one block as it stands in its document.
type DumpedBlock struct {
	Kind  string   `json:"kind"`
	Name  string   `json:"name"`
	Start Position `json:"start"`
	Text  string   `json:"text"`
}
