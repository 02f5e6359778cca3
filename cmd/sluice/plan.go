package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/hcl"
)

// planFile is what `sluice plan -out` writes: the documents, what they were planned against, and what would change.
type planFile struct {
	Format    int                    `json:"format"` // 1
	Documents []console.PlanDocument `json:"documents"`
	Prune     bool                   `json:"prune"`
	Plan      console.Plan           `json:"plan"`
}

const planFormat = 1

type planFlags struct {
	clientFlags
	into, out       string
	prune, detailed bool
}

func (a *app) planCommand() *cobra.Command {
	var f planFlags
	c := clientCommand(&cobra.Command{
		Use: "plan PATH…", Short: "What documents would change, against a running server", Args: cobra.MinimumNArgs(1),
		Long: "Say what the documents at the given paths would change: blocks, and the routes that differ. Nothing is written\n" +
			"but the plan itself, with -out; sluice apply carries it out. Exit code 1 says that a block would be rejected.",
		RunE: func(c *cobra.Command, args []string) error { return a.plan(c.Context(), args, f) },
	}, &f.clientFlags)
	addPlanFlags(c, &f)
	c.Flags().StringVar(&f.out, "out", "", "write the plan to `FILE`")
	c.Flags().BoolVar(&f.detailed, "detailed-exitcode", false, "exit code 0: nothing to do, 1: an error, 2: changes")
	return c
}

func addPlanFlags(c *cobra.Command, f *planFlags) {
	c.Flags().StringVar(&f.into, "into", "", "`FOLDER` below PREFIX/routes/ for documents in Consul, such as team-a/")
	c.Flags().BoolVar(&f.prune, "prune", false, "live documents that are not at the paths are removed")
}

func (a *app) plan(ctx context.Context, paths []string, f planFlags) error {
	cl, err := a.client(f.clientFlags)
	if err != nil {
		return err
	}
	made, texts, err := a.makePlan(ctx, cl, paths, f)
	if err != nil {
		return planned(err, f)
	}
	if f.out != "" {
		raw, err := json.MarshalIndent(made, "", "  ")
		if err == nil {
			err = os.WriteFile(f.out, append(raw, '\n'), 0o600)
		}
		if err != nil {
			return planned(fmt.Errorf("write plan: %w", err), f)
		}
	}
	if f.json {
		if err := a.printJSON(made.Plan); err != nil {
			return err
		}
	} else {
		a.showPlan(made.Plan, texts)
	}
	switch {
	case made.Plan.Errors:
		return wrong()
	case f.detailed && made.Plan.Changes:
		return &exit{code: 2}
	}
	return nil
}

// planned gives every error of a plan the code 1 where -detailed-exitcode needs 2 for something else.
func planned(err error, f planFlags) error {
	if f.detailed {
		return &exit{codeDocuments, err}
	}
	return err
}

// makePlan reads the documents at paths and asks the server what they would change.
func (a *app) makePlan(ctx context.Context, cl *client, paths []string, f planFlags) (*planFile, map[string][]byte, error) {
	var status console.Status
	if err := cl.get(ctx, "/v1/status", &status); err != nil {
		return nil, nil, err
	}
	req, texts, err := planRequest(paths, f, status.Origin == "consul")
	if err != nil {
		return nil, nil, err
	}
	if err := a.parseAll(texts); err != nil {
		return nil, nil, err
	}
	made := &planFile{Format: planFormat, Documents: req.Documents, Prune: req.Prune}
	return made, texts, cl.post(ctx, "/v1/plan", req, &made.Plan)
}

// planRequest is the documents at paths under the names that they would have.
func planRequest(paths []string, f planFlags, consul bool) (console.PlanRequest, map[string][]byte, error) {
	req := console.PlanRequest{Prune: f.prune}
	texts := map[string][]byte{}
	for _, p := range paths {
		files, err := readPaths([]string{p})
		if err != nil {
			return req, nil, err
		}
		for _, file := range files {
			name := file.name
			if consul {
				name = catalog.DocumentName(strings.TrimSuffix(f.into, "/") + slashIf(f.into) + relativeKey(p, file.name))
			}
			if _, twice := texts[name]; twice {
				return req, nil, usage("two files would become %s", name)
			}
			text := string(file.text)
			texts[name] = file.text
			req.Documents = append(req.Documents, console.PlanDocument{Name: name, Text: &text})
		}
	}
	if len(req.Documents) == 0 {
		return req, nil, usage("no *.hcl file at the given paths")
	}
	return req, texts, nil
}

func slashIf(folder string) string {
	if strings.Trim(folder, "/") == "" {
		return ""
	}
	return "/"
}

// parseAll finds what is wrong with documents by themselves, before a server is asked.
func (a *app) parseAll(texts map[string][]byte) error {
	s := schema()
	bad := false
	for name, text := range texts {
		_, kv := catalog.DocumentKey(name)
		if d := hcl.Parse(hcl.Origin{Name: name, File: !kv}, text, s); d.Diags.HasErrors() {
			a.diagnose(d.Diags, texts)
			bad = true
		}
	}
	if bad {
		return wrong()
	}
	return nil
}

// showPlan prints what would change.
func (a *app) showPlan(p console.Plan, texts map[string][]byte) {
	a.diagnoseRemote(p.Diagnostics, texts)
	if !p.Changes {
		if !p.Errors {
			fmt.Fprintln(a.out, "No changes. What is live is what the documents say.")
		}
		return
	}
	counts := map[string]int{}
	for _, b := range p.Blocks {
		counts[b.Action]++
		a.showBlockChange(b)
	}
	if len(p.Blocks) == 0 {
		fmt.Fprintf(a.out, "%s would be written, and no block changes.\n", plural(len(p.Documents), "document"))
	}
	for _, name := range p.Removed {
		fmt.Fprintf(a.out, "%s document %s is removed\n", a.paint(red, "-"), name)
	}
	if len(p.Routes) > 0 {
		fmt.Fprintln(a.out, "\nRoutes:")
	}
	for _, r := range p.Routes {
		fmt.Fprint(a.out, "  ")
		a.showRouteChange(r)
	}
	fmt.Fprintf(a.out, "\n%s %d to add, %d to change, %d to remove.\n", a.paint(bold, "Plan:"), counts["add"], counts["change"], counts["remove"])
}

func (a *app) showBlockChange(b console.BlockChange) {
	sign := map[string]string{"add": a.paint(green, "+"), "remove": a.paint(red, "-"), "change": a.paint(yellow, "~"), "affect": a.paint(yellow, "*")}[b.Action]
	place := ""
	if b.Range != nil {
		place = fmt.Sprintf("  (%s:%d)", b.Range.Document, b.Range.Start.Line)
	}
	note := ""
	if b.State == "rejected" || b.State == "retired" {
		note = "  " + a.paint(red, b.State)
	}
	if b.State == "waiting" {
		note = "  " + a.paint(yellow, "waits for functions that are not known yet")
	}
	if len(b.Degraded) > 0 {
		note += "  " + a.paint(yellow, "degraded: not found any more: "+strings.Join(b.Degraded, ", "))
	}
	fmt.Fprintf(a.out, "%s %s.%s%s%s\n", sign, b.Kind, b.Name, place, note)
	if b.Action != "change" {
		return
	}
	for _, h := range hunks(diffLines(lines(b.Before), lines(b.After))) {
		for _, l := range lines(h)[1:] {
			fmt.Fprintln(a.out, "    "+a.paintLine(l))
		}
	}
}

func (a *app) paintLine(l string) string {
	switch {
	case strings.HasPrefix(l, "+"):
		return a.paint(green, l)
	case strings.HasPrefix(l, "-"):
		return a.paint(red, l)
	}
	return l
}
