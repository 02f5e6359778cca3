package console

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// ErrNoGateway is the answer to a question about requests where no gateway is in force.
var ErrNoGateway = errors.New("no gateway is in force: a document with a gateway block says where requests come in")

// exampleID is the request id of requests that nobody sent.
const exampleID = "00000000-0000-4000-8000-000000000000"

// Located is a request, and what each listener that may take it makes of it.
type Located struct {
	Request gateway.Request    // as routes see it
	Raw     gateway.RawRequest // as it arrives
	Scheme  string             // "http" or "https"
	Hits    []Hit              // one a listener; at least one
}

// Hit is what one listener does with a request. Entry is nil where no route takes it: then Action says that the edge
// answers by itself, or Host is empty where no route has the host, or Table has no entry for the request.
type Hit struct {
	Listener gateway.ListenerKey
	Action   gateway.PathAction
	Host     string                // the name or wildcard that the request's host selects
	Table    []*gateway.TableRoute // of the host
	Entry    *gateway.TableRoute   // that takes the request
	Vars     map[string]string     // of its path
}

// Locate says which route takes a request, on every listener that may get it. An error is a request that makes no
// sense, or ErrNoGateway.
func Locate(w *gateway.World, req ExplainRequest) (*Located, error) {
	r, port, raw, err := parseRequest(req)
	if err != nil {
		return nil, err
	}
	path, action := gateway.NormalisePath(raw.Target)
	r.Path = path
	out := &Located{Request: *r, Raw: raw, Scheme: "http"}
	out.Raw.Target = path
	if u, err := url.Parse(req.URL); err == nil {
		if u.RawQuery != "" {
			out.Raw.Target += "?" + u.RawQuery
		}
		out.Scheme = cmp.Or(u.Scheme, out.Scheme)
	}
	if len(w.Gateways()) == 0 {
		return out, ErrNoGateway
	}
	for _, k := range listenersFor(w, req, port) {
		out.Hits = append(out.Hits, hit(w, k, *r, action))
	}
	if len(out.Hits) == 0 {
		return out, errors.New("no gateway in force has such a listener")
	}
	return out, nil
}

func hit(w *gateway.World, k gateway.ListenerKey, r gateway.Request, action gateway.PathAction) Hit {
	h := Hit{Listener: k, Action: action}
	if action == gateway.PathReject || action == gateway.PathRedirect {
		return h
	}
	host, ok := gateway.MatchHost(w.Hosts(k), r.Host)
	if !ok {
		return h
	}
	h.Host, h.Table = host, w.Table(k, host)
	h.Entry, h.Vars = gateway.MatchTable(h.Table, r)
	return h
}

// parseRequest reads what is asked; Target of the raw request is the path alone, as it came.
func parseRequest(req ExplainRequest) (r *gateway.Request, port int, raw gateway.RawRequest, err error) {
	u, err := url.Parse(req.URL)
	if err != nil {
		return nil, 0, raw, fmt.Errorf("url %q is none: %w", req.URL, errors.Unwrap(err))
	}
	r = &gateway.Request{Method: req.Method, Host: u.Host, Query: gateway.ParseQuery(u.RawQuery), Headers: http.Header{}}
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	for name, values := range req.Headers {
		name = strings.ToLower(name)
		if name == "host" && len(values) > 0 {
			r.Host = values[0]
			continue
		}
		r.Headers[name] = append(r.Headers[name], values...)
	}
	if r.Host == "" {
		return nil, 0, raw, errors.New("the request has no host: give a whole URL, or the header Host")
	}
	if req.ClientIP != "" {
		if r.ClientIP, err = netip.ParseAddr(req.ClientIP); err != nil {
			return nil, 0, raw, fmt.Errorf("client address %q is no IP address", req.ClientIP)
		}
	}
	if port, err = strconv.Atoi(u.Port()); err != nil {
		port = map[string]int{"http": 80, "https": 443}[u.Scheme]
	}
	raw = gateway.RawRequest{
		Method: r.Method, Host: r.Host, Target: u.EscapedPath(), Headers: r.Headers, Body: []byte(req.Body), ClientIP: req.ClientIP,
		ID: exampleID, Auth: AuthOf(req.Claims),
	}
	if raw.Target == "" {
		raw.Target = "/"
	}
	return r, port, raw, nil
}

// AuthOf is what expressions see of a client with the claims of a token; nil has none.
func AuthOf(claims map[string]any) map[string]any {
	if claims == nil {
		return nil
	}
	return map[string]any{"claims": claims, "subject": claims["sub"], "client": claims["sub"]}
}

// listenersFor lists the listeners that were asked for; where none was, those on the port, else all.
func listenersFor(w *gateway.World, req ExplainRequest, port int) (out []gateway.ListenerKey) {
	var onPort []gateway.ListenerKey
	for _, g := range w.Gateways() {
		if req.Gateway != "" && req.Gateway != g.Name {
			continue
		}
		for _, l := range g.Listeners {
			if req.Listener != "" && req.Listener != l.Name {
				continue
			}
			k := gateway.ListenerKey{Gateway: g.Name, Listener: l.Name}
			out = append(out, k)
			if l.Port == port {
				onPort = append(onPort, k)
			}
		}
	}
	if req.Listener == "" && len(onPort) > 0 {
		return onPort
	}
	return out
}
