package gateway

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Request is what routes look at, as it is after the edge has normalised it: see NormalisePath and NormaliseHost.
type Request struct {
	Method   string
	Host     string      // as sent: a port does not matter, nor does case
	Path     string      // begins with "/"; percent-encoding as sent; without the query
	Query    []Param     // in the order of the query string
	Headers  http.Header // lower-case names
	ClientIP netip.Addr  // zero: unknown
}

// Param is one query parameter, as it stands in the query string: not decoded.
type Param struct{ Name, Value string }

// ParseQuery parts a query string, without its question mark, into parameters the way the edge does: nothing is
// decoded, and a parameter without "=" has an empty value.
func ParseQuery(query string) []Param {
	var out []Param
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		out = append(out, Param{Name: name, Value: value})
	}
	return out
}

// target is the path with the query string.
func (r *Request) target() string {
	var b strings.Builder
	b.WriteString(r.Path)
	for i, p := range r.Query {
		b.WriteByte("?&"[min(i, 1)])
		b.WriteString(p.Name + "=" + p.Value)
	}
	return b.String()
}

// query is what conditions see: the value of the first parameter of the name.
func (r *Request) query(name string) []string {
	for _, p := range r.Query {
		if p.Name == name {
			return []string{p.Value}
		}
	}
	return nil
}

// NormaliseHost is how the edge reads a Host header when it looks for routes: without port and final dot, lower case.
func NormaliseHost(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		if strings.Contains(h, ":") {
			h = "[" + h + "]"
		}
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// MatchHost selects from hosts the one that serves a Host header: the exact name, else the longest wildcard "*.x" whose
// suffix it has with something before it, else "*". ok is false where none does. Hosts are lower case.
func MatchHost(hosts []string, host string) (selected string, ok bool) {
	host = NormaliseHost(host)
	for _, h := range hosts {
		suffix, wildcard := strings.CutPrefix(h, "*")
		switch {
		case h == host && !wildcard:
			return h, true
		case wildcard && len(host) > len(suffix) && strings.HasSuffix(host, suffix) && (!ok || len(h) > len(selected)):
			selected, ok = h, true
		case h == "*" && !ok: // an empty Host header
			selected, ok = h, true
		}
	}
	return selected, ok
}
