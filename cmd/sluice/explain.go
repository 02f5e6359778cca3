package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/console"
)

type explainFlags struct {
	clientFlags
	headers                     []string
	clientIP, gateway, listener string
	body, claims, world         string
	documents                   []string
}

func (a *app) explainCommand() *cobra.Command {
	var f explainFlags
	c := clientCommand(&cobra.Command{
		Use: "explain METHOD URL", Short: "Which route takes a request, and why", Args: cobra.ExactArgs(2),
		Long: "Say which route takes a request and why, which others nearly did, which function it calls with which arguments,\n" +
			"what is sent, what is changed on the way and back, and what each feature does and where it was written. With\n" +
			"-documents nothing is asked: the documents at the paths are the world.",
		RunE: func(c *cobra.Command, args []string) error { return a.explain(c, args, f) },
	}, &f.clientFlags)
	c.Flags().StringArrayVarP(&f.headers, "header", "H", nil, "`NAME: VALUE` of the request (repeatable)")
	c.Flags().StringVar(&f.body, "body", "", "the request's body; JSON, unless the header Content-Type says otherwise")
	c.Flags().StringVar(&f.claims, "claims", "", "the claims of the client's token, as JSON")
	c.Flags().StringVar(&f.clientIP, "client-ip", "", "the client's address")
	c.Flags().StringVar(&f.gateway, "gateway", "", "only on this `GATEWAY`")
	c.Flags().StringVar(&f.listener, "listener", "", "only on this `LISTENER` (default: the one with the URL's port, else all)")
	c.Flags().StringArrayVar(&f.documents, "documents", nil, "explain by the documents at `PATH`, offline (repeatable)")
	c.Flags().StringVar(&f.world, "world", "", "with -documents: what is live besides, from `FILE`, printed by sluice world")
	return c
}

func (a *app) explain(c *cobra.Command, args []string, f explainFlags) error {
	req := console.ExplainRequest{
		Method: strings.ToUpper(args[0]), URL: args[1], Headers: map[string][]string{}, ClientIP: f.clientIP, Gateway: f.gateway, Listener: f.listener,
	}
	if !strings.Contains(req.URL, "://") && !strings.HasPrefix(req.URL, "/") {
		req.URL = "http://" + req.URL
	}
	for _, h := range f.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return usage("header %q: give NAME: VALUE", h)
		}
		name = http.CanonicalHeaderKey(strings.TrimSpace(name))
		req.Headers[name] = append(req.Headers[name], strings.TrimSpace(value))
	}
	if err := f.payload(&req); err != nil {
		return err
	}
	out, err := a.askExplanation(c, req, f)
	if err != nil {
		return err
	}
	if f.json {
		return a.printJSON(out)
	}
	fmt.Fprintf(a.out, "%s %s%s\n", out.Method, out.Host, out.Path)
	for _, d := range out.Listeners {
		a.showDecision(d)
	}
	return nil
}

// payload adds the body and the claims.
func (f explainFlags) payload(req *console.ExplainRequest) error {
	req.Body = f.body
	if f.body != "" && len(req.Headers["Content-Type"]) == 0 {
		req.Headers["Content-Type"] = []string{"application/json"}
	}
	if f.claims == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(f.claims), &req.Claims); err != nil || req.Claims == nil {
		return usage("-claims is no JSON object: %s", f.claims)
	}
	return nil
}

func (a *app) askExplanation(c *cobra.Command, req console.ExplainRequest, f explainFlags) (out console.Explanation, err error) {
	if len(f.documents) == 0 {
		if f.world != "" {
			return out, usage("-world goes with -documents")
		}
		cl, err := a.client(f.clientFlags)
		if err != nil {
			return out, err
		}
		return out, cl.post(c.Context(), "/v1/explain", req, &out)
	}
	off, err := a.offline(f.documents, f.world)
	if err != nil {
		return out, err
	}
	a.diagnose(off.mistakes(), off.texts)
	if out, err = console.Explain(off.world, req, off.translator.ProgramOf); errors.Is(err, console.ErrNoGateway) {
		return out, &exit{codeDocuments, err}
	} else if err != nil {
		return out, usage("%w", err)
	}
	return out, nil
}

func (a *app) showDecision(d console.Decision) {
	colour := green
	if d.Outcome != "route" {
		colour = yellow
	}
	fmt.Fprintf(a.out, "\non %s.%s: %s\n", d.Gateway, d.Listener, a.paint(colour, d.Text))
	if r := d.Route; r != nil {
		fmt.Fprintf(a.out, "  host %s, entry %d, written at %s:%d\n  match %s\n", d.Host, r.Position, r.Range.Document, r.Range.Start.Line, r.Match.Text)
		for _, name := range slices.Sorted(maps.Keys(d.Variables)) {
			fmt.Fprintf(a.out, "  %s = %q\n", name, d.Variables[name])
		}
		a.showFeatures("  ", r.Features)
	}
	for _, l := range d.Destinations {
		a.showLanding(l)
	}
	if len(d.Nearly) > 0 {
		fmt.Fprintln(a.out, "  these did not take it:")
	}
	for _, m := range d.Nearly {
		fmt.Fprintf(a.out, "    %s (%s:%d): %s\n", m.Name, m.Range.Document, m.Range.Start.Line, strings.Join(m.Reasons, "; "))
	}
}

func (a *app) showFeatures(indent string, list []console.Feature) {
	for _, f := range list {
		raw, err := json.Marshal(f.Settings)
		if err != nil {
			raw = []byte("?")
		}
		fmt.Fprintf(a.out, "%s%s %s, from %s of %s at %s:%d\n", indent, f.Type, raw, f.Level, f.From, f.Range.Document, f.Range.Start.Line)
		for _, o := range f.Over {
			fmt.Fprintf(a.out, "%s  in place of that from %s of %s at %s:%d\n", indent, o.Level, o.From, o.Range.Document, o.Range.Start.Line)
		}
	}
}
