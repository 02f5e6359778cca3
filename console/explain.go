package console

import (
	"fmt"
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
)

// Explain says what becomes of a request in a world, on every listener that may take it. An error is a request that
// makes no sense.
func Explain(w *gateway.World, req ExplainRequest, programs Programs) (Explanation, error) {
	at, err := Locate(w, req)
	if at == nil {
		return Explanation{}, err
	}
	out := Explanation{Method: at.Request.Method, Host: at.Request.Host, Path: at.Request.Path, Listeners: []Decision{}}
	if err != nil {
		return out, err
	}
	for _, h := range at.Hits {
		d, err := decide(w, h, at, programs)
		if err != nil {
			return out, err
		}
		out.Listeners = append(out.Listeners, d)
	}
	return out, nil
}

func decide(w *gateway.World, h Hit, at *Located, programs Programs) (Decision, error) {
	d := Decision{Gateway: h.Listener.Gateway, Listener: h.Listener.Listener, Destinations: []Landing{}, Nearly: []Miss{}}
	switch {
	case h.Action == gateway.PathReject:
		d.Outcome, d.Text = "reject", "400: the path does not begin with a slash, or holds a fragment"
		return d, nil
	case h.Action == gateway.PathRedirect:
		d.Outcome, d.Text = "redirect", "307 to "+at.Request.Path+": the path holds escaped slashes, which the edge resolves before any route sees them"
		return d, nil
	case h.Host == "":
		d.Outcome, d.Text = "no_host", fmt.Sprintf("404: no route of this listener has the host %s, a wildcard that covers it, or no hosts at all", at.Request.Host)
		return d, nil
	}
	d.Host = h.Host
	position := slices.Index(h.Table, h.Entry)
	if position < 0 {
		position = len(h.Table)
	}
	for _, m := range gateway.HostTable(h.Table[:position]).Nearly(at.Request) {
		d.Nearly = append(d.Nearly, NewMiss(m))
	}
	if h.Entry == nil {
		d.Outcome, d.Text = "no_route", fmt.Sprintf("404: none of the %d entries for %s takes it", len(h.Table), h.Host)
		return d, nil
	}
	route := routeOf(h.Listener, h.Host, position+1, h.Entry)
	d.Outcome, d.Route, d.Variables = "route", &route, h.Vars
	d.Text = fmt.Sprintf("route %s takes it: %s", route.Name, route.Lead())
	kept := h.Entry.Kept(at.Request)
	if kept != nil {
		d.Text += fmt.Sprintf("; by the %s it stays on one of them", h.Entry.Route.Sticky.Text())
	}
	var err error
	d.Destinations, err = landings(w, h, kept, at.Raw, programs)
	return d, err
}

// landings are the destinations that may get the request: the one that it is kept on, else all of the route.
func landings(w *gateway.World, h Hit, kept *gateway.TableDestination, raw gateway.RawRequest, programs Programs) ([]Landing, error) {
	out := []Landing{}
	destinations, total := h.Entry.Destinations, totalWeight(h.Entry)
	if kept != nil {
		destinations, total = []*gateway.TableDestination{kept}, uint64(kept.Weight)
	}
	for _, dest := range destinations {
		l := Landing{
			Share: share(dest, total), Features: featuresOf(dest.Features), Degraded: dest.Degraded, Arguments: argumentsOf(dest, h.Entry.Match),
			Admits: append([]string{}, dest.Admission()...), Denied: dest.Denied,
		}
		if dest.To != nil {
			l.Function = dest.To.Function.ID.Name
		}
		if dest.Upstream != nil {
			u := upstreamOf(w, dest.Upstream, nil)
			l.Upstream, l.Lambda, l.Healthy, l.Known = u.Name, u.Lambda, u.Healthy, len(u.Endpoints)
		}
		a, err := h.Try(raw, dest, programs)
		if err != nil {
			return nil, err
		}
		l.attempt(a, dest)
		out = append(out, l)
	}
	return out, nil
}

// NewMiss is an entry that does not take a request, in words.
func NewMiss(m gateway.Miss) Miss {
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
