package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	hclv2 "github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/gateway"
)

// testRun runs one test in a world.
type testRun struct {
	*offline
	t  *testBlock
	at *console.Located

	failed []failure
	diags  hclv2.Diagnostics // of the test itself
	where  []string          // where the request went
	kept   string            // by what it is kept there
	idle   []string          // features on the way that are not played
}

// played are the features whose effect a test sees; all others are named in the report.
var played = []string{"headers", "request", "response"}

// run plays the test on every listener that may take the request.
func (r *testRun) run() {
	req, diags := r.t.request()
	if r.diags = append(r.diags, diags...); diags.HasErrors() {
		return
	}
	var err error
	if r.at, err = console.Locate(r.world, req); err != nil {
		r.fail(r.t.Request.Range, "request", err.Error())
		return
	}
	for _, h := range r.at.Hits {
		r.hit(h)
	}
}

func (r *testRun) fail(at hclv2.Range, what, text string) {
	r.failed = append(r.failed, failure{What: what, Text: text, File: at.Filename, Line: at.Start.Line})
}

func (r *testRun) hit(h console.Hit) {
	c := &checks{t: r.t}
	x := r.t.Expect
	c.reference("route", x.Route, nameOf(h), gateway.KindRoute)
	if len(c.failed) > 0 {
		c.failed[0].Text += r.nearly(h)
	}
	answer, ok := edgeAnswer(h, r.at)
	if ok {
		r.where = append(r.where, fmt.Sprintf("%d from the gateway", answer.Status))
		c.unsent(x)
		c.response(x.Response, answer)
		r.take(c)
		return
	}
	r.take(c)
	chosen, diags := r.choose(h.Entry)
	r.diags = append(r.diags, diags...)
	for _, d := range chosen {
		c := &checks{t: r.t, destination: destinationText(d)}
		r.where = append(r.where, c.destination)
		for _, e := range d.Features {
			if name := e.Feature.FeatureType(); !slices.Contains(played, name) {
				r.idle = append(r.idle, name)
			}
		}
		r.destination(c, h, d)
		r.take(c)
	}
}

func (r *testRun) take(c *checks) {
	r.failed, r.diags = append(r.failed, c.failed...), append(r.diags, c.diags...)
}

func nameOf(h console.Hit) string {
	if h.Entry == nil {
		return ""
	}
	return h.Entry.Route.Name
}

// nearly says why the entries of the expected route do not take the request.
func (r *testRun) nearly(h console.Hit) string {
	id, diags := reference(r.t.Expect.Route, gateway.KindRoute)
	if diags.HasErrors() {
		return ""
	}
	b := r.world.Block(id.Written())
	if b == nil || b.InForce == nil {
		return "; no such route is in force"
	}
	for _, m := range gateway.HostTable(h.Table).Nearly(r.at.Request) {
		if m.Entry.Route.Name == id.Name {
			miss := console.NewMiss(m)
			return "; it does not take the request: " + strings.Join(miss.Reasons, "; ")
		}
	}
	return ""
}

// reference compares the name of a block.
func (c *checks) reference(what string, e hclv2.Expression, got string, kinds ...string) {
	if !written(e) {
		return
	}
	id, diags := reference(e, kinds...)
	if c.diags = append(c.diags, diags...); diags.HasErrors() || id.Name == got {
		return
	}
	if got == "" {
		c.fail(e.Range(), what, fmt.Sprintf("no %s takes the request, expected %s", what, id.Text()), "")
		return
	}
	c.fail(e.Range(), what, fmt.Sprintf("%s is %s, expected %s", what, gateway.ID{Kind: id.Kind, Name: got}.Text(), id.Text()), "")
}

// unsent fails what is expected of a request that nobody gets.
func (c *checks) unsent(x testExpect) {
	for what, e := range x.calls() {
		if written(e) {
			c.fail(e.Range(), what, fmt.Sprintf("the gateway answers by itself, expected a call of %s", what), "")
		}
	}
	if written(x.Refused) {
		c.fail(x.Refused.Range(), "refused", "the gateway answers by itself, expected a refusal", "")
	}
	if x.Sent != nil {
		c.fail(x.Sent.Range, "sent", "the gateway answers by itself, expected a request to be sent", "")
	}
}

// edgeAnswer is the answer that the gateway gives by itself; ok is false where the request goes to a destination.
func edgeAnswer(h console.Hit, at *console.Located) (out gateway.RawResponse, ok bool) {
	out.Headers = http.Header{}
	switch {
	case h.Action == gateway.PathReject:
		out.Status = http.StatusBadRequest
	case h.Action == gateway.PathRedirect:
		out.Status = http.StatusTemporaryRedirect
		out.Headers.Set("location", at.Raw.Target)
	case h.Entry == nil:
		out.Status = http.StatusNotFound
	case h.Entry.Route.Redirect != nil:
		return console.RedirectOf(h, at), true
	case h.Entry.Route.Respond != nil:
		x := h.Entry.Route.Respond
		out.Status, out.Body = x.Status, []byte(x.Body)
		if x.Body != "" {
			out.Headers.Set("content-type", x.ContentType)
		}
	default:
		return out, false
	}
	return out, true
}

func destinationText(d *gateway.TableDestination) string {
	if d.To != nil && !d.To.Function.IsZero() {
		return d.To.Function.ID.Text()
	}
	if d.Upstream == nil {
		return ""
	}
	return "upstream." + d.Upstream.Name
}

// is says whether a destination is what a reference names.
func is(d *gateway.TableDestination, id gateway.ID) bool {
	if id.Kind == gateway.KindUpstream {
		return d.Upstream != nil && d.Upstream.Name == id.Name
	}
	if d.To == nil || d.To.Function.IsZero() {
		return false
	}
	up, name, _ := gateway.SplitFunction(id)
	own, _, _ := gateway.SplitFunction(d.To.Function.ID)
	return d.To.Function.ID == id || d.Function != nil && own == up && d.Function.Name == name
}

// choose lists the destinations that get the request: the one that the test says, else the one that the request is kept
// on, else all with a share.
func (r *testRun) choose(e *gateway.TableRoute) (out []*gateway.TableDestination, diags hclv2.Diagnostics) {
	total, sum := 0.0, 0.0
	for _, d := range e.Destinations {
		total += float64(d.Weight)
	}
	if written(r.t.Destination) {
		id, diags := reference(r.t.Destination, gateway.KindFunction, gateway.KindUpstream)
		if diags.HasErrors() {
			return nil, diags
		}
		var have []string
		for _, d := range e.Destinations {
			if have = append(have, destinationText(d)); is(d, id) {
				return []*gateway.TableDestination{d}, nil
			}
		}
		return nil, hclv2.Diagnostics{testProblem(r.t.Destination.Range(), "Unknown destination", fmt.Sprintf(
			"Route %s has no destination %s. It has %s.", e.Route.Name, id.Text(), strings.Join(have, ", ")))}
	}
	if d := e.Kept(r.at.Request); d != nil {
		r.kept = e.Route.Sticky.Text()
		return []*gateway.TableDestination{d}, nil
	}
	for _, d := range e.Destinations {
		if d.Weight == 0 {
			continue
		}
		sum += float64(d.Weight)
		if r.t.Choose == nil {
			out = append(out, d)
		} else if *r.t.Choose < sum/total {
			return []*gateway.TableDestination{d}, nil
		}
	}
	return out, nil
}

func (r *testRun) destination(c *checks, h console.Hit, d *gateway.TableDestination) {
	x := r.t.Expect
	for what, e := range x.calls() {
		if !written(e) {
			continue
		}
		id, diags := reference(e, what)
		c.diags = append(c.diags, diags...)
		if !diags.HasErrors() && !is(d, id) {
			c.fail(e.Range(), what, fmt.Sprintf("the request goes to %s, expected %s", destinationText(d), id.Text()), "")
		}
	}
	a, err := h.Try(r.at.Raw, d, r.translator.ProgramOf)
	if err != nil {
		c.fail(r.t.Range, "request", err.Error(), "")
		return
	}
	if a.Refused != nil {
		if x.Sent != nil {
			c.fail(x.Sent.Range, "sent", "nothing is sent: "+a.Refused.Error(), "")
		}
		c.refused(x, a.Refused)
		return
	}
	c.sent(x.Sent, a.Sent)
	if x.Response == nil && !written(x.Refused) {
		return
	}
	recorded, diags := r.t.answer(d)
	if c.diags = append(c.diags, diags...); diags.HasErrors() {
		return
	}
	if recorded == nil {
		at := x.Range
		if x.Response != nil {
			at = x.Response.Range
		}
		c.fail(at, "response", "a response is expected, and no answer block says what "+c.destination+" answers", "")
		return
	}
	got, refused, err := a.Receive(*recorded)
	switch {
	case err != nil:
		c.fail(r.t.Range, "response", err.Error(), "")
	case refused != nil:
		c.refused(x, refused)
	default:
		if written(x.Refused) {
			c.fail(x.Refused.Range(), "refused", "nothing is refused", "")
		}
		c.response(x.Response, got)
	}
}

// refused compares what the client gets in place of a call or its answer.
func (c *checks) refused(x testExpect, got *gateway.Refusal) {
	if written(x.Refused) {
		c.equal("refused", x.Refused, got.Reason)
	} else if x.Response == nil {
		c.fail(x.Range, "refused", "the client gets "+fmt.Sprint(got.Status)+": "+got.Error(), "")
		return
	}
	before := len(c.failed)
	c.response(x.Response, console.RefusalResponse(got))
	if len(c.failed) > before && !written(x.Refused) {
		c.failed[before].Text += " (refused: " + got.Error() + ")"
	}
}

func (c *checks) sent(x *testSent, got gateway.RawRequest) {
	if x == nil {
		return
	}
	path, query, _ := strings.Cut(got.Target, "?")
	c.equal("sent.method", x.Method, got.Method)
	c.equal("sent.path", x.Path, path)
	c.query("sent.query", x.Query, query)
	c.headers("sent.headers", x.Headers, got.Headers)
	c.body("sent.body", x.Body, got.Body)
}

func (c *checks) response(x *testResponse, got gateway.RawResponse) {
	if x == nil {
		return
	}
	c.equal("response.status", x.Status, fmt.Sprint(got.Status))
	c.headers("response.headers", x.Headers, got.Headers)
	c.contentType(x.ContentType, got.Headers)
	c.body("response.body", x.Body, got.Body)
}

// errNoTests says that paths hold none.
var errNoTests = errors.New("no *" + testSuffix + " file at the given paths")

// calls are the expectations of who is called, by kind.
func (x testExpect) calls() map[string]hclv2.Expression {
	return map[string]hclv2.Expression{gateway.KindFunction: x.Function, gateway.KindUpstream: x.Upstream}
}
