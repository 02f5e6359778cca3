package console

import (
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

// Explain says what becomes of a request in a world, on every listener that may take it. An error is a request that
// makes no sense.
func Explain(w *gateway.World, req ExplainRequest) (Explanation, error) {
	r, port, raw, err := parseRequest(req)
	if err != nil {
		return Explanation{}, err
	}
	path, action := gateway.NormalisePath(raw)
	r.Path = path
	out := Explanation{Method: r.Method, Host: r.Host, Path: path, Listeners: []Decision{}}
	for _, k := range listenersFor(w, req, port) {
		out.Listeners = append(out.Listeners, decide(w, k, *r, action))
	}
	if len(w.Gateways()) == 0 {
		return out, ErrNoGateway
	}
	if len(out.Listeners) == 0 {
		return out, errors.New("no gateway in force has such a listener")
	}
	return out, nil
}

func parseRequest(req ExplainRequest) (r *gateway.Request, port int, path string, err error) {
	u, err := url.Parse(req.URL)
	if err != nil {
		return nil, 0, "", fmt.Errorf("url %q is none: %w", req.URL, errors.Unwrap(err))
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
		return nil, 0, "", errors.New("the request has no host: give a whole URL, or the header Host")
	}
	if req.ClientIP != "" {
		if r.ClientIP, err = netip.ParseAddr(req.ClientIP); err != nil {
			return nil, 0, "", fmt.Errorf("client address %q is no IP address", req.ClientIP)
		}
	}
	if port, err = strconv.Atoi(u.Port()); err != nil {
		port = map[string]int{"http": 80, "https": 443}[u.Scheme]
	}
	path = u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return r, port, path, nil
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

func decide(w *gateway.World, k gateway.ListenerKey, r gateway.Request, action gateway.PathAction) Decision {
	d := Decision{Gateway: k.Gateway, Listener: k.Listener, Destinations: []Landing{}, Nearly: []Miss{}}
	switch action {
	case gateway.PathReject:
		d.Outcome, d.Text = "reject", "400: the path does not begin with a slash, or holds a fragment"
		return d
	case gateway.PathRedirect:
		d.Outcome, d.Text = "redirect", "307 to "+r.Path+": the path holds escaped slashes, which the edge resolves before any route sees them"
		return d
	}
	host, ok := gateway.MatchHost(w.Hosts(k), r.Host)
	if !ok {
		d.Outcome, d.Text = "no_host", fmt.Sprintf("404: no route of this listener has the host %s, a wildcard that covers it, or no hosts at all", r.Host)
		return d
	}
	d.Host = host
	table := w.Table(k, host)
	entry, vars := gateway.MatchTable(table, r)
	position := len(table)
	for i, e := range table {
		if e == entry {
			position = i
			break
		}
	}
	for _, m := range gateway.HostTable(table[:position]).Nearly(r) {
		d.Nearly = append(d.Nearly, missOf(m))
	}
	if entry == nil {
		d.Outcome, d.Text = "no_route", fmt.Sprintf("404: none of the %d entries for %s takes it", len(table), host)
		return d
	}
	route := routeOf(k, host, position+1, entry)
	d.Outcome, d.Route, d.Variables = "route", &route, vars
	d.Text = fmt.Sprintf("route %s takes it: %s", route.Name, lead(route))
	d.Destinations = landings(w, entry, r.Path, vars)
	return d
}

func landings(w *gateway.World, e *gateway.TableRoute, path string, vars map[string]string) []Landing {
	out := []Landing{}
	total := totalWeight(e)
	for _, dest := range e.Destinations {
		l := Landing{Share: share(dest, total), Path: rewritten(e.Match, dest.To, path, vars), Features: featuresOf(dest.Features)}
		if dest.Upstream != nil {
			u := upstreamOf(w, dest.Upstream, nil)
			l.Upstream, l.Healthy, l.Known = u.Name, u.Healthy, len(u.Endpoints)
		}
		out = append(out, l)
	}
	return out
}

// rewritten is the path as the upstream sees it.
func rewritten(m *gateway.Match, to *gateway.Destination, path string, vars map[string]string) string {
	switch {
	case to == nil:
		return path
	case to.Path != "":
		parts, err := gateway.ParsePathTemplate(to.Path)
		if err != nil {
			return to.Path
		}
		var b strings.Builder
		for _, p := range parts {
			if p.Literal != "" {
				b.WriteString(p.Literal)
			} else {
				b.WriteString(vars[p.Name])
			}
		}
		return b.String()
	case to.PrefixRewrite != nil:
		rest := strings.TrimPrefix(path, strings.TrimSuffix(m.Prefix, "/"))
		out := strings.TrimSuffix(*to.PrefixRewrite, "/") + "/" + strings.TrimPrefix(rest, "/")
		if rest == "" {
			out = *to.PrefixRewrite
		}
		if !strings.HasPrefix(out, "/") {
			out = "/" + out
		}
		return out
	}
	return path
}

func missOf(m gateway.Miss) Miss {
	out := Miss{Name: m.Entry.Route.Name, Match: matchOf(m.Entry.Match).Text, Range: rangeOf(m.Entry.Match.Range), Reasons: []string{}}
	for _, r := range m.Reasons {
		out.Reasons = append(out.Reasons, reason(r))
	}
	return out
}

// reason is one unmet condition in words.
func reason(r gateway.Reason) string {
	what := r.What
	if r.Name != "" {
		what += " " + r.Name
	}
	got := fmt.Sprintf("it is %q", r.Got)
	if r.None {
		got = "there is none"
	}
	switch r.Kind {
	case "present":
		return what + " must be present"
	case "absent":
		return what + " must be absent; " + got
	case "function":
		return "the path of " + r.Want + " is not known yet"
	case "one of":
		return fmt.Sprintf("%s must be %s; %s", what, r.Want, got)
	}
	return fmt.Sprintf("%s must match %s %q; %s", what, r.Kind, r.Want, got)
}
