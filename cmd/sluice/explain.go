package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/gateway"
)

type explainFlags struct {
	clientFlags
	headers                     []string
	clientIP, gateway, listener string
	documents                   []string
}

func (a *app) explainCommand() *cobra.Command {
	var f explainFlags
	c := clientCommand(&cobra.Command{
		Use: "explain METHOD URL", Short: "Which route takes a request, and why", Args: cobra.ExactArgs(2),
		Long: "Say which route takes a request and why, which others nearly did, where it goes, and what each feature does and\n" +
			"where it was written. With -documents nothing is asked: the documents at the paths are the world.",
		RunE: func(c *cobra.Command, args []string) error { return a.explain(c, args, f) },
	}, &f.clientFlags)
	c.Flags().StringArrayVarP(&f.headers, "header", "H", nil, "`NAME: VALUE` of the request (repeatable)")
	c.Flags().StringVar(&f.clientIP, "client-ip", "", "the client's address")
	c.Flags().StringVar(&f.gateway, "gateway", "", "only on this `GATEWAY`")
	c.Flags().StringVar(&f.listener, "listener", "", "only on this `LISTENER` (default: the one with the URL's port, else all)")
	c.Flags().StringArrayVar(&f.documents, "documents", nil, "explain by the documents at `PATH`, offline (repeatable)")
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

func (a *app) askExplanation(c *cobra.Command, req console.ExplainRequest, f explainFlags) (out console.Explanation, err error) {
	if len(f.documents) == 0 {
		cl, err := a.client(f.clientFlags)
		if err != nil {
			return out, err
		}
		return out, cl.post(c.Context(), "/v1/explain", req, &out)
	}
	files, err := readPaths(f.documents)
	if err != nil {
		return out, err
	}
	t, err := translator()
	if err != nil {
		return out, err
	}
	ws := workspaceOf(files, gateway.New(rules(t)), schema(), os.LookupEnv)
	if out, err = console.Explain(ws.world, req); errors.Is(err, console.ErrNoGateway) {
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
		fmt.Fprintf(a.out, "  → upstream.%s %g%%, as %s, %d of %s healthy\n", l.Upstream, l.Share*100, l.Path, l.Healthy, plural(l.Known, "endpoint"))
		a.showFeatures("      ", l.Features)
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
	}
}
