package console

// Function is one function as the world knows it: GET /v1/functions.
type Function struct {
	Upstream  string     `json:"upstream"`          // that it belongs to
	Name      string     `json:"name"`              // verbatim
	Address   string     `json:"address"`           // as documents name it
	Short     string     `json:"short,omitempty"`   // a shorter address, while only this function has it
	Kind      string     `json:"kind"`              // "rest", "grpc" or "lambda"; empty: it is called and not known
	Call      string     `json:"call"`              // what it is on the wire
	Summary   string     `json:"summary,omitempty"` // one line of its documentation
	Signature string     `json:"signature"`         // in one line
	Args      []Argument `json:"args"`              // what it takes, as far as it is known
	State     string     `json:"state"`             // "found", "declared", "waiting", "vanished" or "unknown"
	Hidden    bool       `json:"hidden"`            // it is found, and a block declares another in its place
	Source    string     `json:"source,omitempty"`  // UPSTREAM/KIND:QUERY of what found it
	Age       float64    `json:"age_seconds"`       // since its source last answered; negative: it never did, or there is none
	Block     string     `json:"block,omitempty"`   // the function block that declares it or is laid on it
	Callers   []string   `json:"callers"`           // blocks that name it
}

// Argument is one argument of a function.
type Argument struct {
	Name     string `json:"name"`     // as args name it
	In       string `json:"in"`       // "path", "query", "header", "body" or "whole_body"
	Type     string `json:"type"`     // in a few words
	Required bool   `json:"required"` // the call fails without it
}

// Finder is one listing of functions: GET /v1/finders.
type Finder struct {
	Key       string   `json:"key"`             // UPSTREAM/KIND:QUERY
	Upstream  string   `json:"upstream"`        // that asks for it
	Kind      string   `json:"kind"`            // "openapi", "grpc" or "lambda"
	State     string   `json:"state"`           // as that of a source
	Age       float64  `json:"age_seconds"`     // since it last answered; negative: it never did
	Functions int      `json:"functions"`       // that it knows
	Held      int      `json:"held"`            // of these: missing from the last answer, which is not believed yet
	Stale     bool     `json:"stale"`           // it has not answered since the start: they are from before
	Waiting   bool     `json:"waiting"`         // the upstream has no endpoint that could be asked
	Error     string   `json:"error,omitempty"` // of the last failure
	Problems  []string `json:"problems"`        // what it left out of the last answer, and why
}

// Secret is one secret that blocks in force name: GET /v1/secrets. It holds nothing secret.
type Secret struct {
	Name      string   `json:"name"`              // of the block
	Source    string   `json:"source"`            // where it comes from
	State     string   `json:"state"`             // "starting", "ok", "unusable", "failing", "expired" or "unwanted"
	Note      string   `json:"note,omitempty"`    // which one it is, in its source's words
	Since     string   `json:"since,omitempty"`   // when it came into force, RFC 3339
	Age       float64  `json:"age_seconds"`       // since its source last answered; negative: it never did
	Expires   string   `json:"expires,omitempty"` // end of its lease, RFC 3339; empty: never
	Renews    string   `json:"renews,omitempty"`  // when it is looked at next, RFC 3339
	Error     string   `json:"error,omitempty"`   // of the last look
	Renewals  uint64   `json:"renewals"`          // leases given more time
	Rotations uint64   `json:"rotations"`         // changes of material
	Errors    uint64   `json:"errors"`            // looks that failed
	UsedBy    []string `json:"used_by"`           // blocks that name it

	Unusable []Unusable `json:"unusable,omitempty"` // uses for which it has not what it takes: the Envoys keep what they have
}

// Unusable is what is wrong with the content of a secret for those that use it in one way.
type Unusable struct {
	Problem string     `json:"problem"` // what is missing, or is not what it should be
	Remedy  string     `json:"remedy"`  // what to do
	Uses    []UsePlace `json:"uses"`    // who needs it
}

// UsePlace is where a block names a secret.
type UsePlace struct {
	Block string `json:"block"` // "upstream.shop"
	Range Range  `json:"range"` // of the reference
}
