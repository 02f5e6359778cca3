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
}

// Upstream is an upstream in force with its merged endpoints: GET /v1/upstreams.
type Upstream struct {
	Name      string     `json:"name"`      // with ["KEY"] for an instance
	Range     Range      `json:"range"`     // of the block
	Sources   []string   `json:"sources"`   // KIND:QUERY of each
	Held      bool       `json:"held"`      // too little is known to tell Envoys: they keep what they have
	Healthy   int        `json:"healthy"`   // endpoints that take traffic
	Endpoints []Endpoint `json:"endpoints"` // merged from all sources
	Features  []Feature  `json:"features"`  // its own
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
	Upstream string    `json:"upstream"` // its name
	Share    float64   `json:"share"`    // of 1
	Path     string    `json:"path"`     // as the upstream sees it
	Healthy  int       `json:"healthy"`  // endpoints that take traffic
	Known    int       `json:"known"`    // endpoints, unhealthy ones too
	Features []Feature `json:"features"` // in force there
}

// Miss is an entry that does not take the request, and why.
type Miss struct {
	Name    string   `json:"name"`    // of the route
	Match   string   `json:"match"`   // its condition in one line
	Range   Range    `json:"range"`   // of the condition
	Reasons []string `json:"reasons"` // each condition that does not hold, in words
}
