package gateway

import "github.com/hashicorp/hcl/v2"

// FunctionKind says how a function is called.
type FunctionKind string

// The kinds: an operation of an HTTP service (found in an OpenAPI document, or declared), a gRPC method, an AWS Lambda.
const (
	FunctionREST   FunctionKind = "rest"
	FunctionGRPC   FunctionKind = "grpc"
	FunctionLambda FunctionKind = "lambda"
)

// Function is the smallest thing that a route can call, as a finder found it or as a block declares it. It is
// immutable: a finder that sees a change makes a new one. Exactly one of REST, GRPC and Lambda is set, by its Kind.
type Function struct {
	Name      string       `json:"name"`              // verbatim: "getPetById", "GET /pets/{id}", "users.v1.UserService/GetUser", "my-fn:prod"
	Short     string       `json:"short,omitempty"`   // another name for it while it is unique in its upstream ("GetUser"); "" has none
	Summary   string       `json:"summary,omitempty"` // one line of documentation, at most 200 bytes
	Kind      FunctionKind `json:"kind"`
	Signature Signature    `json:"signature"`

	REST   *RESTOperation  `json:"rest,omitempty"`
	GRPC   *GRPCMethod     `json:"grpc,omitempty"`
	Lambda *LambdaFunction `json:"lambda,omitempty"`
}

// Signature is what a function takes and gives. The zero value says that nothing is known: any argument is taken.
type Signature struct {
	Known  bool       `json:"known,omitempty"` // Args is the whole list; false: arguments beyond it are taken
	Args   []Argument `json:"args,omitempty"`  // sorted by name
	Result *Type      `json:"result,omitempty"`
}

// Argument is one value that a function takes.
type Argument struct {
	Name     string   `json:"name"`            // as `args` names it
	In       Location `json:"in"`              // where it goes
	Field    string   `json:"field,omitempty"` // its name there, where that differs; a body field of a nested message is dotted
	Type     Type     `json:"type"`
	Required bool     `json:"required,omitempty"`
}

// Location is the part of a request that carries an argument.
type Location string

// The locations. InBody is one field of a JSON object; InWholeBody is the body itself.
const (
	InPath      Location = "path"
	InQuery     Location = "query"
	InHeader    Location = "header"
	InBody      Location = "body"
	InWholeBody Location = "whole_body"
)

// Type is the shape of a value. Its zero value is any value at all. Recursion ends with a zero Type.
type Type struct {
	Kind   TypeKind   `json:"kind,omitempty"`
	Elem   *Type      `json:"elem,omitempty"`   // of an array, or of the values of a map
	Fields []Argument `json:"fields,omitempty"` // of an object; sorted by name; In is unused
	Enum   []string   `json:"enum,omitempty"`   // the only values of a string
	Format string     `json:"format,omitempty"` // OpenAPI's name of the format: "int64", "date-time"
}

// TypeKind is the kind of a Type.
type TypeKind string

// The kinds; KindMap is an object with any keys.
const (
	TypeAny     TypeKind = ""
	TypeString  TypeKind = "string"
	TypeNumber  TypeKind = "number"
	TypeInteger TypeKind = "integer"
	TypeBoolean TypeKind = "boolean"
	TypeArray   TypeKind = "array"
	TypeObject  TypeKind = "object"
	TypeMap     TypeKind = "map"
)

// RESTOperation is one operation of an HTTP service.
type RESTOperation struct {
	Method string `json:"method"`         // upper case
	Path   string `json:"path"`           // template with {name} for each argument in the path; a server's base path is in it
	Body   string `json:"body,omitempty"` // media type of the request's body: "application/json", "application/x-www-form-urlencoded"; "" takes none

	// Of a declared function: what the block says instead of the signature's places. Expressions over arg.
	Declared *DeclaredCall `json:"-"`
}

// GRPCMethod is one method of a gRPC service.
type GRPCMethod struct {
	Service      string `json:"service"` // full name: "users.v1.UserService"
	Method       string `json:"method"`  // "GetUser"
	ClientStream bool   `json:"client_stream,omitempty"`
	ServerStream bool   `json:"server_stream,omitempty"`
	// Descriptor is a marshalled google.protobuf.FileDescriptorSet, trimmed to the one method and the messages that it
	// reaches, with no options; files are sorted so that imports come first. Equal methods have equal bytes.
	Descriptor []byte `json:"descriptor,omitempty"`
}

// LambdaFunction is one AWS Lambda, or one alias or version of it.
type LambdaFunction struct {
	ARN       string            `json:"arn"`                 // with the qualifier, if it has one
	Qualifier string            `json:"qualifier,omitempty"` // alias or version; "" is $LATEST
	URL       string            `json:"url,omitempty"`       // its Function URL, if it has one: https://ID.lambda-url.REGION.on.aws
	Tags      map[string]string `json:"tags,omitempty"`
}

// FunctionBlock declares a function, where it has Method and Path, or lays features on a discovered one.
//
//sluice:block function "UPSTREAM" "NAME"
type FunctionBlock struct {
	Upstream    string          `hcl:"upstream,label"`
	Name        string          `hcl:"name,label"` // NAME["KEY"] for an instance of for_each
	Method      string          `hcl:"method,optional"`
	Path        string          `hcl:"path,optional"`                            // template over its arguments
	Query       map[string]Expr `hcl:"query,optional" names:"arg"`               // what is absent is left out
	Headers     map[string]Expr `hcl:"headers,optional" names:"arg"`             // likewise
	Body        Expr            `hcl:"body,optional" names:"arg"`                // an object or a list is sent as JSON
	ContentType string          `hcl:"content_type,optional"`                    // of a body that is text
	Event       string          `hcl:"event,optional" oneof:"apigw_v2 alb raw"`  // of a Lambda: see Destination
	Async       *bool           `hcl:"async,optional"`                           // likewise
	Stream      string          `hcl:"stream,optional" oneof:"array ndjson sse"` // of a gRPC method that streams: see Destination
	Features    []Feature       `hcl:",features"`
	Range       hcl.Range       `hcl:",def_range"`
}

// Declares says that the block declares a function of its own.
func (b *FunctionBlock) Declares() bool { return b.Method != "" || b.Path != "" }

// DeclaredCall is how a declared function builds its request from its arguments.
type DeclaredCall struct {
	Query       map[string]Expr
	Headers     map[string]Expr
	Body        Expr
	ContentType string
}
