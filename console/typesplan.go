package console

// PlanRequest asks what documents would change: POST /v1/plan.
type PlanRequest struct {
	Documents []PlanDocument `json:"documents"` // as they would be
	Prune     bool           `json:"prune"`     // documents of the same origin that are not listed are removed
}

// PlanDocument is one document as it would be.
type PlanDocument struct {
	Name string  `json:"name"` // "consul:KEY" for one in KV, else a path
	Text *string `json:"text"` // null: it is removed
}

// Plan is what documents would change.
type Plan struct {
	Blocks      []BlockChange     `json:"blocks"`      // that change
	Routes      []RouteChange     `json:"routes"`      // that change
	Diagnostics []Diagnostic      `json:"diagnostics"` // of the documents given, and of what they break elsewhere
	Errors      bool              `json:"errors"`      // some block would not be accepted
	Changes     bool              `json:"changes"`     // something would change
	Base        map[string]uint64 `json:"base"`        // ModifyIndex of each document as it is now; 0: there is none
	Documents   []string          `json:"documents"`   // whose text differs from what is live
	Removed     []string          `json:"removed"`     // documents that pruning removes
}

// BlockChange is what becomes of one block.
type BlockChange struct {
	Kind     string   `json:"kind"`               // as in Block
	Name     string   `json:"name"`               // as in Block
	Action   string   `json:"action"`             // "add", "change", "remove" or "affect": not written anew, but otherwise in force
	State    string   `json:"state"`              // after it
	Range    *Range   `json:"range,omitempty"`    // of the new header, or of the old
	Before   string   `json:"before,omitempty"`   // text
	Degraded []string `json:"degraded,omitempty"` // as in Block
	After    string   `json:"after,omitempty"`    // text
}

// RouteChange is what becomes of one entry of a host's table.
type RouteChange struct {
	Action   string `json:"action"`           // "add", "change" or "remove"
	Gateway  string `json:"gateway"`          // whose table it stands in
	Listener string `json:"listener"`         // of the gateway
	Host     string `json:"host"`             // as in Route
	Match    string `json:"match"`            // the condition in one line
	Before   string `json:"before,omitempty"` // where it leads, in words
	After    string `json:"after,omitempty"`  // where it will lead
}
