package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	hclv2 "github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/envoy"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/hcl"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// validation is what `sluice validate -json` prints.
type validation struct {
	hcl.Report
	Documents int    `json:"documents"`
	Envoy     string `json:"envoy,omitempty"` // what an Envoy has against the result
}

type validateFlags struct {
	json, envoy, strict bool
	world, envoyPath    string
}

func (a *app) validateCommand() *cobra.Command {
	var f validateFlags
	c := &cobra.Command{
		Use: "validate PATH…", Short: "Check documents, offline",
		Long: "Check the documents at the given paths (files, or directories with *.hcl files) as one world, without any\n" +
			"server: every block, reference, claim and value. Exit code 1 says that something is wrong. With -world they take\n" +
			"the place of the live documents that sluice apply would write over, beside all others that are live.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return a.validate(c.Context(), args, f) },
	}
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	c.Flags().BoolVar(&f.envoy, "envoy", false, "also let an Envoy judge the result (envoy --mode validate)")
	c.Flags().BoolVar(&f.strict, "strict", false, "warnings are errors")
	c.Flags().StringVar(&f.world, "world", "", "check against the live world in `FILE`, printed by sluice world")
	c.Flags().StringVar(&f.envoyPath, "envoy-path", "", "the Envoy to ask (default: $ENVOY_PATH, PATH, the cache)")
	return c
}

func (a *app) validate(ctx context.Context, paths []string, f validateFlags) error {
	files, err := readPaths(paths)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return usage("no *.hcl file at the given paths")
	}
	t, err := translator()
	if err != nil {
		return err
	}
	s := schema()
	base := gateway.New(rules(t, paths))
	if f.world != "" {
		if base, err = readWorld(f.world, base, s, replacedBy(paths, files)); err != nil {
			return err
		}
	}
	ws := workspaceOf(files, base, s, os.LookupEnv)
	ws.find(folderOf(paths), false)
	diags := ws.diagnostics()
	out := validation{Report: hcl.NewReport(diags, ws.texts), Documents: len(files)}
	out.Valid = out.Valid && (!f.strict || out.WarningCount == 0)
	if out.Valid && f.envoy {
		said, err := askEnvoy(ctx, ws.world, t, f.envoyPath)
		if err != nil {
			return err
		}
		out.Envoy, out.Valid = said, said == ""
	}
	return a.reportValidation(out, diags, ws.texts, f)
}

func (a *app) reportValidation(out validation, diags hclv2.Diagnostics, texts map[string][]byte, f validateFlags) error {
	if f.json {
		if err := a.printJSON(out); err != nil {
			return err
		}
	} else {
		told := gatherUnverified(diags)
		warnings := out.WarningCount - len(diags) + len(told)
		a.diagnose(told, texts)
		switch {
		case out.Envoy != "":
			fmt.Fprintf(a.errs, "%sEnvoy refuses the result\n\n%s\n", a.paint(red, "Error: "), out.Envoy)
		case !out.Valid:
			fmt.Fprintf(a.errs, "%s in %s.\n", tally(out.ErrorCount, warnings), plural(out.Documents, "document"))
		default:
			note := ""
			if warnings > 0 {
				note = ", " + plural(warnings, "warning")
			}
			fmt.Fprintf(a.out, "%s The configuration is valid (%s%s).\n", a.paint(green, "Success!"), plural(out.Documents, "document"), note)
		}
	}
	if !out.Valid {
		return wrong()
	}
	return nil
}

// gatherUnverified makes one warning of all that tell of functions of one upstream that only discovery can know. It
// stands at the first place.
func gatherUnverified(diags hclv2.Diagnostics) (out hclv2.Diagnostics) {
	places := map[string]int{}
	for _, d := range diags {
		places[gateway.Unverified(d)]++
	}
	for _, d := range diags {
		up := gateway.Unverified(d)
		if up == "" {
			out = append(out, d)
			continue
		}
		n := places[up]
		if n == 0 {
			continue
		}
		one := *d
		one.Summary = "Unverified functions"
		one.Detail = fmt.Sprintf("Which functions upstream %q has is known to discovery alone, which does not run here. Documents name some at %s, of which this is the first. "+
			"To check them, let sluice world print on a live system what is known there, and give the file to -world.", up, plural(n, "place"))
		out, places[up] = append(out, &one), 0
	}
	return out
}

// askEnvoy returns what an Envoy has against a world; empty is nothing.
func askEnvoy(ctx context.Context, w *gateway.World, t *translate.Translator, explicit string) (string, error) {
	path, _, err := envoy.Find(explicit)
	if err != nil {
		return "", err
	}
	var resources []*translate.Resource
	for _, u := range w.AllUnits() {
		in := w.Inputs(u)
		if in.Held {
			continue // it holds a secret, which nobody has here
		}
		r, err := t.Build(in)
		if err != nil {
			return err.Error(), nil
		}
		if r != nil {
			resources = append(resources, r)
		}
	}
	b, err := translate.StaticBootstrap(resources)
	if err != nil {
		return "", err
	}
	raw, err := protojson.Marshal(b)
	if err != nil {
		return "", fmt.Errorf("write the configuration for envoy: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := envoy.Validate(ctx, path, raw); err != nil {
		if errors.Is(err, envoy.ErrRefused) {
			return err.Error(), nil
		}
		return "", err
	}
	return "", nil
}

// replacedBy names the documents of a world that files stand for: those of the same name, and those in Consul that the
// files would become with sluice apply.
func replacedBy(paths []string, files []file) map[string]bool {
	names := map[string]bool{}
	for _, f := range files {
		names[f.name] = true
	}
	for _, p := range paths {
		list, err := readPaths([]string{p})
		if err != nil {
			continue // readPaths has read all of them before
		}
		for _, f := range list {
			names[catalog.DocumentName(relativeKey(p, f.name))] = true
		}
	}
	return names
}

// readWorld adds what a world file has to a world, but for the documents that are replaced.
func readWorld(path string, base *gateway.World, s *hcl.Schema, replaced map[string]bool) (*gateway.World, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, usage("read world: %w", err)
	}
	var d console.WorldDump
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, usage("read world %s: %w", path, err)
	}
	in := gateway.Input{Documents: map[string]*gateway.Document{}, Leaves: map[gateway.ID]*string{}, Settled: true}
	for _, doc := range d.Documents {
		if replaced[doc.Name] {
			continue
		}
		made := &gateway.Document{Name: doc.Name, Index: doc.Index, Modify: doc.Modify}
		for _, b := range doc.Blocks {
			start := hclv2.Pos{Line: b.Start.Line, Column: b.Start.Column, Byte: b.Start.Byte}
			w, diags := hcl.ParseBlock(hcl.Origin{Name: doc.Name, Index: doc.Index, Modify: doc.Modify}, b.Text, start, s)
			if diags.HasErrors() {
				return nil, usage("read world %s: block %s of %s: %s", path, b.Name, doc.Name, diags.Error())
			}
			made.Blocks = append(made.Blocks, w)
		}
		in.Documents[doc.Name] = made
	}
	for key, v := range d.Values {
		in.Leaves[gateway.ID{Kind: gateway.KindValue, Name: key}] = &v
	}
	in.Functions = map[gateway.FinderKey][]*gateway.Function{}
	for _, f := range d.Functions {
		in.Functions[gateway.FinderKey{Upstream: f.Upstream, Kind: f.Kind, Query: f.Query}] = f.List
	}
	w, _ := gateway.Apply(base, in)
	return w, nil
}
