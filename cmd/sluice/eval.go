package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/hcl"
)

type evalFlags struct {
	json                                      bool
	method, url, clientIP, body, claims       string
	headers, path, documents, responseHeaders []string
	status                                    int
	responseBody                              string
}

func (a *app) evalCommand() *cobra.Command {
	var f evalFlags
	c := &cobra.Command{
		Use: "eval EXPRESSION", Short: "Evaluate an expression as at request time", Args: cobra.ExactArgs(1),
		Long: "Evaluate an expression as a gateway would for the request that the flags describe. With -documents it may use\n" +
			"the locals of these documents.",
		RunE: func(_ *cobra.Command, args []string) error { return a.eval(args[0], f) },
	}
	c.Flags().BoolVar(&f.json, "json", false, "print the value as JSON, strings too")
	c.Flags().StringVar(&f.method, "method", "GET", "the request's method")
	c.Flags().StringVar(&f.url, "url", "http://localhost/", "the request's URL: its host and query")
	c.Flags().StringArrayVarP(&f.headers, "header", "H", nil, "`NAME: VALUE` of the request (repeatable)")
	c.Flags().StringArrayVar(&f.path, "path", nil, "`NAME=VALUE` of a variable of the route's path (repeatable)")
	c.Flags().StringVar(&f.body, "body", "", "the request's body, as JSON")
	c.Flags().StringVar(&f.clientIP, "client-ip", "127.0.0.1", "the client's address")
	c.Flags().StringVar(&f.claims, "claims", "", "the claims of the client's token, as JSON")
	c.Flags().IntVar(&f.status, "status", 0, "there is a response, with this status")
	c.Flags().StringArrayVar(&f.responseHeaders, "response-header", nil, "`NAME: VALUE` of the response (repeatable)")
	c.Flags().StringVar(&f.responseBody, "response-body", "", "the response's body, as JSON")
	c.Flags().StringArrayVar(&f.documents, "documents", nil, "documents at `PATH`, for their locals (repeatable)")
	return c
}

func (a *app) eval(text string, f evalFlags) error {
	request, err := f.context()
	if err != nil {
		return err
	}
	t, err := translator()
	if err != nil {
		return err
	}
	s := schema()
	files, err := readPaths(f.documents)
	if err != nil {
		return err
	}
	ws := workspaceOf(files, gateway.New(rules(t, nil)), s, os.LookupEnv)
	names := []string{"request"}
	if request.Response != nil {
		names = append(names, "response")
	}
	const origin = "expression"
	expr, diags := hcl.CompileExpr(hcl.Origin{Name: origin, File: true}, text, (*worldScope)(ws), names...)
	if len(diags) > 0 {
		a.diagnose(diags, map[string][]byte{origin: []byte(text)})
		if diags.HasErrors() {
			return wrong()
		}
	}
	value, err := expr.Eval(request)
	if err != nil {
		return &exit{codeDocuments, fmt.Errorf("evaluate: %w", err)}
	}
	if s, ok := value.(string); ok && !f.json {
		fmt.Fprintln(a.out, s)
		return nil
	}
	return a.printJSON(value)
}

// context is the request that the flags describe.
func (f evalFlags) context() (gateway.RequestContext, error) {
	r := gateway.RequestContext{Method: f.method, ClientIP: f.clientIP, ID: "00000000-0000-4000-8000-000000000000", Query: map[string]string{}}
	u, err := url.Parse(f.url)
	if err != nil {
		return r, usage("url %q is none", f.url)
	}
	r.Host = u.Host
	for name, values := range u.Query() {
		r.Query[name] = values[0]
	}
	if r.Headers, err = pairs(f.headers, ":", strings.ToLower); err != nil {
		return r, err
	}
	if r.Path, err = pairs(f.path, "=", strings.TrimSpace); err != nil {
		return r, err
	}
	if r.Body, err = fromJSON("body", f.body); err != nil {
		return r, err
	}
	claims, err := fromJSON("claims", f.claims)
	if err != nil {
		return r, err
	}
	if claims != nil {
		r.Auth = map[string]any{"claims": claims}
		if m, ok := claims.(map[string]any); ok {
			r.Auth["subject"], r.Auth["client"] = m["sub"], m["sub"]
		}
	}
	if f.status == 0 && f.responseBody == "" && len(f.responseHeaders) == 0 {
		return r, nil
	}
	r.Response = &gateway.ResponseContext{Status: cmp.Or(f.status, 200)}
	if r.Response.Headers, err = pairs(f.responseHeaders, ":", strings.ToLower); err != nil {
		return r, err
	}
	r.Response.Body, err = fromJSON("response-body", f.responseBody)
	return r, err
}

// pairs reads NAME SEP VALUE.
func pairs(list []string, sep string, fold func(string) string) (map[string]string, error) {
	out := map[string]string{}
	for _, text := range list {
		name, value, ok := strings.Cut(text, sep)
		if !ok {
			return nil, usage("%q: give NAME%sVALUE", text, sep)
		}
		out[strings.TrimSpace(fold(name))] = strings.TrimSpace(value)
	}
	return out, nil
}

func fromJSON(flag, text string) (v any, err error) {
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return nil, usage("-%s is no JSON: %w", flag, err)
	}
	return v, nil
}

// worldScope lets an expression read what a document could.
type worldScope workspace

// Get implements gateway.Scope.
func (s *worldScope) Get(id gateway.ID) (any, bool) {
	if id.Kind == gateway.KindLocal {
		if b := s.world.Block(id); b != nil && b.InForce != nil {
			v, ok := b.InForce.Value.Instances[id.Name]
			return v, ok
		}
		return nil, false
	}
	if v := readLeaf(id, os.LookupEnv); v != nil {
		return *v, true
	}
	return nil, false
}

// Names implements gateway.Scope.
func (s *worldScope) Names(kind string) []string {
	names := map[string]bool{}
	for _, b := range s.world.Blocks() {
		if b.Kind == kind {
			names[b.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

var _ gateway.Scope = (*worldScope)(nil)
