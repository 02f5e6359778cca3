package translate

import (
	"fmt"
	"net/http"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sluice-gateway/sluice/gateway"
)

// destination builds the Envoy route of one weighted destination, its fraction and name left open. The client's Host
// header reaches the upstream as it came.
func (t *Translator) destination(tr *gateway.TableRoute, d *gateway.TableDestination, p path) (*routev3.Route, []Key, error) {
	if d.Upstream == nil {
		return nil, nil, fmt.Errorf("a destination has no upstream")
	}
	m, err := match(tr.Match, p)
	if err != nil {
		return nil, nil, err
	}
	if d.Denied {
		return denied(m), nil, nil
	}
	md, err := identity(tr, d)
	if err != nil {
		return nil, nil, err
	}
	action := &routev3.RouteAction{
		ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: d.Upstream.Name},
		Timeout:          durationpb.New(gateway.DefaultTimeout),
	}
	if err := rewriteAction(action, d.To, p); err != nil {
		return nil, nil, err
	}
	if !d.Subset.IsZero() {
		if action.MetadataMatch, err = subsetMatch(d.Subset, d.Fallback); err != nil {
			return nil, nil, err
		}
	}
	r := &routev3.Route{Match: m, Metadata: md, Action: &routev3.Route_Route{Route: action}}
	out := &Route{Table: tr, Dest: d, Route: r, Action: action, Needs: []Key{{TypeURL: ClusterType, Name: d.Upstream.Name}}}
	out.Program = &gateway.Program{Path: tr.Match.Path, Regex: tr.Match.Regex, Call: d.Call}
	if err := nativeGRPC(out); err != nil {
		return nil, nil, err
	}
	if err := t.routeFeatures(d.Features, out); err != nil {
		return nil, nil, err
	}
	lambdaRoute(out)
	if err := t.callGRPC(out); err != nil {
		return nil, nil, err
	}
	if err := lowerProgram(out, p); err != nil {
		return nil, nil, err
	}
	return r, out.Needs, nil
}

// answer builds the route of a redirect or a direct response.
func (t *Translator) answer(tr *gateway.TableRoute, p path) ([]entry, []Key, error) {
	m, err := match(tr.Match, p)
	if err != nil {
		return nil, nil, err
	}
	if tr.Denied {
		r := denied(m)
		r.Name = routeName(tr, 0)
		return []entry{{route: r, literal: p.literal}}, nil, nil
	}
	r := &routev3.Route{Name: routeName(tr, 0), Match: m}
	if tr.Route.Redirect != nil {
		action, err := redirect(tr.Route.Redirect, p)
		if err != nil {
			return nil, nil, err
		}
		r.Action = &routev3.Route_Redirect{Redirect: action}
	} else {
		respond(tr.Route.Respond, r)
	}
	out := &Route{Table: tr, Route: r}
	if err := t.routeFeatures(tr.Features, out); err != nil {
		return nil, nil, err
	}
	return []entry{{route: r, literal: p.literal}}, out.Needs, nil
}

func (t *Translator) routeFeatures(features []gateway.Effective, out *Route) error {
	err := t.apply(features, func(k Kind, own []gateway.Effective) error {
		if k.Route == nil {
			return nil
		}
		return k.Route(own, out)
	})
	if err != nil {
		return err
	}
	return validate(out.Route)
}

// denied refuses whatever a match takes.
func denied(m *routev3.RouteMatch) *routev3.Route {
	r := &routev3.Route{Match: m}
	respond(&gateway.Respond{
		Status: http.StatusForbidden, ContentType: "application/json",
		Body: `{"error":"the gateway denies by default, and nothing says who may call this","reason":"denied_by_default"}`,
	}, r)
	return r
}

func respond(r *gateway.Respond, out *routev3.Route) {
	direct := &routev3.DirectResponseAction{Status: uint32(r.Status)}
	if r.Body != "" {
		direct.Body = &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: r.Body}}
		out.ResponseHeadersToAdd = []*corev3.HeaderValueOption{{
			Header:       &corev3.HeaderValue{Key: "content-type", Value: Literal(r.ContentType)},
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		}}
	}
	out.Action = &routev3.Route_DirectResponse{DirectResponse: direct}
}

var redirectCodes = map[int]routev3.RedirectAction_RedirectResponseCode{
	301: routev3.RedirectAction_MOVED_PERMANENTLY,
	302: routev3.RedirectAction_FOUND,
	303: routev3.RedirectAction_SEE_OTHER,
	307: routev3.RedirectAction_TEMPORARY_REDIRECT,
	308: routev3.RedirectAction_PERMANENT_REDIRECT,
}

func redirect(r *gateway.Redirect, p path) (*routev3.RedirectAction, error) {
	code, ok := redirectCodes[r.Status]
	if !ok {
		return nil, fmt.Errorf("redirect status %d is none of 301, 302, 303, 307, 308", r.Status)
	}
	out := &routev3.RedirectAction{
		HostRedirect: r.Host,
		PortRedirect: uint32(r.Port),
		ResponseCode: code,
		StripQuery:   r.Query != nil && !*r.Query,
	}
	if r.Scheme != "" {
		out.SchemeRewriteSpecifier = &routev3.RedirectAction_SchemeRedirect{SchemeRedirect: r.Scheme}
	}
	if r.Path != "" {
		out.PathRewriteSpecifier = &routev3.RedirectAction_PathRedirect{PathRedirect: r.Path}
		return out, nil
	}
	w, err := p.rewrite("", r.Prefix)
	if err != nil {
		return nil, err
	}
	switch {
	case w.regex != nil:
		out.PathRewriteSpecifier = &routev3.RedirectAction_RegexRewrite{RegexRewrite: w.regex}
	case w.prefix != "":
		out.PathRewriteSpecifier = &routev3.RedirectAction_PrefixRewrite{PrefixRewrite: w.prefix}
	}
	return out, nil
}

// rewriteAction makes the upstream see the destination's path.
func rewriteAction(action *routev3.RouteAction, to *gateway.Destination, p path) error {
	if to == nil {
		return nil
	}
	w, err := p.rewrite(to.Path, to.PrefixRewrite)
	if err != nil {
		return err
	}
	action.PrefixRewrite, action.RegexRewrite = w.prefix, w.regex
	return nil
}
