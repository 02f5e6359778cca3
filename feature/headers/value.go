package headers

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// value is a header's value as Envoy's formatters produce it.
type value struct {
	format  string
	dynamic bool     // it depends on the request or response, and may be absent
	reads   []string // lower-case names of the headers of its own direction that it reads
}

var (
	token     = regexp.MustCompile("^[A-Za-z0-9!#$&'*+.^_|~-]+$") // a header's name; no % and no backquote, which formats use
	parameter = regexp.MustCompile(`^[A-Za-z0-9_.~-]+$`)
)

// hopByHop are headers that the proxy itself writes, or that steer a connection.
var hopByHop = []string{
	"host", "connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
}

// checkName says why a header cannot be changed; empty if it can.
func checkName(name string) string {
	lower := strings.ToLower(name)
	switch {
	case strings.HasPrefix(name, ":"):
		return fmt.Sprintf("%q is part of the request line, not a header. A destination's path and prefix_rewrite change the path.", name)
	case !token.MatchString(name):
		return fmt.Sprintf("%q is no header name: letters, digits and dashes make one.", name)
	case slices.Contains(hopByHop, lower):
		return fmt.Sprintf("%q belongs to the connection, which the gateway keeps itself. Remove it from the block.", name)
	case strings.HasPrefix(lower, "x-envoy-") || strings.HasPrefix(lower, "x-sluice-"):
		return fmt.Sprintf("%q is reserved: x-envoy- and x-sluice- headers steer the gateway. Choose another name.", name)
	}
	return ""
}

// compile turns an expression into a format. The error completes "The value of NAME …".
func compile(e gateway.Expr, response bool) (value, error) {
	switch e.Op {
	case gateway.OpConst:
		return constant(e.Value)
	case gateway.OpTemplate:
		var out value
		for _, a := range e.Args {
			v, err := compile(a, response)
			if err != nil {
				return value{}, err
			}
			out.format += v.format
			out.dynamic = out.dynamic || v.dynamic
			out.reads = append(out.reads, v.reads...)
		}
		return out, nil
	case gateway.OpRequest:
		return request(e.Path, response)
	case gateway.OpResponse:
		if response {
			return responsePart(e.Path)
		}
		return value{}, fmt.Errorf("reads the response, which is not there yet when the request is sent; move it to the response block")
	}
	return value{}, fmt.Errorf("computes with the request, which header values cannot do; use text, ${…} of single values, and nothing else")
}

func constant(v any) (value, error) {
	switch v := v.(type) {
	case nil:
		return value{dynamic: true}, nil
	case string:
		if i := strings.IndexFunc(v, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }); i >= 0 {
			return value{}, fmt.Errorf("holds a line break or another control character, which would begin another header; remove it, for example with trimspace()")
		}
		return value{format: translate.Literal(v)}, nil
	case bool:
		return value{format: strconv.FormatBool(v)}, nil
	case float64:
		return value{format: strconv.FormatFloat(v, 'f', -1, 64)}, nil
	}
	return value{}, fmt.Errorf("is a list or an object; a header's value is text: jsonencode() makes text of it")
}

func request(path []string, response bool) (value, error) {
	v := value{dynamic: true}
	switch {
	case len(path) == 1 && path[0] == "method":
		v.format = "%REQ(:METHOD)%"
	case len(path) == 1 && path[0] == "host":
		v.format = "%REQ(:AUTHORITY)%"
	case len(path) == 1 && path[0] == "client_ip":
		v.format = "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"
	case len(path) == 1 && path[0] == "id":
		v.format = "%REQ(X-REQUEST-ID)%"
	case len(path) == 2 && path[0] == "headers" && token.MatchString(path[1]):
		v.format = "%REQ(" + strings.ToUpper(path[1]) + ")%"
		if !response {
			v.reads = []string{strings.ToLower(path[1])}
		}
	case len(path) == 2 && path[0] == "query" && parameter.MatchString(path[1]):
		v.format = "%QUERY_PARAM(" + path[1] + ")%"
	default:
		return value{}, fmt.Errorf("reads request.%s, which header values cannot do; they can read method, host, client_ip, id, headers[\"NAME\"] and query.NAME", strings.Join(path, "."))
	}
	return v, nil
}

func responsePart(path []string) (value, error) {
	switch {
	case len(path) == 1 && path[0] == "status":
		return value{format: "%RESPONSE_CODE%", dynamic: true}, nil
	case len(path) == 2 && path[0] == "headers" && token.MatchString(path[1]):
		return value{
			format: "%RESP(" + strings.ToUpper(path[1]) + ")%", dynamic: true, reads: []string{strings.ToLower(path[1])},
		}, nil
	}
	return value{}, fmt.Errorf("reads response.%s, which header values cannot do; they can read status and headers[\"NAME\"]", strings.Join(path, "."))
}
