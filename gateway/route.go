package gateway

import (
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Route is a matcher, one or more weighted destinations, and features. Exactly one of To, Redirect and Respond is set.
//
//sluice:block route "NAME"
type Route struct {
	Name     string         `hcl:"name,label"` // NAME["KEY"] for an instance of for_each
	Hosts    []string       `hcl:"hosts,optional"`
	Gateways []Ref          `hcl:"gateways,optional" ref:"gateway"`
	Priority int            `hcl:"priority,optional"`
	Matches  []*Match       `hcl:"match,block"` // alternatives
	Policies []Ref          `hcl:"policies,optional" ref:"policy"`
	To       []*Destination `hcl:"to,block"`
	Sticky   *Sticky        `hcl:"sticky,block"` // only with To
	Redirect *Redirect      `hcl:"redirect,block"`
	Respond  *Respond       `hcl:"respond,block"`
	Variants []*Variant     `hcl:"variant,block"`
	Features []Feature      `hcl:",features"`
	Range    hcl.Range      `hcl:",def_range"`
}

// Match is one alternative of a route's condition; all that it names must hold. At most one of Path, Prefix, Regex and
// Function is set; none is the prefix "/".
type Match struct {
	Method   string        `hcl:"method,optional"`
	Methods  []string      `hcl:"methods,optional"` // Method and Methods exclude each other
	Path     string        `hcl:"path,optional"`    // exact, or a template with {name} and, last, {name=**}
	Prefix   string        `hcl:"prefix,optional"`  // by whole segments: /a matches /a and /a/b, not /ab
	Regex    string        `hcl:"regex,optional"`   // RE2, the whole path
	Function Ref           `hcl:"function,optional" ref:"function"`
	Headers  []*ValueMatch `hcl:"header,block"`
	Query    []*ValueMatch `hcl:"query,block"`
	Range    hcl.Range     `hcl:",def_range"`
}

// ValueMatch is a condition on one header or query parameter. Exactly one of its attributes is set.
type ValueMatch struct {
	Name    string    `hcl:"name,label"`
	Exact   *string   `hcl:"exact,optional"`
	Prefix  *string   `hcl:"prefix,optional"`
	Regex   *string   `hcl:"regex,optional"`
	Present bool      `hcl:"present,optional"`
	Absent  bool      `hcl:"absent,optional"`
	Range   hcl.Range `hcl:",def_range"`
}

// Destination is where a share of a route's requests goes. Exactly one of Upstream and Function is set.
type Destination struct {
	Upstream      Ref             `hcl:"upstream,optional" ref:"upstream"`
	Function      Ref             `hcl:"function,optional" ref:"function"`
	Weight        *int            `hcl:"weight,optional" min:"0" max:"1000000"` // all destinations of a route or none; none: equal shares
	Path          string          `hcl:"path,optional"`                         // template over the match's variables; replaces the path
	PrefixRewrite *string         `hcl:"prefix_rewrite,optional"`               // replaces the matched prefix
	Args          map[string]Expr `hcl:"args,optional"`
	Event         string          `hcl:"event,optional" oneof:"apigw_v2 alb raw"`  // what a Lambda is sent where there are no args; "": its block's, else apigw_v2
	Async         *bool           `hcl:"async,optional"`                           // of a Lambda: 202 at once, the answer is lost; absent: its block's, else false
	Stream        string          `hcl:"stream,optional" oneof:"array ndjson sse"` // how a gRPC method's stream of answers is written; "": its block's, else array
	Subset        *Subset         `hcl:"subset,optional"`
	Fallback      bool            `hcl:"fallback,optional"` // an empty subset falls back to all endpoints
	Features      []Feature       `hcl:",features"`
	Range         hcl.Range       `hcl:",def_range"`
}

// Redirect answers with a Location. What is left out stays as the request had it.
type Redirect struct {
	Scheme string    `hcl:"scheme,optional" oneof:"http https"`
	Host   string    `hcl:"host,optional"`
	Port   int       `hcl:"port,optional" min:"1" max:"65535"`
	Path   string    `hcl:"path,optional"`   // the whole new path
	Prefix *string   `hcl:"prefix,optional"` // replaces the matched prefix
	Query  *bool     `hcl:"query,optional"`  // keep the query string; default true
	Status int       `hcl:"status,optional" default:"301" oneof:"301 302 303 307 308"`
	Range  hcl.Range `hcl:",def_range"`
}

// Respond answers directly, without any upstream.
type Respond struct {
	Status      int       `hcl:"status,optional" default:"200" min:"200" max:"599"`
	Body        string    `hcl:"body,optional"`
	ContentType string    `hcl:"content_type,optional" default:"text/plain; charset=utf-8"`
	Range       hcl.Range `hcl:",def_range"`
}

// Policy is a named bundle of features.
//
//sluice:block policy "NAME"
type Policy struct {
	Name     string     `hcl:"name,label"`
	Variants []*Variant `hcl:"variant,block"`
	Features []Feature  `hcl:",features"`
	Range    hcl.Range  `hcl:",def_range"`
}

// Variant sends requests that match it to a subset of every destination: blue/green of all that is behind one header
// or cookie. Standing on a gateway or a policy it holds for each of their routes.
type Variant struct {
	Name      string    `hcl:"name,label"`
	Matches   []*Match  `hcl:"match,block"` // conditions on headers and query only
	Subset    *Subset   `hcl:"subset,optional"`
	Qualifier string    `hcl:"qualifier,optional"` // of functions that have one (a Lambda alias)
	Fallback  bool      `hcl:"fallback,optional"`
	Range     hcl.Range `hcl:",def_range"`
}

// DefaultTimeout bounds a request on a route that says nothing, in line with Envoy's edge practice.
const DefaultTimeout = 15 * time.Second
