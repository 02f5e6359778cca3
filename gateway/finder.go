package gateway

import (
	"time"

	"github.com/hashicorp/hcl/v2"
)

// OpenAPI finds the operations of an HTTP service in the OpenAPI document that its endpoints serve, or in a file.
//
//sluice:block openapi
type OpenAPI struct {
	Path     string            `hcl:"path,optional"`    // of the document; neither Path nor File: the usual paths are tried
	File     string            `hcl:"file,optional"`    // a local document, relative to the agent's configuration; files only
	Headers  map[string]string `hcl:"headers,optional"` // sent with the request ("host")
	Interval time.Duration     `hcl:"interval,optional" default:"60s" min:"5s" max:"24h"`
	Range    hcl.Range         `hcl:",def_range"`
}

// GRPC finds the methods of a gRPC service by server reflection, and makes its upstream speak HTTP/2.
//
//sluice:block grpc
type GRPC struct {
	Reflection *bool         `hcl:"reflection,optional"` // false: native gRPC only, nothing is asked
	Services   []string      `hcl:"services,optional"`   // full names; none: all that the server lists
	Interval   time.Duration `hcl:"interval,optional" default:"60s" min:"5s" max:"24h"`
	Range      hcl.Range     `hcl:",def_range"`
}

// Lambda makes an upstream of the AWS Lambda functions of one account and region. Such an upstream has no endpoints.
//
//sluice:block lambda
type Lambda struct {
	Region      string            `hcl:"region"`
	Credentials Ref               `hcl:"credentials,optional" ref:"secret"` // signs calls and, without a connection, lists; required
	Connection  string            `hcl:"connection,optional"`               // which of the agent's aws blocks lists the functions; "": Credentials do
	Tags        map[string]string `hcl:"tags,optional"`                     // a function has all of them
	Prefix      string            `hcl:"prefix,optional"`                   // of the functions' names
	Endpoint    string            `hcl:"endpoint,optional"`                 // http(s)://HOST:PORT instead of the region's
	URL         string            `hcl:"url,optional"`                      // a Function URL: the upstream is that one function, an HTTP service whose requests are signed
	CAFile      string            `hcl:"ca_file,optional"`                  // of the endpoint's certificate, on the Envoys' machines; "": the system's
	Discover    *bool             `hcl:"discover,optional"`                 // false: functions are called by name, none are listed
	Interval    time.Duration     `hcl:"interval,optional" default:"60s" min:"5s" max:"24h"`
	Range       hcl.Range         `hcl:",def_range"`
}

// FinderKey is the identity of one listing of functions, of one upstream. It holds no secret.
type FinderKey struct{ Upstream, Kind, Query string }

// String is UPSTREAM/KIND:QUERY, for logs and status.
func (k FinderKey) String() string { return k.Upstream + "/" + k.Kind + ":" + k.Query }

// Finder is one listing of functions that an upstream asks for: its key, and one of the blocks above.
type Finder struct {
	Key     FinderKey
	OpenAPI *OpenAPI
	GRPC    *GRPC
	Lambda  *Lambda
}
