package console

// Route is one entry of a host's table, at its place in the deciding order: GET /v1/routes.
type Route struct {
	Name         string        `json:"name"`               // of the block, with ["KEY"] for an instance
	Gateway      string        `json:"gateway"`            // whose table it stands in
	Listener     string        `json:"listener"`           // of the gateway
	Host         string        `json:"host"`               // an exact name, a wildcard or *
	Position     int           `json:"position"`           // from 1; lower ones decide first
	Priority     int           `json:"priority"`           // as written
	Match        Match         `json:"match"`              // the condition
	Variant      string        `json:"variant,omitempty"`  // that this entry selects
	Destinations []Destination `json:"destinations"`       // none for a redirect or a response
	Redirect     *Redirect     `json:"redirect,omitempty"` // set for a redirect
	Respond      *Respond      `json:"respond,omitempty"`  // set for a response
	Features     []Feature     `json:"features"`           // of a redirect or a response; destinations have their own
	Range        Range         `json:"range"`              // of the block
}

// Match is one alternative of a route's condition.
type Match struct {
	Methods []string    `json:"methods,omitempty"` // none: all
	Kind    string      `json:"kind"`              // of the path: "exact", "template", "prefix", "regex" or "function"
	Path    string      `json:"path"`              // what it has to be, by the kind
	Headers []Condition `json:"headers,omitempty"` // all of these hold
	Query   []Condition `json:"query,omitempty"`   // all of these hold
	Text    string      `json:"text"`              // the whole in one line
}

// Condition is on one header or query parameter.
type Condition struct {
	Name  string `json:"name"`            // of the header or parameter
	Kind  string `json:"kind"`            // "exact", "prefix", "regex", "present" or "absent"
	Value string `json:"value,omitempty"` // what it is compared with
}

// Destination is where a share of the requests goes.
type Destination struct {
	Upstream      string            `json:"upstream"`                 // that it goes to
	Function      string            `json:"function,omitempty"`       // UPSTREAM.NAME, if it calls one
	Weight        uint32            `json:"weight"`                   // as written; 1 if none is
	Share         float64           `json:"share"`                    // of 1
	Path          string            `json:"path,omitempty"`           // template of the new path
	PrefixRewrite *string           `json:"prefix_rewrite,omitempty"` // what replaces the matched prefix
	SubsetTag     string            `json:"subset_tag,omitempty"`     // only endpoints with this tag
	SubsetMeta    map[string]string `json:"subset_meta,omitempty"`    // only endpoints with these metadata
	Fallback      bool              `json:"fallback"`                 // an empty subset falls back to all endpoints
	Features      []Feature         `json:"features"`                 // in force, weakest level first
}

// Redirect is a route that answers with a Location.
type Redirect struct {
	Scheme string  `json:"scheme,omitempty"` // empty: as it was
	Host   string  `json:"host,omitempty"`   // empty: as it was
	Port   int     `json:"port,omitempty"`   // 0: as it was
	Path   string  `json:"path,omitempty"`   // the whole new path
	Prefix *string `json:"prefix,omitempty"` // what replaces the matched prefix
	Status int     `json:"status"`           // of the answer
}

// Respond is a route that answers itself.
type Respond struct {
	Status      int    `json:"status"`                 // of the answer
	ContentType string `json:"content_type,omitempty"` // of the answer
	Bytes       int    `json:"bytes"`                  // of the body
}

// Feature is one feature in force, what it is set to, and where that was written.
type Feature struct {
	Type     string         `json:"type"`     // of the block
	Level    string         `json:"level"`    // "gateway", "upstream", "function", "policy", "route" or "to"
	From     string         `json:"from"`     // the block that holds it
	Settings map[string]any `json:"settings"` // its arguments; what is computed for each request is shown as "(from …)"
	Range    Range          `json:"range"`    // of the block
	Over     []Origin       `json:"over"`     // the blocks of this type whose place it takes, the weakest first
}

// Origin is where a block of a feature stands.
type Origin struct {
	Level string `json:"level"` // as in Feature
	From  string `json:"from"`  // the block that holds it
	Range Range  `json:"range"` // of the block
}

// Upstream is an upstream in force with its merged endpoints: GET /v1/upstreams.
type Upstream struct {
	Name      string     `json:"name"`             // with ["KEY"] for an instance
	Range     Range      `json:"range"`            // of the block
	Sources   []string   `json:"sources"`          // KIND:QUERY of each
	Lambda    bool       `json:"lambda,omitempty"` // it is made of Lambdas, and has no endpoints
	Held      bool       `json:"held"`             // too little is known to tell Envoys: they keep what they have
	Healthy   int        `json:"healthy"`          // endpoints that take traffic
	Endpoints []Endpoint `json:"endpoints"`        // merged from all sources
	Features  []Feature  `json:"features"`         // its own
}

// Endpoint is one address of an upstream.
type Endpoint struct {
	ID       string            `json:"id"`                 // within its source
	Address  string            `json:"address"`            // ADDRESS:PORT
	Health   string            `json:"health"`             // "passing", "warning", "critical" or "draining"
	Weight   uint32            `json:"weight"`             // among the endpoints of its locality
	Priority int               `json:"priority"`           // 0 is used first
	Region   string            `json:"region,omitempty"`   // where it runs
	Zone     string            `json:"zone,omitempty"`     // where it runs
	SubZone  string            `json:"sub_zone,omitempty"` // where it runs
	Tags     []string          `json:"tags,omitempty"`     // of the source
	Meta     map[string]string `json:"meta,omitempty"`     // of the source
	Source   string            `json:"source"`             // KIND:QUERY
	Age      float64           `json:"age_seconds"`        // since its source last answered; negative: it never did
}

// ExplainRequest is a request to explain: POST /v1/explain.
type ExplainRequest struct {
	Method   string              `json:"method"`    // default GET
	URL      string              `json:"url"`       // with a host, or a path with the header Host
	Headers  map[string][]string `json:"headers"`   // by any case of their names
	ClientIP string              `json:"client_ip"` // default: unknown
	Gateway  string              `json:"gateway"`   // default: all
	Listener string              `json:"listener"`  // default: those with the port of the URL, else all
	Body     string              `json:"body"`      // as it is on the wire; its type is what the header Content-Type says
	Claims   map[string]any      `json:"claims"`    // of the client's token; null: it has none
}

// Explanation is what would become of a request on each listener that may take it.
type Explanation struct {
	Method    string     `json:"method"`    // of the request
	Host      string     `json:"host"`      // of the request
	Path      string     `json:"path"`      // as the edge normalises it
	Listeners []Decision `json:"listeners"` // one entry each
}

// Decision is what one listener does with a request.
type Decision struct {
	Gateway      string            `json:"gateway"`             // of the listener
	Listener     string            `json:"listener"`            // its name
	Outcome      string            `json:"outcome"`             // "route", "redirect", "reject", "no_host" or "no_route"
	Host         string            `json:"host,omitempty"`      // the name or wildcard that the request's host selects
	Route        *Route            `json:"route,omitempty"`     // that takes it
	Variables    map[string]string `json:"variables,omitempty"` // of the path
	Destinations []Landing         `json:"destinations"`        // where it arrives
	Nearly       []Miss            `json:"nearly"`              // entries that decide before the route, or all where none takes it
	Text         string            `json:"text"`                // the outcome in words
}

// Landing is where a share of such requests arrives.
type Landing struct {
	Upstream        string          `json:"upstream"`           // its name
	Function        string          `json:"function,omitempty"` // UPSTREAM.NAME, if one is called
	Lambda          bool            `json:"lambda,omitempty"`   // the upstream is made of Lambdas, and has no endpoints
	Degraded        string          `json:"degraded,omitempty"` // why the call may fail
	Share           float64         `json:"share"`              // of 1
	Path            string          `json:"path"`               // as the upstream sees it
	Arguments       []BoundArgument `json:"arguments"`          // of the function
	Sent            *SentRequest    `json:"sent,omitempty"`     // what the upstream gets, as far as the request given decides it
	Refused         *Refused        `json:"refused,omitempty"`  // what the client gets at once, if nothing is sent
	RequestChanges  []MessageChange `json:"request_changes"`    // in order
	ResponseChanges []MessageChange `json:"response_changes"`   // in order
	Healthy         int             `json:"healthy"`            // endpoints that take traffic
	Known           int             `json:"known"`              // endpoints, unhealthy ones too
	Features        []Feature       `json:"features"`           // in force there
	Admits          []string        `json:"admits"`             // who may call, in words; all of it holds, and none is everybody
	Denied          bool            `json:"denied,omitempty"`   // nobody may call: the gateway denies by default
}

// BoundArgument is one argument of a call, and where its value comes from.
type BoundArgument struct {
	Name     string `json:"name"`            // as args name it
	In       string `json:"in"`              // as in Argument
	Type     string `json:"type"`            // in a few words
	Required bool   `json:"required"`        // the call fails without it
	From     string `json:"from"`            // "args", "path" (the variable of that name) or "client" (query or body)
	Value    string `json:"value"`           // the expression
	Range    *Range `json:"range,omitempty"` // of an expression in args
}

// SentRequest is a request to an upstream.
type SentRequest struct {
	Method  string            `json:"method"`  // of the request
	Path    string            `json:"path"`    // without the query
	Query   string            `json:"query"`   // without the question mark
	Headers map[string]string `json:"headers"` // by lower-case name; those that Envoy adds by itself are not among them
	Body    string            `json:"body"`    // as it is sent; for a gRPC method the message as JSON
}

// Refused is an answer of the gateway in place of a call.
type Refused struct {
	Status int    `json:"status"`          // that the client gets
	Reason string `json:"reason"`          // in one word
	Text   string `json:"text"`            // that the client reads
	Cause  string `json:"cause,omitempty"` // the details, which the client does not get
}

// MessageChange is one step of what happens to a request or a response.
type MessageChange struct {
	By       string    `json:"by"`               // "call", "request" or "response"
	Statuses []string  `json:"status,omitempty"` // of the responses that it changes; none: all
	Sets     []SetPart `json:"sets"`             // in order
	Range    *Range    `json:"range,omitempty"`  // of the block
}

// SetPart is one part of a message that changes.
type SetPart struct {
	Part  string `json:"part"`  // "method", "path", "query.NAME", "header NAME", "body", "status" …
	Value string `json:"value"` // the expression; null removes
}

// Miss is an entry that does not take the request, and why.
type Miss struct {
	Name    string   `json:"name"`    // of the route
	Match   string   `json:"match"`   // its condition in one line
	Range   Range    `json:"range"`   // of the condition
	Reasons []string `json:"reasons"` // each condition that does not hold, in words
}
