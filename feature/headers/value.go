package headers

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// value is a header's value as Envoy's formatters produce it, or, where they cannot, as the script does.
type value struct {
	expr     gateway.Expr // as it was written
	format   string
	computed bool     // the script makes it: format says nothing
	dynamic  bool     // it depends on the request or response, and may be absent
	reads    []string // lower-case names of the headers of its own direction that it reads
	asks     bool     // of a response: it reads a header of the request, which others may have changed since
	asksLine bool     // of a response: it reads the request's method or query, likewise
}

var parameter = regexp.MustCompile(`^[A-Za-z0-9_.~-]+$`)

// compile turns an expression into a value. The error completes "The value of NAME …".
func compile(e gateway.Expr, response bool) (value, error) {
	if why := gateway.HeaderValueFault(e); why != "" {
		return value{}, errors.New(why)
	}
	if _, list := e.Value.([]any); list || e.Op == gateway.OpTuple || e.Op == gateway.OpFor || e.Op == gateway.OpSplat {
		return value{}, errors.New("is a list; join() makes text of it, and the headers of a request or response block can be lists")
	}
	v := formatted(e, response)
	v.expr = e
	return v, nil
}

func formatted(e gateway.Expr, response bool) value {
	switch e.Op {
	case gateway.OpConst:
		return constant(e.Value)
	case gateway.OpTemplate:
		var out value
		for _, a := range e.Args {
			v := formatted(a, response)
			out.format += v.format
			out.computed = out.computed || v.computed
			out.dynamic = out.dynamic || v.dynamic
			out.reads = append(out.reads, v.reads...)
			out.asks = out.asks || v.asks
			out.asksLine = out.asksLine || v.asksLine
		}
		return out
	case gateway.OpRequest:
		return request(e.Path, response)
	case gateway.OpResponse:
		return responsePart(e.Path)
	}
	return value{computed: true, dynamic: true}
}

func constant(v any) value {
	switch v := v.(type) {
	case string:
		return value{format: translate.Literal(v)}
	case bool:
		return value{format: strconv.FormatBool(v)}
	case float64:
		return value{format: strconv.FormatFloat(v, 'f', -1, 64)}
	}
	return value{dynamic: true}
}

func request(path []string, response bool) value {
	v := value{dynamic: true}
	switch {
	case len(path) == 1 && path[0] == "method":
		v.format, v.asksLine = "%REQ(:METHOD)%", response
	case len(path) == 1 && path[0] == "host":
		v.format = "%REQ(:AUTHORITY)%"
	case len(path) == 1 && path[0] == "client_ip":
		v.format = "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"
	case len(path) == 1 && path[0] == "id":
		v.format = "%REQ(X-REQUEST-ID)%"
	case len(path) == 2 && path[0] == "headers" && gateway.IsHeaderName(path[1]):
		v.format = "%REQ(" + strings.ToUpper(path[1]) + ")%"
		if v.asks = response; !response {
			v.reads = []string{strings.ToLower(path[1])}
		}
	case len(path) == 2 && path[0] == "query" && parameter.MatchString(path[1]):
		v.format, v.asksLine = "%QUERY_PARAM("+path[1]+")%", response
	default:
		v.computed = true
	}
	return v
}

func responsePart(path []string) value {
	switch {
	case len(path) == 1 && path[0] == "status":
		return value{format: "%RESPONSE_CODE%", dynamic: true}
	case len(path) == 2 && path[0] == "headers" && gateway.IsHeaderName(path[1]):
		return value{format: "%RESP(" + strings.ToUpper(path[1]) + ")%", dynamic: true, reads: []string{strings.ToLower(path[1])}}
	}
	return value{computed: true, dynamic: true}
}
