package gateway

import (
	"slices"
	"strings"
)

// joined are the headers that Envoy keeps as one: several of them become one value with commas. Of every other header a
// condition is asked of each value by itself.
var joined = []string{
	"accept", "accept-encoding", "access-control-request-headers", "access-control-request-method",
	"access-control-request-private-network", "authentication", "authorization", "cache-control", "content-encoding",
	"content-type", "grpc-accept-encoding", "grpc-timeout", "if-match", "if-modified-since", "if-none-match", "if-range",
	"if-unmodified-since", "origin", "pragma", "referer", "user-agent", "via", "x-client-trace-id", "x-forwarded-host",
	"x-forwarded-port",
}

// values are what conditions see of a header; one is enough. The names of pseudo-headers lead to what they stand for, and
// "host" to ":authority".
func (r *Request) values(name string) []string {
	switch name = strings.ToLower(name); name {
	case ":method":
		return []string{r.Method}
	case ":authority", "host":
		return []string{r.Host}
	case ":path":
		return []string{r.target()}
	}
	values := r.Headers[name]
	if _, found := slices.BinarySearch(joined, name); found && len(values) > 1 {
		return []string{strings.Join(values, ",")}
	}
	return values
}
