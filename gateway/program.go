package gateway

import "github.com/hashicorp/hcl/v2"

// Program is what happens to the requests and responses of one destination beside plain proxying. It is data only; its
// zero value does nothing. On the way out: Call, then Request in order, then the call's platform (the event of a
// Lambda, the message of a gRPC method). On the way back: the platform's answer is unwrapped, then Response in order.
//
// Every expression sees the client's original request; those of Response see the response as the change before them
// left it. What is sent differs from the client's request only where something here says so.
type Program struct {
	Path     string // the template whose variables request.path holds, as the route's match has it; "": there are none
	Regex    string // in place of Path: the expression over the path, whose named groups request.path holds
	Call     *Call
	Request  []*RequestChange
	Response []*ResponseChange
}

// IsZero says that p does nothing.
func (p *Program) IsZero() bool {
	return p == nil || p.Call == nil && len(p.Request) == 0 && len(p.Response) == 0
}

// Call is the request that calls a function, as expressions over the client's request. At most one of GRPC and Lambda
// is set; without, the parts below are sent to the upstream as they are.
type Call struct {
	Method      string          // "": the client's
	Path        Expr            // text; what it inserts is escaped per segment; null is 400. Zero: the client's path
	Query       map[string]Expr // sets these parameters; null leaves one out
	DropQuery   bool            // the client's query is not passed on beside Query
	Headers     map[string]Expr // sets these; null removes
	Body        Expr            // zero: the client's body. An object or list is sent as JSON, unless ContentType says form
	ContentType string          // of Body; "": application/json for objects and lists
	DropBody    bool            // no body is sent

	GRPC   *GRPCCall
	Lambda *LambdaCall
}

// GRPCCall sends the request as a message of a gRPC method.
type GRPCCall struct {
	Method  *GRPCMethod
	Message Expr              // the whole message as an object; zero: see Fields
	Fields  map[string]string // variable of the client's path → field of the message; with Message zero, body and query fill the rest by name
	Stream  string            // how a stream of answers is written: "array", "ndjson", "sse"
}

// LambdaCall invokes a Lambda. With Payload that is the event; else the request, as it stands after all changes, is
// wrapped as Event says.
type LambdaCall struct {
	Function *LambdaFunction
	Event    string // "apigw_v2", "alb", "raw" (the body is the event and the answer the body)
	Async    bool   // 202 at once, the answer is lost
	Payload  Expr   // the event as an object; zero: Event decides
}

// RequestChange is one request block, resolved.
type RequestChange struct {
	Method      Expr            // zero: as it was
	Path        Expr            // likewise; inserted values are escaped per segment; null is 400
	Query       map[string]Expr // sets; null removes
	Headers     map[string]Expr // sets; null removes
	Body        Expr            // an object or list is sent as JSON
	ContentType string
	Range       hcl.Range
}

// ResponseChange is one response block, resolved. It applies to responses whose status Statuses names.
type ResponseChange struct {
	Statuses    []string        // "2xx", "404"; none: every response
	SetStatus   Expr            // zero: as it was
	Headers     map[string]Expr // sets; null removes
	Body        Expr            // zero: as it was. An object or list is sent as JSON
	ContentType string          // of Body; "text/html": what templates insert is escaped, but for raw()
	Range       hcl.Range
}
