package console

// Route is one entry of a host's table, at its place in the deciding order: GET /v1/routes.
type Route struct {
	Name         string        `json:"name"`
	Gateway      string        `json:"gateway"`
	Listener     string        `json:"listener"`
	Host         string        `json:"host"`
	Position     int           `json:"position"` // from 1; lower ones decide first
	Priority     int           `json:"priority"`
	Match        Match         `json:"match"`
	Variant      string        `json:"variant,omitempty"`
	Destinations []Destination `json:"destinations"`
	Redirect     *Redirect     `json:"redirect,omitempty"`
	Respond      *Respond      `json:"respond,omitempty"`
	Features     []Feature     `json:"features"` // of a redirect or a response; destinations have their own
	Range        Range         `json:"range"`
}

// Match is one alternative of a route's condition.
type Match struct {
	Methods []string    `json:"methods,omitempty"` // none: all
	Kind    string      `json:"kind"`              // of the path: "exact", "template", "prefix", "regex" or "function"
	Path    string      `json:"path"`
	Headers []Condition `json:"headers,omitempty"`
	Query   []Condition `json:"query,omitempty"`
	Text    string      `json:"text"` // the whole in one line
}

// Condition is on one header or query parameter.
type Condition struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"` // "exact", "prefix", "regex", "present" or "absent"
	Value string `json:"value,omitempty"`
}

// Destination is where a share of the requests goes.
type Destination struct {
	Upstream      string            `json:"upstream"`
	Function      string            `json:"function,omitempty"`
	Weight        uint32            `json:"weight"`
	Share         float64           `json:"share"` // of 1
	Path          string            `json:"path,omitempty"`
	PrefixRewrite *string           `json:"prefix_rewrite,omitempty"`
	SubsetTag     string            `json:"subset_tag,omitempty"`
	SubsetMeta    map[string]string `json:"subset_meta,omitempty"`
	Fallback      bool              `json:"fallback"` // an empty subset falls back to all endpoints
	Features      []Feature         `json:"features"`
}

// Redirect is a route that answers with a Location.
type Redirect struct {
	Scheme string  `json:"scheme,omitempty"`
	Host   string  `json:"host,omitempty"`
	Port   int     `json:"port,omitempty"`
	Path   string  `json:"path,omitempty"`
	Prefix *string `json:"prefix,omitempty"`
	Status int     `json:"status"`
}

// Respond is a route that answers itself.
type Respond struct {
	Status      int    `json:"status"`
	ContentType string `json:"content_type,omitempty"`
	Bytes       int    `json:"bytes"` // of the body
}

// Feature is one feature in force, what it is set to, and where that was written.
type Feature struct {
	Type     string         `json:"type"`
	Level    string         `json:"level"` // "gateway", "upstream", "function", "policy", "route" or "to"
	From     string         `json:"from"`  // the block that holds it
	Settings map[string]any `json:"settings"`
	Range    Range          `json:"range"`
}

// Upstream is an upstream in force with its merged endpoints: GET /v1/upstreams.
type Upstream struct {
	Name      string     `json:"name"`
	Range     Range      `json:"range"`
	Sources   []string   `json:"sources"`
	Held      bool       `json:"held"`    // too little is known to tell Envoys: they keep what they have
	Healthy   int        `json:"healthy"` // endpoints that take traffic
	Endpoints []Endpoint `json:"endpoints"`
	Features  []Feature  `json:"features"`
}

// Endpoint is one address of an upstream.
type Endpoint struct {
	ID       string            `json:"id"`
	Address  string            `json:"address"` // ADDRESS:PORT
	Health   string            `json:"health"`  // "passing", "warning", "critical" or "draining"
	Weight   uint32            `json:"weight"`
	Priority int               `json:"priority"`
	Region   string            `json:"region,omitempty"`
	Zone     string            `json:"zone,omitempty"`
	SubZone  string            `json:"sub_zone,omitempty"`
	Tags     []string          `json:"tags,omitempty"`
	Meta     map[string]string `json:"meta,omitempty"`
	Source   string            `json:"source"`
	Age      float64           `json:"age_seconds"` // since its source last answered; negative: it never did
}

// ExplainRequest is a request to explain: POST /v1/explain.
type ExplainRequest struct {
	Method   string              `json:"method"`  // default GET
	URL      string              `json:"url"`     // with a host, or a path with the header Host
	Headers  map[string][]string `json:"headers"` // by any case of their names
	ClientIP string              `json:"client_ip"`
	Gateway  string              `json:"gateway"`  // default: all
	Listener string              `json:"listener"` // default: those with the port of the URL, else all
}

// Explanation is what would become of a request on each listener that may take it.
type Explanation struct {
	Method    string     `json:"method"`
	Host      string     `json:"host"`
	Path      string     `json:"path"` // as the edge normalises it
	Listeners []Decision `json:"listeners"`
}

// Decision is what one listener does with a request.
type Decision struct {
	Gateway      string            `json:"gateway"`
	Listener     string            `json:"listener"`
	Outcome      string            `json:"outcome"`        // "route", "redirect", "reject", "no_host" or "no_route"
	Host         string            `json:"host,omitempty"` // the name or wildcard that the request's host selects
	Route        *Route            `json:"route,omitempty"`
	Variables    map[string]string `json:"variables,omitempty"` // of the path
	Destinations []Landing         `json:"destinations"`
	Nearly       []Miss            `json:"nearly"` // entries that decide before the route, or all where none takes it
	Text         string            `json:"text"`   // the outcome in words
}

// Landing is where a share of such requests arrives.
type Landing struct {
	Upstream string    `json:"upstream"`
	Share    float64   `json:"share"` // of 1
	Path     string    `json:"path"`  // as the upstream sees it
	Healthy  int       `json:"healthy"`
	Known    int       `json:"known"` // endpoints, unhealthy ones too
	Features []Feature `json:"features"`
}

// Miss is an entry that does not take the request, and why.
type Miss struct {
	Name    string   `json:"name"`
	Match   string   `json:"match"`
	Range   Range    `json:"range"`
	Reasons []string `json:"reasons"`
}
