package console

import (
	"cmp"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// Programs is what happens to the messages of a destination, as translate.Translator.ProgramOf has it. An error is a
// mistake that the blocks' own checks did not find.
type Programs func(*gateway.TableRoute, *gateway.TableDestination) (*gateway.Program, error)

// Attempt is a request on its way to one destination.
type Attempt struct {
	Program *gateway.Program
	Sent    gateway.RawRequest // what the upstream gets
	Refused *gateway.Refusal   // what the client gets instead; nil: it is sent

	in gateway.RawRequest
}

// Try sends a request to a destination of the entry that takes it.
func (h Hit) Try(raw gateway.RawRequest, d *gateway.TableDestination, programs Programs) (*Attempt, error) {
	p, err := programs(h.Entry, d)
	if err != nil {
		return nil, err
	}
	a := &Attempt{Program: p, in: raw}
	run, err := p.Prepared()
	if err != nil {
		return nil, err
	}
	a.Sent, err = p.Send(raw)
	if errors.As(err, &a.Refused) {
		return a, nil
	}
	if err != nil {
		return nil, err
	}
	if !run.SetsPath() {
		path, query, ok := strings.Cut(a.Sent.Target, "?")
		a.Sent.Target = rewritten(h.Entry.Match, d.To, path, h.Vars)
		if ok {
			a.Sent.Target += "?" + query
		}
	}
	return a, nil
}

// Receive is what the client gets of an upstream's answer. Refused is set where that is none of it.
func (a *Attempt) Receive(answer gateway.RawResponse) (out gateway.RawResponse, refused *gateway.Refusal, err error) {
	out, err = a.Program.Receive(a.in, answer)
	if errors.As(err, &refused) {
		return gateway.RawResponse{}, refused, nil
	}
	return out, nil, err
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

// RefusalResponse is what the client gets of a refusal.
func RefusalResponse(r *gateway.Refusal) gateway.RawResponse {
	return gateway.RawResponse{
		Status:  r.Status,
		Headers: http.Header{"content-type": {"application/json"}, "x-sluice-error": {r.Reason}},
		Body:    r.Body(),
	}
}

// RedirectOf is the answer of a route that redirects.
func RedirectOf(h Hit, at *Located) gateway.RawResponse {
	x := h.Entry.Route.Redirect
	path, query, hasQuery := strings.Cut(at.Raw.Target, "?")
	switch {
	case x.Path != "":
		path = x.Path
	case x.Prefix != nil:
		path = rewritten(h.Entry.Match, &gateway.Destination{PrefixRewrite: x.Prefix}, path, h.Vars)
	}
	if hasQuery && (x.Query == nil || *x.Query) && !strings.Contains(path, "?") {
		path += "?" + query
	}
	host := at.Request.Host
	if x.Host != "" {
		host = x.Host
	}
	if x.Port != 0 {
		name, _, err := net.SplitHostPort(host)
		if err != nil {
			name = host
		}
		host = net.JoinHostPort(name, strconv.Itoa(x.Port))
	}
	location := cmp.Or(x.Scheme, at.Scheme) + "://" + host + path
	return gateway.RawResponse{Status: cmp.Or(x.Status, http.StatusMovedPermanently), Headers: http.Header{"location": {location}}}
}
